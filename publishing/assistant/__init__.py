"""The assistant's side: an MCP server whose every answer comes from released open data."""
