# python -m examples.recipes.mcp_server
"""An MCP server with one tool, which examples/recipes/mcp_tools.py starts for each run."""

import os

from mcp.server.fastmcp import FastMCP

server = FastMCP("weather")


@server.tool()
async def weather(city: str) -> str:
    """Return the weather in a city."""
    return f"It rains in {city}, says process {os.getpid()}."


if __name__ == "__main__":
    server.run("stdio")
