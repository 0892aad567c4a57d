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


def told(value: Any) -> Any:
    return dumpd(value)


async def main(base: str, case: str, value: Any) -> dict[str, Any]:
    remote: Any = RemoteRunnable(f"{base}/{case}")
    found: dict[str, Any] = {}

    def kept(name: str, error: BaseException) -> None:
        found[name] = f"{type(error).__name__}: {error}"

    for name, call in {
        "invoke": lambda: remote.invoke(value),
        "batch": lambda: remote.batch([value, value]),
        "stream": lambda: list(remote.stream(value)),
    }.items():
        try:
            found[name] = told(await asyncio.to_thread(call))
        except Exception as error:
            kept(name, error)
    try:
        found["ainvoke"] = told(await remote.ainvoke(value))
    except Exception as error:
        kept("ainvoke", error)
    try:
        found["abatch"] = told(await remote.abatch([value, value]))
    except Exception as error:
        kept("abatch", error)
    try:
        found["astream"] = told([chunk async for chunk in remote.astream(value)])
    except Exception as error:
        kept("astream", error)
    events = []
    try:
        async for event in remote.astream_events(value, version="v2", include_types=["chat_model"]):
            events.append(event["event"])
    except Exception as error:
        kept("astream_events error", error)
    found["astream_events"] = events
    return found


base, case, value = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
print(json.dumps(asyncio.run(main(base, case, value)), default=str))
