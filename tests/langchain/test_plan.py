"""What is worked out about a Runnable once, for all of its runs."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.output_parsers import StrOutputParser
from langchain_core.runnables import RunnableLambda
from langgraph.config import get_stream_writer
from langgraph.graph import MessagesState

from asgi_stream import StreamApp, StreamRoute
from asgi_stream._langchain import inline_parser
from asgi_stream._langchain.plan import RunnablePlan, plan_of
from asgi_stream._langchain.served_runnable import ServedRunnable
from asgi_stream.events import ALL_EVENTS

from ..asgi import post, tokens
from ..corpus import record
from ..models import PROMPT, Scripted
from .test_agents import HI
from .test_graphs import graph_of, narrow, says, seen

pytestmark = pytest.mark.anyio

MODEL = Scripted(script=["Hel", "lo"])
GRAPHS: dict[str, Any] = {}


def test_a_model_runs_as_it_is() -> None:
    assert plan_of(MODEL) == RunnablePlan(MODEL, "Scripted", None, ())


def test_a_chain_runs_with_an_inline_parser_and_keeps_its_name() -> None:
    chain = (PROMPT | MODEL | StrOutputParser()).with_config(tags=["t"])
    plan = plan_of(chain)
    running: Any = plan.runnable
    assert type(running.bound.last) is inline_parser.StrOutputParser
    assert (plan.name, plan.graph, plan.graphs) == (chain.get_name(), None, ())


def test_a_graph_runs_as_it_is_and_one_in_a_chain_is_bound_to_its_output() -> None:
    graph = narrow()
    for runnable in (graph, graph.with_retry()):
        assert plan_of(runnable) == RunnablePlan(runnable, graph.get_name(), graph, (graph,))
    chain: Any = plan_of(PROMPT | graph).runnable
    assert chain.last.kwargs == {"output_keys": graph.output_channels}


async def test_a_graph_that_a_function_makes_later_is_found_in_the_next_run() -> None:
    def writes(state: MessagesState) -> None:
        get_stream_writer()("written")

    async def runs_it(value: Any) -> Any:
        return await GRAPHS.setdefault("graph", graph_of(writes)).ainvoke(HI)

    plan = plan_of(RunnableLambda(runs_it))
    assert plan.graphs is None
    assert "written" not in seen(await record(plan, HI, ALL_EVENTS))
    assert seen(await record(plan, HI, ALL_EVENTS)) == ["written"]
    assert list(plan.current_graphs()) == [GRAPHS["graph"]]


async def test_runs_share_a_plan() -> None:
    plan = plan_of(graph_of(says))
    for _ in range(2):
        assert seen(await record(plan, HI, ALL_EVENTS)) == ["before", "Hel", "lo.", "after"]


async def test_a_chain_whose_parts_are_replaced_runs_with_the_new_ones() -> None:
    chain: Any = PROMPT | MODEL | StrOutputParser()
    app = StreamApp([StreamRoute("/x", lambda _: chain)])
    ask = {"question": "Hi?"}
    assert tokens((await post(app, "/x", ask)).body) == ["Hel", "lo"]
    chain.middle[0] = Scripted(script=["new"])
    assert tokens((await post(app, "/x", ask)).body) == ["new"]


async def test_a_model_and_a_graph_are_planned_once() -> None:
    for runnable in (MODEL, graph_of(says)):
        served = ServedRunnable(runnable)
        assert served.plan is served.plan
    served = ServedRunnable(PROMPT | MODEL)
    assert served.plan is not served.plan
