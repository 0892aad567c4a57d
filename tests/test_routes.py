from __future__ import annotations

import ast
import copy
import dataclasses
import functools
import inspect
from pathlib import Path
from typing import Any, ClassVar, get_args

import pytest
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from langgraph.graph import START, MessagesState, StateGraph
from pydantic import BaseModel

import asgi_stream
from asgi_stream import (
    EventFilter,
    Limits,
    Resume,
    StreamApp,
    StreamError,
    StreamRoute,
    TableError,
    formats,
)
from asgi_stream.formats.tokens import TokensFormat
from asgi_stream.routes import OPTIONS, FormatName, RouteOptions

from .asgi import post
from .bound import bound
from .models import chain_of

chain = chain_of("Hi")
upper = RunnableLambda(lambda x: x.upper())
two = ChatPromptTemplate.from_template("{a} {b}")


def make(request: Any) -> Any:
    return upper


class Opaque:
    pass


class Question(BaseModel):
    messages: list[str]
    question: str


graph = StateGraph(MessagesState).add_node("n", lambda s: s).add_edge(START, "n")

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"format": "nope"}, "format: expected one of agui, chunks, events, langgraph, langserve,"),
    ({"format": "vercel", "methods": ("GET",)}, "the vercel format defines its own methods"),
    ({"conversation": str}, "conversation: the tokens format has an input"),
    ({"conversation": 1, "format": "vercel"}, "conversation must be a function, not an int"),
    ({"format": "openai", "runnable": {}}, "expected names with their Runnables, not {}"),
    ({"format": "openai", "runnable": {"a": 1}}, "expected a Runnable, a function of the"),
    (
        {"format": "langgraph"},
        "the langgraph format serves compiled LangGraph graphs, not a RunnableSequence",
    ),
    (
        {"format": "vercel", "runnable": ChatPromptTemplate.from_template("{a} {b}")},
        "its input has several variables: a, b; set conversation= to a function",
    ),
    ({"limits": Limits(inline=0)}, "limits.inline must be greater than 0"),
    ({"runnable": "tests.models"}, "runnable: expected \"module:attribute\", not 'tests.models'"),
    ({"runnable": "no_such:x"}, "runnable: cannot import the module 'no_such'"),
    ({"runnable": "tests.models:x"}, "runnable: the module 'tests.models' has no attribute 'x'"),
    ({"runnable": "tests.models:__name__"}, "not a str"),
    ({"runnable": {"a": 1}}, "expected a Runnable, a function of the request"),
    ({"runnable": graph}, "a StateGraph is a graph that is not compiled: call .compile()"),
    ({"path": "x"}, 'the path must begin with "/"'),
    ({"path": "/{a}/{a}"}, "the path is invalid"),
    ({"path": "/{a:nope}"}, "the path is invalid"),
    ({"path": "/{model}", "format": "openai"}, "the path is invalid: Duplicated param name"),
    ({"limits": Limits(run=-1)}, "limits.run must not be negative"),
    ({"limits": {"run": 1}}, "limits must be a Limits, not a dict"),
    ({"methods": ("PUT",)}, "methods must be some of ('GET', 'POST')"),
    ({"methods": "POST"}, "methods must be a sequence of strings"),
    ({"methods": ()}, "methods must be some of"),
    ({"answer": "name"}, "answer must be a sequence of strings"),
    ({"configurable": ("__pregel_x",)}, "configurable: '__pregel_x' is reserved by LangChain"),
    ({"configurable": (1,)}, "configurable must be a sequence of strings"),
    ({"configure": 1}, "configure must be a function, not an int"),
    ({"config": []}, "config must be a mapping, not a list"),
    ({"astream_kwargs": "values"}, "astream_kwargs must be a mapping, not a str"),
    ({"errors": []}, "errors must be a mapping, not a list"),
    ({"errors": {"ValueError": 1}}, "errors: 'ValueError' is not an exception class"),
    ({"errors": {ValueError: "x"}}, "errors: ValueError needs a StreamError"),
    ({"errors": {ValueError: StreamError(status=200)}}, "with a status from 400 to 599"),
    ({"filter": "on_*"}, "filter must be an EventFilter, not a str"),
    ({"filter": EventFilter(), "format": "chunks"}, "the chunks format has no events to filter"),
    ({"answer": ("a",), "format": "events"}, "answer: the events format does not stream an answer"),
    (
        {"sdk_version": 6, "format": "tokens"},
        "sdk_version: clients of the tokens format have no AI",
    ),
    ({"sdk_version": 4, "format": "vercel"}, "sdk_version must be one of (5, 6, 7), not 4"),
    ({"input": Opaque}, "input: the class Opaque cannot be used"),
    (
        {"runnable": graph.compile(), "input": Question},
        "input: the class Question cannot be used: the graph would drop question; the fields of its"
        " input: messages",
    ),
    ({"methods": None}, "methods must be a sequence of strings, not None"),
    ({"configurable": 5}, "configurable must be a sequence of strings, not 5"),
    ({"astream_kwargs": None}, "astream_kwargs must be a mapping, not None"),
    ({"config": {"context": 1}}, "config: a RunnableSequence takes no context"),
    ({"format": 5}, "format: expected one of agui, chunks,"),
    ({"path": Path("/x")}, 'the path must begin with "/", not be PosixPath'),
]


@pytest.mark.parametrize(("options", "message"), WRONG)
def test_a_wrong_route_is_told_when_it_is_built(options: dict[str, Any], message: str) -> None:
    values = {"path": "/wrong", "runnable": chain, **options}
    with pytest.raises(TableError) as raised:
        StreamApp([StreamRoute(**values)])
    assert str(raised.value).startswith(f"route {values['path']!r}: ")
    assert message in str(raised.value)


def test_an_app_may_have_a_version_of_the_sdk_for_those_of_its_routes_that_need_one() -> None:
    routes = [StreamRoute("/a", chain), StreamRoute("/b", chain, format="vercel")]
    assert [each.sdk_version for each in StreamApp(routes, sdk_version=5).table] == [5, 5]


def test_all_that_is_wrong_with_a_route_is_told_at_once() -> None:
    with pytest.raises(TableError) as raised:
        StreamApp([StreamRoute("/x", 1, limits=Limits(run=-1, body=0), methods=("PUT",))])  # type: ignore[arg-type]
    assert [problem.partition(":")[2].split(",")[0] for problem in raised.value.problems] == [
        " methods must be some of ('GET'",
        " limits.run must not be negative or infinite",
        " limits.body must be greater than 0 (None means no limit)",
        " expected a Runnable",
    ]
    assert str(raised.value) == "\n".join(raised.value.problems)


def test_what_a_module_raised_is_the_cause() -> None:
    with pytest.raises(TableError) as raised:
        StreamApp([StreamRoute("/x", "tests.no_such_module:chain")])
    assert isinstance(raised.value.__cause__, ModuleNotFoundError)


@pytest.mark.parametrize(
    "runnable", [chain, make, "tests.test_routes:chain", lambda request: upper]
)
def test_a_runnable_is_given_as_itself_a_function_or_a_name(runnable: Any) -> None:
    StreamApp([StreamRoute("/x", runnable)])


def test_two_routes_on_one_path_and_method_are_an_error() -> None:
    routes = [StreamRoute("/a", chain), StreamRoute("/a/", chain, methods=("GET", "POST"))]
    with pytest.raises(TableError, match="route '/a/': another route serves POST at '/a'"):
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
    with pytest.raises(TableError, match="unknown option 'formatt'; did you mean 'format'"):
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


def test_a_route_is_checked_with_the_defaults_of_its_app() -> None:
    StreamApp([StreamRoute("/x", {"a": chain})], format="openai")
    StreamApp([StreamRoute("/x", upper, conversation=str)], format="vercel")
    StreamApp([StreamRoute("/x", chain, answer=["writer"])], format="agui")
    StreamApp([StreamRoute("/x", chain, format="vercel")], methods=["GET"])
    with pytest.raises(TableError, match="route '/x': conversation: the chunks format has"):
        StreamApp([StreamRoute("/x", upper, conversation=str)], format="chunks")


def test_all_mistakes_of_all_routes_are_told_at_once() -> None:
    wrong: Any = "/c"
    routes = [
        StreamRoute("/a", chain, limits=Limits(run=-1), debug=wrong),
        StreamRoute("/b", chain),
        wrong,
        StreamRoute("/b/", chain),
    ]
    with pytest.raises(TableError) as raised:
        StreamApp(routes)
    assert raised.value.problems == (
        "route '/a': debug must be True or False, not '/c'",
        "route '/a': limits.run must not be negative or infinite, not -1",
        "expected a StreamRoute in the table, not '/c'",
        "route '/b/': another route serves POST at '/b'",
    )


def test_a_misspelt_option_is_told_with_what_was_meant() -> None:
    with pytest.raises(TableError) as raised:
        StreamRoute("/x", chain, fromat="openai", limts=Limits())  # type: ignore[call-arg]
    assert raised.value.problems == (
        "route '/x': unknown option 'fromat'; did you mean 'format'?",
        "route '/x': unknown option 'limts'; did you mean 'limits'?",
    )
    with pytest.raises(TableError, match="unknown option 'heatlh'; did you mean 'health'"):
        StreamApp([], heatlh=False)  # type: ignore[call-arg]
    with pytest.raises(TableError, match="unknown option 'zzz'; expected one of title, openapi,"):
        StreamApp([], zzz=False)  # type: ignore[call-arg]


def test_an_option_s_old_name_is_understood(tmp_path: Path) -> None:
    kwargs: Any = {"stream": {"stream_mode": "updates"}}
    with pytest.warns(DeprecationWarning, match="'stream' has been renamed to 'astream_kwargs'"):
        route = StreamRoute("/x", chain, **kwargs)
    with pytest.warns(DeprecationWarning, match="'stream' has been renamed to 'astream_kwargs'"):
        [of_app] = StreamApp([StreamRoute("/x", chain)], **kwargs).table
    file = tmp_path / "asgi_stream.toml"
    file.write_text(
        '[[route]]\npath="/x"\nrunnable="tests.test_routes:chain"\nstream={stream_mode="updates"}'
    )
    with pytest.warns(DeprecationWarning, match="'stream' has been renamed to 'astream_kwargs'"):
        [of_file] = StreamApp.from_toml(file).table
    for each in (route, of_app, of_file):
        assert each.astream_kwargs == {"stream_mode": "updates"}


def test_options_of_the_app_count_when_a_file_is_checked(tmp_path: Path) -> None:
    file = tmp_path / "asgi_stream.toml"
    file.write_text('[[route]]\npath="/x"\nrunnable="tests.test_routes:two"\nformat="vercel"')
    with pytest.raises(TableError, match="its input has several variables: a, b"):
        StreamApp.from_toml(file)
    [route] = StreamApp.from_toml(file, conversation=str).table
    assert route.conversation is str


def test_apps_that_serve_one_route_share_its_store_and_an_app_takes_the_table_of_another() -> None:
    route = StreamRoute("/x", chain, resume=True)
    one, two = StreamApp([route]), StreamApp([route])
    [of_one, of_two] = [*one.table, *two.table]
    assert of_one.resume_policy is not None
    assert of_one.resume_policy == of_two.resume_policy
    assert of_one.resume_policy.opened is of_two.resume_policy.opened
    of_another: Any = one.table
    [again] = StreamApp(of_another, debug=True).table
    assert (again.path, again.debug) == ("/x", True)
    [default] = StreamApp([StreamRoute("/x", chain)], resume=True).table
    assert default.resume_policy is not None
    assert default.resume_policy.opened is not of_one.resume_policy.opened


class Nameless(TokensFormat):
    runs: ClassVar[Any] = {("GET", "/{place}/stream"): "join"}


def test_a_format_s_paths_of_stored_runs_say_which_run_is_meant() -> None:
    with pytest.raises(TableError) as raised:
        StreamApp([StreamRoute("/x", chain, format="tests.test_routes:Nameless", resume=True)])
    assert str(raised.value) == (
        "route '/x': format: its path '/{place}/stream' for stored runs has no parameter {run_id}"
        " or {stored_conversation}"
    )


def test_a_copy_with_a_change_keeps_which_options_are_set() -> None:
    changes: Any = {"debug": False, "path": "/y"}
    route = dataclasses.replace(StreamRoute("/x", chain, format="chunks"), **changes)
    assert (route.path, dict(route.options)) == ("/y", {"format": "chunks", "debug": False})
    of_app = bound(route, debug=True, format="events", limits=Limits(run=1))
    assert (of_app.debug, of_app.format, of_app.limits.run) == (False, "chunks", 1)
    assert route == StreamRoute("/y", chain, format="chunks", debug=False)


def test_the_signature_shows_each_option_with_its_default() -> None:
    parameters = inspect.signature(StreamRoute).parameters
    assert list(parameters) == ["path", "runnable", *OPTIONS]
    assert parameters["format"].default == "tokens"
    assert parameters["limits"].default == Limits()
    assert parameters["resume"].annotation == "Resume | bool"
    assert all(parameters[name].kind is inspect.Parameter.KEYWORD_ONLY for name in OPTIONS)
    route = StreamRoute("/x", chain, resume=Resume(keep=5))
    assert set(OPTIONS) < set(dir(route))
    assert repr(route).startswith("StreamRoute('/x', ")
    assert "resume=Resume(store='memory', keep=5" in repr(route)
    with pytest.raises(TypeError, match="positional"):
        StreamRoute("/x", chain, "chunks")  # type: ignore[call-arg,arg-type]


def test_the_types_of_the_options_are_complete() -> None:
    assert list(RouteOptions.__annotations__) == list(OPTIONS)
    assert sorted(get_args(FormatName)) == formats.names()


def test_each_option_is_named_in_one_file() -> None:
    """Elsewhere an option is an attribute, or part of a sentence."""
    package = Path(asgi_stream.__file__).parent
    lists = {}
    for file in package.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
                    names = {part.value for part in parts if isinstance(part, ast.Constant)}
                case ast.Dict(keys=keys):
                    names = {key.value for key in keys if isinstance(key, ast.Constant)}
                case ast.ClassDef(body=body):
                    fields = [each for each in body if isinstance(each, ast.AnnAssign)]
                    names = {ast.unparse(field.target) for field in fields}
                case ast.arguments(kwonlyargs=only):
                    names = {each.arg for each in only}
                case _:
                    continue
            if len(names & OPTIONS.keys()) > 5:
                lists[str(file.relative_to(package))] = names & OPTIONS.keys()
    assert lists.keys() == {"routes.py"}
