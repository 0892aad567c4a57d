"""A call by which a model fills a schema is no call of a tool."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph.graph import START, MessagesState, StateGraph
from pydantic import BaseModel

from asgi_stream import StreamApp, StreamRoute
from asgi_stream.events import ALL_EVENTS, ToolCallDelta, ToolCalled, ToolCallStarted, ToolFailed

from ..asgi import post
from ..corpus import record
from .test_agents import HI, Turns, piece, text, words

pytestmark = pytest.mark.anyio

CALLS = (ToolCallStarted, ToolCallDelta, ToolCalled, ToolFailed)


class Way(BaseModel):
    """Where to go."""

    step: str


class Fills(Turns):
    """Keeps what is bound, as the models of providers do."""

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self.bind(**kwargs)


def model(**more: Any) -> Any:
    return Fills(turns=[[piece("c", "Way", '{"step": "poem"}')]]).with_structured_output(
        Way, **more
    )


async def test_a_node_that_decides_by_a_schema_calls_no_tool() -> None:
    async def route(state: Any) -> Any:
        way = await model().ainvoke(state["messages"])
        return {"messages": await Turns(turns=[words(f"a {way.step}")]).ainvoke("")}

    graph: Any = StateGraph(MessagesState)
    graph.add_node("route", route)
    graph.add_edge(START, "route")
    events = await record(graph.compile(), HI, ALL_EVENTS)
    assert not [each for each in events if isinstance(each, CALLS)]
    assert text(events) == "a poem"


@pytest.mark.parametrize("raw", [True, False])
async def test_a_model_that_fills_a_schema_answers_with_the_value(raw: bool) -> None:
    events = await record(model(include_raw=raw), "hi", ALL_EVENTS)
    assert not [each for each in events if isinstance(each, CALLS)]
    assert "poem" in text(events)


async def test_other_calls_of_a_model_are_calls_of_tools() -> None:
    bound = Fills(turns=[[piece("c", "Way", "{}")]]).bind(
        ls_structured_output_format={"kwargs": {"method": "json_schema"}, "schema": Way}
    )
    events = await record(bound, "hi", ALL_EVENTS)
    assert [each.name for each in events if isinstance(each, ToolCalled)] == ["Way"]


async def test_a_client_gets_the_value_in_one_piece_and_as_text() -> None:
    app = StreamApp([StreamRoute("/tokens", model()), StreamRoute("/v1", model(), format="openai")])
    assert b'{\\"step\\":\\"poem\\"}' in (await post(app, "/tokens", "hi")).body
    question = {"model": "v1", "messages": [{"role": "user", "content": "hi"}]}
    answer = (await post(app, "/v1/chat/completions", question)).json()
    [choice] = answer["choices"]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("stop", '{"step":"poem"}')
