"""Run by the Python that has PyPI ``mcp`` 2.3: its client, against a route of format ``mcp``.

Prints the tools, and what became of each call, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from mcp import Client, MCPError
from mcp_types import ElicitResult


async def called(client: Any, call: Any, seconds: float | None) -> Any:
    progress: list[str] = []

    async def note(number: float, total: float | None, text: str | None) -> None:
        progress.append(text or "")

    try:
        async with asyncio.timeout(seconds):
            result = await client.call_tool(call["name"], call["arguments"], progress_callback=note)
    except TimeoutError:
        return {"progress": progress, "left": True}
    except MCPError as error:
        return {"progress": progress, "code": error.code, "message": str(error)}
    fields = result.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {**fields, "progress": progress}


async def main(
    url: str,
    calls: list[Any],
    mode: str,
    answers: list[Any] | None = None,
    seconds: float | None = None,
) -> Any:
    asked_for: list[str] = []
    waiting = list(answers or [])

    async def elicit(context: Any, params: Any) -> Any:
        asked_for.append(params.message)
        return ElicitResult(**waiting.pop(0))

    can = {} if answers is None else {"elicitation_callback": elicit}
    async with Client(url, mode=mode, **can) as client:
        listed = await client.list_tools()
        results = [await called(client, each, seconds) for each in calls]
        # The session goes on after a call that was left.
        again = await client.list_tools()
        assert [each.name for each in again.tools] == [each.name for each in listed.tools]
        tools = [each.model_dump(by_alias=True, exclude_none=True) for each in listed.tools]
        version = client.protocol_version
    return {"version": version, "tools": tools, "calls": results, "asked": asked_for}


print(json.dumps(asyncio.run(main(**json.loads(sys.argv[1])))))
