"""Run by the Python that has LangServe: calls several URLs with its client.

Reads a list of URLs and inputs from its first argument; prints what each way of calling brings.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from langserve import RemoteRunnable


async def called(url: str, value: Any) -> dict[str, Any]:
    remote: Any = RemoteRunnable(url, headers={"x-user": "ann"})
    results: dict[str, Any] = {"events": []}
    calls: dict[str, Any] = {
        "invoke": lambda: remote.ainvoke(value),
        "batch": lambda: remote.abatch([value, value]),
    }
    for name, call in calls.items():
        try:
            results[name] = await call()
        except Exception as error:
            results[name] = f"{type(error).__name__}: {str(error)[:200]}"
    try:
        results["stream"] = [chunk async for chunk in remote.astream(value)]
        async for event in remote.astream_events(value, version="v2"):
            results["events"].append(event["name"])
    except Exception as error:
        results["error"] = f"{type(error).__name__}: {str(error)[:200]}"
    return results


async def main() -> None:
    calls = json.loads(sys.argv[1])
    results = await asyncio.gather(*(called(url, value) for url, value in calls))
    print(json.dumps(results, default=lambda value: value.content))


asyncio.run(main())
