//! `autopilot-mcp`: the running host for agents, over MCP.
fn main() {}
