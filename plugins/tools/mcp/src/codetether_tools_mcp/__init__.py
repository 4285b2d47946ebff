"""The tools of MCP servers, for codetether."""
