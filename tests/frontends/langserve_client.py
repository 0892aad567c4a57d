"""Run by the Python that has LangServe: its client, against a route of format ``langserve``.

Prints what each way of calling a Runnable brings, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from langchain_core.load import dumpd
from langserve import RemoteRunnable


def as_json(value: Any) -> Any:
    return dumpd(value)


async def main(base: str, case: str, value: Any) -> dict[str, Any]:
    remote: Any = RemoteRunnable(f"{base}/{case}")
    results: dict[str, Any] = {}

    def kept(name: str, error: BaseException) -> None:
        results[name] = f"{type(error).__name__}: {error}"

    for name, call in {
        "invoke": lambda: remote.invoke(value),
        "batch": lambda: remote.batch([value, value]),
        "stream": lambda: list(remote.stream(value)),
    }.items():
        try:
            results[name] = as_json(await asyncio.to_thread(call))
        except Exception as error:
            kept(name, error)
    try:
        results["ainvoke"] = as_json(await remote.ainvoke(value))
    except Exception as error:
        kept("ainvoke", error)
    try:
        results["abatch"] = as_json(await remote.abatch([value, value]))
    except Exception as error:
        kept("abatch", error)
    try:
        results["astream"] = as_json([chunk async for chunk in remote.astream(value)])
    except Exception as error:
        kept("astream", error)
    events = []
    try:
        async for event in remote.astream_events(value, version="v2", include_types=["chat_model"]):
            events.append(event["event"])
    except Exception as error:
        kept("astream_events error", error)
    results["astream_events"] = events
    return results


base, case, value = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
print(json.dumps(asyncio.run(main(base, case, value)), default=str))
