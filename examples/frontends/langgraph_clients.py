# python -m examples.frontends.langgraph_clients
"""Python clients of langgraph.py: LangGraph's SDK, and RemoteGraph."""

import asyncio
import os
from typing import Any

from langgraph.pregel.remote import RemoteGraph
from langgraph.types import Command
from langgraph_sdk import get_client

url = os.environ.get("URL", "http://localhost:8000/api")
headers = {"Authorization": "Bearer secret-of-ann"}


async def main() -> None:
    # --8<-- [start:sdk]
    client: Any = get_client(url=url, headers=headers, api_key=None)
    thread = await client.threads.create(metadata={"title": "A trip"})
    question = {"messages": [{"type": "human", "content": "Take me to Paris."}]}

    async for part in client.runs.stream(
        thread["thread_id"], "agent", input=question, stream_mode=["updates", "messages-tuple"]
    ):
        print(part.event, part.data)

    [waiting] = (await client.threads.get_state(thread["thread_id"]))["interrupts"]
    print(waiting["value"]["action_requests"])
    values = await client.runs.wait(
        thread["thread_id"], "agent", command={"resume": {"decisions": [{"type": "approve"}]}}
    )
    print(values["messages"][-1]["content"])
    # --8<-- [end:sdk]

    # --8<-- [start:background]
    run = await client.runs.create(thread["thread_id"], "agent", input=question)
    await client.runs.join(thread["thread_id"], run["run_id"])
    print((await client.runs.get(thread["thread_id"], run["run_id"]))["status"])
    # --8<-- [end:background]

    # --8<-- [start:remote]
    graph: Any = RemoteGraph("agent", url=url, headers=headers, api_key=None)
    config = {"configurable": {"thread_id": thread["thread_id"]}}
    state = await graph.aget_state(config)
    print(state.interrupts)
    decision = {"decisions": [{"type": "reject", "message": "I have a ticket."}]}
    values = await graph.ainvoke(Command(resume=decision), config)
    print(values["messages"][-1]["content"])
    # --8<-- [end:remote]


if __name__ == "__main__":
    asyncio.run(main())
