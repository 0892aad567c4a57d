"""Run by the Python that has LangServe: its client, on threads. Prints what it got, as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from langserve import RemoteRunnable

HI = {"messages": [["human", "hi"]]}


def on(thread: str) -> Any:
    return {"configurable": {"thread_id": thread}}


def last(output: Any) -> Any:
    message = output["messages"][-1]
    return message["content"] if isinstance(message, dict) else message.content


async def main(url: str) -> dict[str, Any]:
    counts: Any = RemoteRunnable(f"{url}/counts")
    asks: Any = RemoteRunnable(f"{url}/asks")
    chunks = [chunk async for chunk in counts.astream(HI, on("a"))]
    result: dict[str, Any] = {
        "counts": [
            last(chunks[-1]["counts"]),
            last(await counts.ainvoke(HI, on("a"))),
            last(await asyncio.to_thread(counts.invoke, HI, on("a"))),
        ]
    }
    [interrupt] = (await asks.ainvoke(HI, on("b")))["__interrupt__"]
    answer = {"resume": {interrupt["id"]: "yes"}}
    result |= {"value": interrupt["value"], "answered": last(await asks.ainvoke(answer, on("b")))}
    for name, call in {
        "again": asks.ainvoke(answer, on("b")),
        "batch": counts.abatch([HI, HI], on("a")),
    }.items():
        try:
            await call
        except Exception as error:
            result[name] = str(error)
    return result


print(json.dumps(asyncio.run(main(sys.argv[1])), default=str))
