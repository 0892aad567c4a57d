"""What a request is made of: front ends' bodies, documents, tools, batches, limits."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import ConfigurableField, RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command, interrupt
from pydantic import ConfigDict, Field, model_validator

from asgi_stream import EventFilter, Limits, StreamApp, StreamRoute
from asgi_stream._langchain.runnables import with_tools
from asgi_stream.errors import InvalidRequest

from ..asgi import call, frames, get, post
from ..corpus import RUNS
from ..models import Scripted, chain_of

pytestmark = pytest.mark.anyio

ADD = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
JSON = {"type": "json_object"}
ASK: list[dict[str, Any]] = [{"role": "user", "content": "Hi"}]
RUN: dict[str, Any] = {"threadId": "t", "runId": "r", "messages": [{"id": "1", **ASK[0]}]}
RUN |= {"tools": [], "state": {}, "context": []}
TONES = Scripted(script=["quiet"]).configurable_alternatives(
    ConfigurableField("tone"), default_key="quiet", loud=Scripted(script=["LOUD"])
)


def chat(text: str, **more: Any) -> dict[str, Any]:
    message = {"id": "1", "role": "user", "parts": [{"type": "text", "text": text}]}
    return {"messages": [message], **more}


class Calls(Scripted):
    """Can be given tools, and tells which."""

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self.bind(tools=tools, **kwargs)


async def test_a_front_end_s_route_has_its_own_endpoints() -> None:
    app = StreamApp([StreamRoute("/v1", {"x": chain_of("Hi")}, format="openai")])
    response = await get(app, "/v1/models")
    assert response.status == 200
    assert b'"id":"x"' in response.body
    assert (await get(app, "/v1/models/x")).status == 200
    assert (await get(app, "/v1/models/y")).status == 404
    assert (await call(app, "HEAD", "/v1/models")).status == 200
    assert (await get(app, "/v1/chat/completions")).status == 405
    assert (await post(app, "/v1", {})).status == 404


async def test_each_model_is_a_runnable_of_its_own() -> None:
    runnables = {"a": chain_of("A"), "b": lambda request: chain_of("B"), "c": "tests.models:PROMPT"}
    app = StreamApp([StreamRoute("/v1", runnables, format="openai")])
    for model in ("a", "b", "a"):
        body = {"model": model, "messages": [{"role": "user", "content": "Hi"}]}
        response = await post(app, "/v1/chat/completions", body)
        assert f'"content":"{model.upper()}"'.encode() in response.body


async def test_a_conversation_that_a_runnable_cannot_take_is_the_client_s_error() -> None:
    prompt = ChatPromptTemplate.from_template("{a} {b}")
    app = StreamApp([StreamRoute("/x", lambda request: prompt, format="vercel")])
    response = await post(app, "/x", chat("Hi"))
    assert response.status == 422
    assert response.body.startswith(b"This route does not accept a conversation. (error id ")


async def test_a_conversation_may_be_made_into_anything() -> None:
    def first(messages: list[Any]) -> str:
        return str(messages[0].text)

    app = StreamApp(
        [StreamRoute("/x", RunnableLambda(str.upper), format="vercel", conversation=first)]
    )
    assert b'"delta":"HEY"' in (await post(app, "/x", chat("hey"))).body


@dataclass
class User:
    name: str


class Named(MessagesState):
    user: str


def _greet(state: Named, runtime: Runtime[User]) -> dict[str, Any]:
    return {"user": "nobody" if runtime.context is None else runtime.context.name}


GREETS = StateGraph(Named, context_schema=User).add_node("n", _greet).add_edge(START, "n").compile()


@pytest.mark.parametrize("returned", [{"name": "ann"}, User("ann")])
@pytest.mark.parametrize("runnable", [GREETS, GREETS.with_config(tags=["x"]).bind(), GREETS.bind()])
@pytest.mark.parametrize("format", ["chunks", "events"])
async def test_a_graph_gets_the_context_that_the_server_sets(
    format: str, runnable: Any, returned: Any
) -> None:
    def configure(request: Any) -> dict[str, object]:
        return {"context": returned, "tags": ["a"]}

    options: dict[str, Any] = {"format": format, "config": {"context": {"name": "all"}}}
    routes = [
        StreamRoute("/ann", runnable, configure=configure, **options),
        StreamRoute("/all", runnable, **options),
        StreamRoute("/none", runnable, format=format),
    ]
    app = StreamApp(routes)
    assert b'"user":"ann"' in (await post(app, "/ann", {"messages": []})).body
    assert b'"user":"all"' in (await post(app, "/all", {"messages": []})).body
    assert b'"user":"nobody"' in (await post(app, "/none", {"messages": []})).body


async def test_a_client_s_context_never_replaces_the_server_s() -> None:
    seen: list[Any] = []

    def look(state: Named, runtime: Runtime[Any]) -> dict[str, Any]:
        seen.append(runtime.context)
        return {}

    graph = StateGraph(Named).add_node("n", look).add_edge(START, "n").compile()
    server: dict[str, Any] = {
        "astream_kwargs": {"context": {"c": "stream", "d": "stream", "e": "stream"}},
        "config": {"context": {"d": "config", "e": "config"}},
        "configure": lambda request: {"context": {"e": "configure"}},
    }
    route = StreamRoute("/x", graph, format="langgraph", configurable=tuple("abcde"), **server)
    body = {"input": {"messages": []}, "context": dict.fromkeys("bcde", "client")}
    assert (await post(StreamApp([route]), "/x", body)).status == 200
    assert seen == [{"b": "client", "c": "stream", "d": "config", "e": "configure"}]


async def test_a_batch_gets_the_context_too_and_no_stream_options() -> None:
    options: dict[str, Any] = {"astream_kwargs": {"stream_mode": "updates"}, "format": "langserve"}
    app = StreamApp([StreamRoute("/x", GREETS, config={"context": {"name": "ann"}}, **options)])
    response = await post(app, "/x/batch", {"inputs": [{"messages": []}, {"messages": []}]})
    assert [each["user"] for each in response.json()["output"]] == ["ann", "ann"]


async def test_a_context_that_nobody_takes_is_a_mistake_of_the_server(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = StreamApp([StreamRoute("/x", chain_of("a"), configure=lambda request: {"context": 1})])
    assert (await post(app, "/x", {"question": "hi"})).status == 500
    assert "configure of route '/x' returned a context, and a RunnableSequence" in caplog.text


async def test_a_configure_that_returns_no_config_is_a_mistake_of_the_server(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def configure(request: Any) -> Any:
        yield {}

    app = StreamApp([StreamRoute("/x", chain_of("a"), configure=configure)])
    assert (await post(app, "/x", {"question": "hi"})).status == 500
    assert "configure of route '/x' returned an async_generator, not a config" in caplog.text


@pytest.mark.parametrize("declared", [None, Any, dict, User])
async def test_what_the_server_makes_of_a_conversation_is_passed_as_it_is(declared: Any) -> None:
    def ask(state: Named) -> dict[str, Any]:
        return {"user": interrupt("Who?")}

    builder = StateGraph(Named).add_node("n", ask).add_edge(START, "n")
    graph = builder.compile(checkpointer=InMemorySaver())

    def resumed(messages: list[Any]) -> Any:
        return Command(resume=messages[-1].text)

    config: Any = {"configurable": {"thread_id": "1"}}
    await graph.ainvoke({"messages": [], "user": ""}, config)
    route = StreamRoute(
        "/x", graph, format="agui", input=declared, conversation=resumed, config=config
    )
    body = {
        "threadId": "1",
        "runId": "1",
        "messages": [{"id": "1", "role": "user", "content": "Al"}],
    }
    assert b"RUN_FINISHED" in (await post(StreamApp([route]), "/x", body)).body
    assert graph.get_state(config).values["user"] == "Al"


@pytest.mark.parametrize("made", [{"question": 7, "more": True}, [1], User("ann"), None])
async def test_nothing_that_the_server_makes_is_changed_on_its_way(made: Any) -> None:
    seen: list[Any] = []

    def keep(value: Any) -> str:
        seen.append(value)
        return "kept"

    route = StreamRoute(
        "/x", RunnableLambda(keep), format="vercel", input=str, conversation=lambda messages: made
    )
    assert (await post(StreamApp([route]), "/x", chat("Hi"))).status == 200
    assert seen == [made]


async def test_files_in_a_conversation_may_be_limited() -> None:
    limits = Limits(inline=10)
    app = StreamApp([StreamRoute("/x", Scripted(script=["a"]), format="vercel", limits=limits)])
    image = {"type": "file", "mediaType": "image/png", "url": "data:image/png;base64," + "A" * 40}
    body = {"messages": [{"id": "1", "role": "user", "parts": [image]}]}
    response = await post(app, "/x", body)
    assert response.status == 413
    assert response.body.startswith(
        b"The files in the messages have more than 10 bytes. (error id "
    )


async def test_configurable_keys_come_from_a_body_too_if_the_route_takes_them() -> None:
    route = StreamRoute("/x", TONES, format="vercel", configurable=("tone",))
    response = await post(StreamApp([route]), "/x", chat("Hi", tone="loud", other=1))
    assert b"LOUD" in response.body
    langserve = StreamApp([StreamRoute("/x", TONES, format="langserve")])
    body = {"input": "Hi", "config": {"configurable": {"tone": "loud"}}}
    response = await post(langserve, "/x/invoke", body)
    assert response.status == 422
    assert b"configurable.tone: this route does not accept it" in response.body


@pytest.mark.parametrize(
    ("format", "path", "body_with"),
    [
        ("vercel", "", lambda keys: chat("Hi", **keys)),
        ("agui", "", lambda keys: {**RUN, "forwardedProps": keys}),
        ("langserve", "/invoke", lambda keys: {"input": "Hi", "config": {"configurable": keys}}),
        ("langserve", "/batch", lambda keys: {"inputs": [""], "config": {"configurable": keys}}),
        ("openai", "/chat/completions", lambda keys: {"model": "x", "messages": ASK, **keys}),
        ("openai", "/responses", lambda keys: {"model": "x", "input": "Hi", **keys}),
    ],
)
async def test_a_configurable_value_that_the_runnable_does_not_take_is_refused(
    format: str, path: str, body_with: Any
) -> None:
    app = StreamApp([StreamRoute("/x", TONES, format=format, configurable=("tone",))])
    response = await post(app, f"/x{path}", body_with({"tone": "loud"}))
    assert b"LOUD" in response.body
    for value in ("shrill", 5, {"x": 1}):
        response = await post(app, f"/x{path}", body_with({"tone": value}))
        assert response.status == 422
        assert b"tone: " in response.body
    response = await post(app, f"/x{path}", body_with({"tone": None}))
    assert response.status == (200 if format == "openai" else 422)  # there it is the default


class Warm(Scripted):
    temperature: float = Field(default=0, ge=0, alias="heat")
    most: float = 1

    model_config = ConfigDict(populate_by_name=True)

    @model_validator(mode="after")
    def check(self) -> Warm:
        if self.temperature > self.most:
            raise ValueError("a secret")
        return self


@pytest.mark.parametrize(
    ("client", "server", "status", "text"),
    [
        ({"temperature": 0.5}, {}, 200, "[DONE]"),
        ({"temperature": -1}, {}, 422, "temperature: Input should be greater than or equal to 0"),
        ({"temperature": 2}, {}, 422, "temperature: the Runnable does not accept it"),
        ({"temperature": 2}, {"most": 3}, 200, "[DONE]"),
        ({}, {"temperature": -1}, 500, "The run failed."),
        ({"most": 1}, {"temperature": -1}, 500, "The run failed."),
    ],
)
async def test_what_only_the_runnable_itself_can_refuse_is_refused(
    client: Any, server: Any, status: int, text: str
) -> None:
    keys = {key: ConfigurableField(key) for key in ("temperature", "most")}
    warm = RunnableLambda(str) | Warm(script=["a"]).configurable_fields(**keys)
    config = {"configurable": server}
    route = StreamRoute("/x", warm, format="vercel", configurable=tuple(keys), config=config)
    response = await post(StreamApp([route]), "/x", {**chat("Hi"), "input": "Hi", **client})
    assert (response.status, text in response.body.decode()) == (status, True)
    assert b"secret" not in response.body


async def test_other_errors_of_pydantic_are_not_the_client_s_fault() -> None:
    warm = Warm(script=["a"]).configurable_fields(script=ConfigurableField("script"))
    chain: Any = warm | RunnableLambda(lambda _: Warm.model_validate({"script": [], "heat": -1}))
    app = StreamApp([StreamRoute("/x", chain, format="langserve", configurable=("script",))])
    body: Any = {"input": "Hi", "config": {"configurable": {"script": ["b"]}}}
    assert (await post(app, "/x/invoke", body)).status == 500


@pytest.mark.parametrize("path", ["/chat/completions", "/responses"])
async def test_the_model_of_openai_s_clients_is_the_name_of_a_runnable(path: str) -> None:
    model = Scripted(script=["a"]).configurable_alternatives(
        ConfigurableField("model"), default_key="a", b=Scripted(script=["LOUD"])
    )
    route = StreamRoute("/v1", {"a": model, "b": model}, format="openai", configurable=("model",))
    for name in ("a", "b"):
        body = {"model": name, "messages": ASK, "input": "Hi"}
        response = await post(StreamApp([route]), f"/v1{path}", body)
        assert (response.status, b"LOUD" in response.body) == (200, False)
        response = await post(StreamApp([route]), f"/v1{path}?model=b", body)
        assert (response.status, b"LOUD" in response.body) == (200, True)


async def test_a_batch_is_one_run_and_each_input_is_checked() -> None:
    async def slow(text: str) -> str:
        await asyncio.sleep(0.01)
        return text.upper()

    app = StreamApp([StreamRoute("/x", RunnableLambda(slow), format="langserve")])
    response = await post(app, "/x/batch", {"inputs": ["a", "b"]})
    assert b'"output":["A","B"]' in response.body
    response = await post(app, "/x/batch", {"inputs": ["a", 1]})
    assert response.status == 422


@pytest.mark.parametrize("part", ["input", "output", "config"])
async def test_a_runnable_has_its_schemas(part: str) -> None:
    app = StreamApp([StreamRoute("/x", chain_of("Hi"), format="langserve")])
    response = await get(app, f"/x/{part}_schema")
    assert response.status == 200
    assert b'"type":' in response.body


async def test_a_client_s_tools_are_bound_to_a_chat_model_however_it_is_wrapped() -> None:
    model = Calls(script=["a"])
    for wrapped in (model, model.with_config(tags=["x"]), model.bind(stop=["."])):
        bound: Any = with_tools(wrapped, [ADD], "any")
        while "tools" not in bound.kwargs:
            bound = bound.bound
        assert (bound.kwargs["tools"], bound.kwargs["tool_choice"]) == ([ADD], "any")


async def test_a_client_s_tools_come_with_its_request() -> None:
    app = StreamApp([StreamRoute("/v1", Calls(script=["a"]), format="openai")])
    messages = [{"role": "user", "content": "Hi"}]
    body = {"model": "v1", "messages": messages, "tools": [ADD]}
    assert (await post(app, "/v1/chat/completions", body)).status == 200


@pytest.mark.parametrize(
    ("runnable", "why"),
    [
        (chain_of("a"), "runs its own tools"),
        (Scripted(script=["a"]), "cannot call tools"),
        (Calls(script=["a"]).bind_tools([ADD]), "runs its own tools"),
    ],
)
def test_tools_that_cannot_be_bound_are_refused(runnable: Any, why: str) -> None:
    with pytest.raises(InvalidRequest, match=why):
        with_tools(runnable, [ADD])


async def test_a_tool_s_failure_is_told_in_safe_words_unless_the_route_says_so() -> None:
    graph, value = RUNS["a tool that fails and is forgiven"]
    options: Any = {"format": "vercel", "conversation": lambda messages: value}
    safe = StreamRoute("/safe", graph, **options)
    app = StreamApp([safe, StreamRoute("/debug", graph, debug=True, **options)])
    parts = frames((await post(app, "/safe", chat("Hi"))).body)
    errors = [part for part in parts if "errorText" in part]
    assert [part["errorText"] for part in errors] == ["The tool failed."]
    assert "secret" in (await post(app, "/debug", chat("Hi"))).body.decode()


async def test_an_interrupted_run_says_so_in_every_native_format() -> None:
    graph, value = RUNS["a question"]
    app = StreamApp([StreamRoute(f"/{name}", graph, format=name) for name in ("tokens", "chunks")])
    for name in ("tokens", "chunks"):
        *_, waits, done = frames((await post(app, f"/{name}", value)).body)
        assert done == "[DONE]"
        assert [each["value"] for each in waits["interrupted"]] == ["Shall I?"]
        answer = await post(app, f"/{name}", value, headers={"accept": "application/json"})
        assert b'"interrupted":[{"id":' in answer.body


async def test_what_is_filtered_out_is_not_told_by_a_front_end_s_format_either() -> None:
    graph, value = RUNS["an agent"]
    routes = [
        StreamRoute(
            f"/{n}", graph, format="vercel", filter=each, conversation=lambda messages: value
        )
        for n, each in enumerate(
            [
                EventFilter(exclude_names=("add",)),
                EventFilter(exclude=("on_tool_end",)),
                EventFilter(include=("on_chat_model_*",)),
                EventFilter(include=("on_tool_end",)),
            ]
        )
    ]
    app = StreamApp(routes)
    kinds = []
    for n in range(len(routes)):
        *parts, _ = frames((await post(app, f"/{n}", chat("Hi"))).body)
        kinds.append({part["type"] for part in parts})
    always = {"start", "finish"}
    steps = {"start-step", "finish-step"}
    text = {"text-start", "text-delta", "text-end"}
    call_ = {"tool-input-start", "tool-input-delta", "tool-input-available"}
    assert kinds[0] == always | steps | text
    assert kinds[1] == always | steps | text | call_
    assert kinds[2] == always | steps | text
    # A result without its call is nothing that a client could show; the run's own answer is.
    assert kinds[3] == always | text


async def test_whose_text_is_the_answer_is_the_route_s_to_say() -> None:
    graph, value = RUNS["two nodes at once"]
    route = StreamRoute(
        "/v1", graph, format="openai", answer=("one",), conversation=lambda messages: value
    )
    body = {"model": "v1", "messages": [{"role": "user", "content": "Hi"}]}
    response = await post(StreamApp([route]), "/v1/chat/completions", body)
    assert b'"content":"ab"' in response.body


async def test_messages_reach_the_runnable_as_langchain_s() -> None:
    seen: list[Any] = []

    def keep(messages: Any) -> str:
        seen.extend(messages)
        return "kept"

    app = StreamApp([StreamRoute("/x", RunnableLambda(keep), format="vercel")])
    await post(app, "/x", chat("Hi"))
    assert seen == [HumanMessage("Hi")]


async def test_the_input_is_checked_before_the_form_of_the_answer() -> None:
    app = StreamApp([StreamRoute("/v1", {"x": RunnableLambda(str)}, format="openai")])
    body = {"model": "x", "messages": [], "response_format": {"type": "json_object"}}
    answer = await post(app, "/v1/chat/completions", body)
    assert (answer.status, b"messages" in answer.body) == (422, True)


@pytest.mark.parametrize(
    ("endpoint", "body", "path"),
    [
        ("chat/completions", {"messages": ASK, "response_format": JSON}, "response_format"),
        ("responses", {"input": "Hi", "text": {"format": JSON}}, "text.format"),
    ],
)
async def test_a_form_that_the_runnable_does_not_have_is_named_as_in_the_request(
    endpoint: str, body: Any, path: str
) -> None:
    app = StreamApp([StreamRoute("/v1", {"x": chain_of("a")}, format="openai")])
    answer = await post(app, f"/v1/{endpoint}", {"model": "x", **body})
    error = json.loads(answer.body)["error"]
    assert (answer.status, error["param"], f"omit {path}" in error["message"]) == (400, path, True)


async def test_a_request_s_fingerprint_is_of_what_was_sent() -> None:
    def forgets(request: Any) -> dict[str, Any]:
        request.data = None
        return {}

    route = StreamRoute("/x", chain_of("a"), input=str, configure=forgets, resume=True)
    app = StreamApp([route])
    key = {"idempotency-key": "k"}
    assert (await post(app, "/x", "one", headers=key)).status == 200
    assert (await post(app, "/x", "two", headers=key)).status == 422
