//! The window: reads views, writes commands.
