"""OpenAI's own clients and those that speak like them, against format ``openai``."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import openai
import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from ..clients import Notes, new_key, until
from ..servers import Server
from .node import run

pytestmark = pytest.mark.anyio

ASK: Any = [{"role": "user", "content": "Hi"}]
RESULTS = (("a", "call_1"), ("b", "call_2"))
USAGE = {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}
ODD: Any = [{"role": "x"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
FAILS: Any = {"type": "function", "function": {"name": "fails", "parameters": {"type": "object"}}}


def base(server: Server) -> str:
    return f"{server.url}/openai/v1"


@pytest.fixture
def client(server: Server) -> Iterator[OpenAI]:
    with OpenAI(base_url=base(server), api_key="x", max_retries=0) as ours:
        yield ours


def test_the_models_are_the_route_s_runnables(client: OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert names[:3] == ["agent", "model", "chain"]
    assert client.models.retrieve("chain").id == "chain"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nope")
    with pytest.raises(openai.NotFoundError) as raised:
        client.chat.completions.create(model="nope", messages=ASK)
    assert raised.value.code == "model_not_found"


def test_an_agent_s_own_tools_are_not_the_client_s(client: OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            model="agent", messages=ASK, stream=True, stream_options={"include_usage": True}
        )
    )
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1
    deltas = [chunk.choices[0].delta for chunk in chunks[:-1]]
    assert deltas[0].role == "assistant"
    assert not any(delta.tool_calls for delta in deltas)
    text = "".join(delta.content or "" for delta in deltas)
    assert text.startswith("I look. It rains.")
    thought = "".join(getattr(delta, "reasoning_content", "") for delta in deltas)
    assert thought == "Let me think.Let me think."
    assert [chunk.choices[0].finish_reason for chunk in chunks[-2:-1]] == ["stop"]
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert USAGE.items() <= chunks[-1].usage.to_dict().items()
    assert chunks[0].usage is None


def test_without_a_stream_the_answer_is_one_document(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="agent", messages=ASK)
    [choice] = answer.choices
    assert choice.finish_reason == "stop"
    assert choice.message.content is not None
    assert choice.message.content.startswith("I look. It rains.")
    assert choice.message.tool_calls is None
    assert answer.usage is not None
    assert USAGE.items() <= answer.usage.to_dict().items()


def test_usage_is_told_only_when_it_is_asked_for(server: Server) -> None:
    body = {"model": "chain", "messages": ASK, "stream": True}
    text = httpx.post(f"{base(server)}/chat/completions", json=body).text
    assert "usage" not in text
    assert "id: " not in text
    assert text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("stream", [True, False])
def test_the_client_s_own_tools_are_called_by_a_chat_model(client: OpenAI, stream: bool) -> None:
    options: Any = {"model": "model", "messages": ASK, "tools": [WEATHER, FAILS]}
    if stream:
        with client.chat.completions.stream(**options) as events:
            answer = events.get_final_completion()
    else:
        answer = client.chat.completions.create(**options)
    [choice] = answer.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls
    assert [
        (call.id, call.function.name, json.loads(call.function.arguments))
        for call in choice.message.tool_calls
        if call.type == "function"
    ] == [("call_1", "weather", {"city": "Paris"}), ("call_2", "fails", {"city": "Rome"})]
    result = {"role": "tool", "tool_call_id": "call_2", "content": "no rain"}
    more = [*ASK, choice.message.to_dict(), {**result, "tool_call_id": "call_1"}, result]
    final = client.chat.completions.create(model="model", messages=more, tools=[WEATHER, FAILS])
    assert final.choices[0].message.content == "It rains. (no rain)"


def test_the_client_s_own_tools_are_called_by_a_graph_that_has_them_in_its_state(
    client: OpenAI,
) -> None:
    answer = client.chat.completions.create(model="kit", messages=ASK, tools=[FAILS])
    [choice] = answer.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls
    [call] = choice.message.tool_calls
    result: Any = {"role": "tool", "tool_call_id": call.id, "content": "no rain"}
    more = [*ASK, choice.message.to_dict(), result]
    final = client.chat.completions.create(model="kit", messages=more, tools=[FAILS])
    assert final.choices[0].message.content == "It rains. (no rain)"
    without = client.chat.completions.create(model="agent", messages=ASK, tools=[WEATHER])
    assert without.choices[0].message.content


def test_what_cannot_be_done_is_refused_in_openai_s_shape(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="does not accept tools from the client"):
        client.chat.completions.create(
            model="agent", messages=ASK, tools=[WEATHER], tool_choice="required"
        )
    with pytest.raises(openai.BadRequestError, match="n: this server does not offer 2"):
        client.chat.completions.create(model="chain", messages=ASK, n=2)
    with pytest.raises(openai.UnprocessableEntityError) as raised:
        client.chat.completions.create(model="chain", messages=ODD)
    assert raised.value.param == "messages.0.role"


class Weather(BaseModel):
    """The weather of a place."""

    city: str
    degrees: int


PARIS = Weather(city="Paris", degrees=20)


def test_openai_s_client_parses_the_form_that_it_asks_for(client: OpenAI) -> None:
    parsed = client.chat.completions.parse(model="fills", messages=ASK, response_format=Weather)
    assert parsed.choices[0].message.parsed == PARIS
    with client.chat.completions.stream(
        model="fills", messages=ASK, response_format=Weather
    ) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.parsed == PARIS
    json_object: Any = {"type": "json_object"}
    free = client.chat.completions.create(model="fills", messages=ASK, response_format=json_object)
    assert free.choices[0].message.content == "{}"
    text: Any = {"type": "text"}
    free = client.chat.completions.create(model="fills", messages=ASK, response_format=text)
    assert free.choices[0].message.content == "as you like"


@pytest.mark.parametrize("model", ["agent", "chain"])
def test_a_form_that_nobody_sees_to_is_refused_by_name(client: OpenAI, model: str) -> None:
    with pytest.raises(
        openai.BadRequestError, match="response_format: 'json_schema' needs"
    ) as raised:
        client.chat.completions.parse(model=model, messages=ASK, response_format=Weather)
    assert raised.value.param == "response_format"
    odd: Any = {"type": "json_schema"}
    with pytest.raises(openai.UnprocessableEntityError, match="response_format: expected text"):
        client.chat.completions.create(model="fills", messages=ASK, response_format=odd)


@pytest.mark.parametrize("stream", [True, False])
def test_a_failure_before_the_first_frame_has_its_status(client: OpenAI, stream: bool) -> None:
    with pytest.raises(openai.InternalServerError) as raised:
        client.chat.completions.create(model="first", messages=ASK, stream=stream)
    assert raised.value.code == "run_failed"
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("stream", [True, False])
def test_a_run_that_has_acted_is_not_repeated(server: Server, notes: Notes, stream: bool) -> None:
    words = new_key()
    with OpenAI(base_url=base(server), api_key="x") as retrying:
        with pytest.raises(openai.InternalServerError):
            retrying.chat.completions.create(
                model="acts", messages=[{"role": "user", "content": words}], stream=stream
            )
        assert len(notes.of(words)) == 1
        with pytest.raises(openai.InternalServerError):
            retrying.responses.create(model="acts", input=words)
        assert len(notes.of(words)) == 2


@pytest.mark.parametrize("stream", [True, False])
async def test_a_run_that_has_acted_is_not_repeated_by_npm_openai(
    server: Server, notes: Notes, stream: bool
) -> None:
    words = new_key()
    report = await ask(server, "openai", "acts", content=words, stream=stream, maxRetries=2)
    assert "The run failed" in report["thrown"]["message"]
    assert len(notes.of(words)) == 1


@pytest.mark.parametrize(
    ("model", "message"), [("fails", "The run failed."), ("cut", "The run took too long.")]
)
def test_a_failure_in_the_middle_raises(client: OpenAI, model: str, message: str) -> None:
    stream = client.chat.completions.create(model=model, messages=ASK, stream=True)
    with pytest.raises(openai.APIError, match=message):
        list(stream)


async def test_leaving_stops_the_work(server: Server, notes: Notes) -> None:
    key = new_key()
    ask: Any = [{"role": "user", "content": key}]
    async with AsyncOpenAI(base_url=base(server), api_key="x") as ours:
        stream = await ours.chat.completions.create(model="slow", messages=ask, stream=True)
        async for chunk in stream:
            if chunk.choices[0].delta.content:
                break
        await stream.close()
        assert await until(lambda: notes.of(key, "cancel"), 5)


async def test_files_are_content_blocks(client: OpenAI) -> None:
    parts: Any = [
        {"type": "text", "text": "Hi"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}},
    ]
    ask: Any = [{"role": "user", "content": parts}]
    answer = client.chat.completions.create(model="echo", messages=ask)
    assert answer.choices[0].message.content == (
        "text:- image:image/png audio:audio/mpeg file:application/pdf"
    )


@pytest.fixture
async def chat(server: Server) -> AsyncIterator[Any]:
    key: Any = "x"
    async with httpx.AsyncClient() as http:
        about = {"base_url": base(server), "api_key": key, "http_async_client": http}
        yield lambda model: ChatOpenAI(model=model, max_retries=0, **about)


async def test_a_runnable_is_a_chat_model_of_another_chain(chat: Any) -> None:
    assert (await chat("chain").ainvoke("Hi")).content == "Hello"
    chunks = [chunk async for chunk in chat("agent").astream("Hi", stream_usage=True)]
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert isinstance(whole, AIMessageChunk)
    assert str(whole.content).startswith("I look. It rains.")
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["total_tokens"] == 14


async def test_a_chat_model_served_can_be_given_tools(chat: Any) -> None:
    model = chat("model").bind_tools([WEATHER, FAILS])
    chunks = [chunk async for chunk in model.astream("Hi")]
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert [(call["name"], call["args"]) for call in whole.tool_calls] == [
        ("weather", {"city": "Paris"}),
        ("fails", {"city": "Rome"}),
    ]
    results = [
        ToolMessage(name, tool_call_id=id_) for name, id_ in (("a", "call_1"), ("b", "call_2"))
    ]
    answer = await model.ainvoke([HumanMessage("Hi"), whole, *results])
    assert answer.content == "It rains. (b)"


# Which the client's own classes say of what they have parsed.
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
@pytest.mark.parametrize("method", ["json_schema", "json_mode"])
async def test_a_chat_model_served_gives_structured_output(chat: Any, method: Any) -> None:
    wanted: Any = Weather if method == "json_schema" else None
    model = chat("fills").with_structured_output(wanted, method=method)
    answer = await model.ainvoke("Hi, as JSON")
    assert answer == (PARIS if method == "json_schema" else {})
    *_, last = [each async for each in model.astream("Hi, as JSON")]
    assert last == answer


async def test_a_chain_is_told_of_a_failure(chat: Any) -> None:
    with pytest.raises(openai.APIError, match="The run failed"):
        async for _ in chat("fails").astream("Hi"):
            pass


@pytest.mark.parametrize("client", ["openai", "ai-sdk"])
async def test_npm_s_clients_parse_the_form_that_they_ask_for(server: Server, client: str) -> None:
    schema = {**Weather.model_json_schema(), "additionalProperties": False}
    report = await ask(server, client, "fills", schema=schema)
    assert "thrown" not in report, report
    assert report["parsed"] == [PARIS.model_dump()] * 2


async def ask(server: Server, client: str, model: str, **more: Any) -> Any:
    options = {"content": "Hi", "stream": True, **more}
    return await run("openai", client=client, baseURL=base(server), model=model, **options)


async def test_npm_openai_reads_it(server: Server) -> None:
    report = await ask(server, "openai", "agent")
    assert report["text"].startswith("I look. It rains.")
    assert report["completion"]["choices"][0]["finish_reason"] == "stop"
    assert USAGE.items() <= report["completion"]["usage"].items()
    report = await ask(server, "openai", "chain", stream=False)
    assert report["completion"]["choices"][0]["message"]["content"] == "Hello"


async def test_the_ai_sdk_reads_it(server: Server) -> None:
    report = await ask(server, "ai", "agent")
    assert report["text"].startswith("I look. It rains.")
    assert report["reasoning"].startswith("Let me think.")
    assert report["reason"] == "stop"
    assert report["usage"]["totalTokens"] == 14


@pytest.mark.parametrize("client", ["openai", "ai"])
@pytest.mark.parametrize("model", ["first", "fails", "cut", "nope"])
async def test_npm_clients_throw_after_a_failure(server: Server, client: str, model: str) -> None:
    report = await ask(server, client, model)
    messages = {"cut": "The run took too long", "nope": "Unknown model"}
    assert messages.get(model, "The run failed") in report["thrown"]["message"]


@pytest.mark.parametrize("client", ["openai", "ai"])
async def test_npm_clients_stop_the_work(server: Server, notes: Notes, client: str) -> None:
    key = new_key()
    await ask(server, client, "slow", content=key, stopAtText=True)
    assert await until(lambda: notes.of(key, "cancel"), 5)
