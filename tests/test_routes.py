from __future__ import annotations

import copy
import functools
from pathlib import Path
from typing import Any

import pytest
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from langgraph.graph import START, MessagesState, StateGraph

from asgi_stream import EventFilter, Limits, StreamApp, StreamError, StreamRoute, TableError

from .asgi import post
from .models import chain_of

chain = chain_of("Hi")
upper = RunnableLambda(lambda x: x.upper())


def make(request: Any) -> Any:
    return upper


class Opaque:
    pass


graph = StateGraph(MessagesState).add_node("n", lambda s: s).add_edge(START, "n")

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"format": "nope"}, "format: expected one of agui, chunks, events, langgraph, langserve,"),
    ({"format": "vercel", "methods": ("GET",)}, "the vercel format has methods of its own"),
    ({"conversation": str}, "conversation: the tokens format takes an input"),
    ({"conversation": 1, "format": "vercel"}, "conversation must be a function, not a int"),
    ({"format": "openai", "runnable": {}}, "expected names with their Runnables, not {}"),
    ({"format": "openai", "runnable": {"a": 1}}, "expected a Runnable, a function of the"),
    (
        {"format": "langgraph"},
        "the langgraph format serves compiled LangGraph graphs, not a RunnableSequence",
    ),
    (
        {"format": "vercel", "runnable": ChatPromptTemplate.from_template("{a} {b}")},
        "its input has several variables: a, b; say with conversation= how it takes a",
    ),
    ({"limits": Limits(inline=0)}, "limits.inline must be more than 0"),
    ({"runnable": "tests.models"}, "runnable: expected \"module:attribute\", not 'tests.models'"),
    ({"runnable": "no_such:x"}, "runnable: cannot import the module 'no_such'"),
    ({"runnable": "tests.models:x"}, "runnable: the module 'tests.models' has no attribute 'x'"),
    ({"runnable": "tests.models:__name__"}, "not a str"),
    ({"runnable": {"a": 1}}, "expected a Runnable, a function of the request"),
    ({"runnable": graph}, "a StateGraph is a graph that is not compiled: call .compile()"),
    ({"path": "x"}, 'the path must begin with "/"'),
    ({"path": "/{a}/{a}"}, "the path cannot be read"),
    ({"path": "/{a:nope}"}, "the path cannot be read"),
    ({"path": "/{model}", "format": "openai"}, "the path cannot be read: Duplicated param name"),
    ({"limits": Limits(run=-1)}, "limits.run must not be negative"),
    ({"limits": {"run": 1}}, "limits must be a Limits, not a dict"),
    ({"methods": ("PUT",)}, "methods must be some of ('GET', 'POST')"),
    ({"methods": "POST"}, "methods must be a sequence of strings"),
    ({"methods": ()}, "methods must be some of"),
    ({"answer": "name"}, "answer must be a sequence of strings"),
    ({"configurable": ("__pregel_x",)}, "configurable: '__pregel_x' is LangChain's own"),
    ({"configurable": (1,)}, "configurable must be a sequence of strings"),
    ({"configure": 1}, "configure must be a function, not a int"),
    ({"config": []}, "config must be a mapping, not a list"),
    ({"astream_kwargs": "values"}, "astream_kwargs must be a mapping, not a str"),
    ({"errors": []}, "errors must be a mapping, not a list"),
    ({"errors": {"ValueError": 1}}, "errors: 'ValueError' is not an exception class"),
    ({"errors": {ValueError: "x"}}, "errors: ValueError needs a StreamError"),
    ({"errors": {ValueError: StreamError(status=200)}}, "with a status from 400 to 599"),
    ({"filter": "on_*"}, "filter must be an EventFilter, not a str"),
    ({"filter": EventFilter(), "format": "chunks"}, "the chunks format has no events to filter"),
    ({"answer": ("a",), "format": "events"}, "answer: the events format is not made of answers"),
    ({"input": Opaque}, "input: the class Opaque cannot be validated"),
    ({"methods": None}, "methods must be a sequence of strings, not None"),
    ({"configurable": 5}, "configurable must be a sequence of strings, not 5"),
    ({"astream_kwargs": None}, "astream_kwargs must be a mapping, not a NoneType"),
    ({"config": {"context": 1}}, "config: a RunnableSequence takes no context"),
    ({"format": 5}, "format: expected one of agui, chunks,"),
    ({"path": Path("/x")}, 'the path must begin with "/", not be PosixPath'),
]


@pytest.mark.parametrize(("options", "said"), WRONG)
def test_a_wrong_route_is_told_when_it_is_built(options: dict[str, Any], said: str) -> None:
    given = {"path": "/wrong", "runnable": chain, **options}
    with pytest.raises(TableError) as told:
        StreamApp([StreamRoute(**given)])
    assert str(told.value).startswith(f"route {given['path']!r}: ")
    assert said in str(told.value)


def test_all_that_is_wrong_with_a_route_is_told_at_once() -> None:
    with pytest.raises(TableError) as told:
        StreamApp([StreamRoute("/x", 1, limits=Limits(run=-1, body=0), methods=("PUT",))])  # type: ignore[arg-type]
    assert [problem.partition(":")[2].split(",")[0] for problem in told.value.problems] == [
        " methods must be some of ('GET'",
        " limits.run must not be negative or infinite",
        " limits.body must be more than 0 (None is no limit)",
        " expected a Runnable",
    ]
    assert str(told.value) == "\n".join(told.value.problems)


def test_what_a_module_raised_is_the_cause() -> None:
    with pytest.raises(TableError) as told:
        StreamApp([StreamRoute("/x", "tests.no_such_module:chain")])
    assert isinstance(told.value.__cause__, ModuleNotFoundError)


@pytest.mark.parametrize(
    "runnable", [chain, make, "tests.test_routes:chain", lambda request: upper]
)
def test_a_runnable_is_given_as_itself_a_function_or_a_name(runnable: Any) -> None:
    StreamApp([StreamRoute("/x", runnable)])


def test_two_routes_on_one_path_and_method_are_an_error() -> None:
    routes = [StreamRoute("/a", chain), StreamRoute("/a/", chain, methods=("GET", "POST"))]
    with pytest.raises(TableError, match="route '/a/': a route for POST at '/a' is there"):
        StreamApp(routes)


def test_two_methods_of_one_path_may_be_two_routes() -> None:
    StreamApp([StreamRoute("/a", chain), StreamRoute("/a", chain, methods=("GET",))])


def test_something_else_in_the_table_is_an_error() -> None:
    wrong: Any = [("/a", chain)]
    with pytest.raises(TableError, match="expected a StreamRoute in the table"):
        StreamApp(wrong)


def test_defaults_fill_in_what_a_route_does_not_say() -> None:
    limits = Limits(run=1)
    silent, loud = StreamRoute("/a", chain), StreamRoute("/b", chain, debug=False, format="chunks")
    defaults = {"debug": True, "format": "events", "limits": limits}
    assert silent.with_defaults(defaults).debug
    assert silent.with_defaults(defaults).format == "events"
    assert not loud.with_defaults(defaults).debug
    assert loud.with_defaults(defaults).format == "chunks"
    assert loud.with_defaults(defaults).limits is limits


def test_an_unknown_default_is_an_error() -> None:
    with pytest.raises(TableError, match="there is no option 'formatt'; did you mean 'format'"):
        StreamApp([StreamRoute("/a", chain)], formatt="chunks")  # type: ignore[call-arg]


def test_a_default_that_does_not_fit_a_route_names_that_route() -> None:
    with pytest.raises(TableError, match="route '/b': answer"):
        StreamApp(
            [StreamRoute("/a", chain), StreamRoute("/b", chain, format="events")], answer=("x",)
        )


def test_a_partial_is_a_function_of_the_request_too() -> None:
    StreamApp([StreamRoute("/x", functools.partial(make))])


@pytest.mark.anyio
async def test_what_a_run_writes_into_its_config_is_seen_by_no_other() -> None:
    shared = object()
    metadata = {
        "plan": {"name": "free", "seats": [{"n": 1}], "pair": ({"a": 1},), "set": {1}},
        "client": shared,
    }
    config = {"metadata": metadata, "tags": ["web"], "configurable": {"tone": "calm"}}
    of_this_request = {"metadata": {"user": {"name": "ann"}}}
    before = copy.deepcopy({**config, "metadata": {**metadata, "client": None}})
    seen = []

    def writes(value: str, config: Any) -> str:
        plan, user = config["metadata"]["plan"], config["metadata"]["user"]
        seen.append((copy.deepcopy([plan, user]), config["metadata"]["client"], config["tags"][:]))
        plan["name"] = user["name"] = plan["seats"][0]["n"] = plan["pair"][0]["a"] = "written"
        plan["set"].add("written")
        config["metadata"]["more"] = config["configurable"]["tone"] = "written"
        config["tags"].append("written")
        return str(config["configurable"].get("more"))

    route = StreamRoute(
        "/x",
        RunnableLambda(writes),
        config=config,
        configure=lambda _: of_this_request,
    )
    app = StreamApp([route])
    for _ in range(2):
        assert (await post(app, "/x", "a")).status == 200
    assert seen[0] == seen[1]
    assert seen[0][1] is shared
    assert {**config, "metadata": {**metadata, "client": None}} == before
    assert of_this_request == {"metadata": {"user": {"name": "ann"}}}
