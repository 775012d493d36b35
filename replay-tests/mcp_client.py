#!/usr/bin/env python3
"""An MCP client of the protocol's own SDK: starts a server, lists its tools, calls what standard input says.

    mcp_client.py PROGRAM [ARGUMENTS...] < calls.json

`calls.json` is a list of {"tool", "arguments"}. Prints {"server", "tools", "results"}; a result is {"error", "value"}, and
its value is checked to be the same as text and as structured content. The packages come from scripts/python-mcp.sh.
"""

import asyncio
import json
import os
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


def result(answer) -> dict:
    plain = answer.model_dump(mode="json", by_alias=True)
    value = plain["structuredContent"]
    assert json.loads(plain["content"][0]["text"]) == value, plain
    return {"error": bool(plain.get("isError")), "value": value}


async def main() -> None:
    calls = json.load(sys.stdin)
    server = StdioServerParameters(command=sys.argv[1], args=sys.argv[2:], env=dict(os.environ))
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        begun = await session.initialize()
        tools = (await session.list_tools()).tools
        results = [result(await session.call_tool(call["tool"], call.get("arguments", {}))) for call in calls]
    dumped = [tool.model_dump(mode="json", by_alias=True) for tool in tools]
    print(json.dumps({"server": begun.model_dump(mode="json", by_alias=True), "tools": dumped, "results": results}))


asyncio.run(main())
