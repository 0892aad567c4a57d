"""Run by the Python that has PyPI ``langchain-mcp-adapters``: a route's tools as LangChain's."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from langchain_core.tools import ToolException
from langchain_mcp_adapters.client import MultiServerMCPClient


async def main(url: str, calls: list[Any]) -> Any:
    server = {"url": url, "transport": "streamable_http"}
    tools = {tool.name: tool for tool in await MultiServerMCPClient({"it": server}).get_tools()}
    results: list[Any] = []
    for call in calls:
        request = {"name": call["name"], "args": call["arguments"], "id": "c", "type": "tool_call"}
        try:
            message = await tools[call["name"]].ainvoke(request)
            results.append({"content": message.content, "artifact": message.artifact})
        except ToolException as error:
            results.append({"error": str(error)})
    about = {name: [tool.description, sorted(tool.args)] for name, tool in tools.items()}
    return {"tools": about, "calls": results}


print(json.dumps(asyncio.run(main(**json.loads(sys.argv[1])))))
