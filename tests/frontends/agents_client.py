"""Run by the Python that has OpenAI's Agents SDK: its runs, against format ``openai``.

Each line of its input is a run's options; it prints what comes of the run, as a line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from agents import (
    Agent,
    CustomTool,
    HostedMCPTool,
    OpenAIResponsesModel,
    Runner,
    WebSearchTool,
    function_tool,
    set_tracing_disabled,
)
from openai import APIStatusError, AsyncOpenAI
from pydantic import BaseModel

set_tracing_disabled(True)
ran: list[str] = []


@function_tool
def add(a: int, b: int) -> str:
    """Add two numbers."""
    ran.append("add")
    return str(a + b)


@function_tool
def weather(city: str) -> str:
    """The weather."""
    ran.append("weather")
    return "It is dry."


async def count(context: Any, text: str) -> str:
    ran.append("count")
    return f"{len(text)} letters"


class Place(BaseModel):
    """Where something is."""

    city: str


TOOLS = {
    "add": add,
    "weather": weather,
    "count": CustomTool(name="count", description="Counts.", on_invoke_tool=count),
    "web_search": WebSearchTool(),
    "server": HostedMCPTool(
        {
            "type": "mcp",
            "server_label": "asgi_stream",
            "server_url": "http://localhost",
            "require_approval": "always",
        }
    ),
}


async def turn(agent: Agent[Any], items: Any, leave: bool) -> tuple[dict[str, Any], Any]:
    run = Runner.run_streamed(agent, items)
    text = ""
    async for event in run.stream_events():
        if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
            text += event.data.delta
            if leave:
                run.cancel()
    report = {
        "text": text,
        "output": run.final_output if agent.output_type is None else run.final_output.model_dump(),
        "items": [
            getattr(item.raw_item, "type", None) or item.raw_item["type"] for item in run.new_items
        ],
        "agent": run.last_agent.name,
        "tokens": run.context_wrapper.usage.total_tokens,
    }
    return report, run.to_input_list()


async def approved(agent: Agent[Any], question: str) -> dict[str, Any]:
    """The output of a run of which all calls are approved that wait for it."""
    run = await Runner.run(agent, question)
    state = run.to_state()
    for each in run.interruptions:
        state.approve(each)
    answered = await Runner.run(agent, state)
    return {"questions": len(run.interruptions), "output": answered.final_output}


async def main(base: str, model: str, turns: list[str], tools: list[str], how: str) -> Any:
    async with AsyncOpenAI(base_url=base, api_key="x", max_retries=0) as client:
        served = OpenAIResponsesModel(model, client)
        agent: Agent[Any] = Agent(
            "first",
            instructions="Be brief.",
            model=served,
            tools=[TOOLS[name] for name in tools],
            handoffs=[] if how in ("alone", "approve") else [Agent("second", model=served)],
            output_type=Place if how == "parse" else None,
        )
        reports: list[Any] = []
        items: list[Any] = []
        try:
            for question in turns:
                if how == "approve":
                    reports.append(await approved(agent, question))
                    continue
                items = [*items, {"role": "user", "content": question}]
                report, items = await turn(agent, items, how == "leave")
                reports.append(report)
        except Exception as error:
            status = error.status_code if isinstance(error, APIStatusError) else None
            code = getattr(error, "code", None)
            reports.append({"error": str(error), "status": status, "code": code})
        return {"turns": reports, "ran": ran}


for line in sys.stdin:
    ran.clear()
    print(json.dumps(asyncio.run(main(**json.loads(line)))), flush=True)
