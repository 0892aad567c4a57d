"""Clients of OpenAI's Responses API, against format ``openai``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_openai import ChatOpenAI
from openai import OpenAI
from pydantic import SecretStr

from ..clients import Notes, new_key, until
from ..servers import Server
from .node import run

pytestmark = pytest.mark.anyio

CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER: Any = {"type": "function", "name": "weather", "parameters": CITY, "strict": False}
FAILS: Any = {
    "type": "function",
    "name": "fails",
    "parameters": {"type": "object"},
    "strict": False,
}


def base(server: Server) -> str:
    return f"{server.url}/openai/v1"


def stored_base(server: Server) -> str:
    return f"{server.url}/kept/openai/v1"


@pytest.fixture
def client(server: Server) -> Iterator[OpenAI]:
    with OpenAI(base_url=base(server), api_key="x", max_retries=0) as ours:
        yield ours


@pytest.mark.parametrize("stream", [True, False])
def test_an_agent_s_own_tools_are_calls_of_the_server(client: OpenAI, stream: bool) -> None:
    if stream:
        with client.responses.stream(model="agent", input="Hi") as events:
            response: Any = events.get_final_response()
    else:
        response = client.responses.create(model="agent", input="Hi")
    assert response.status == "completed"
    assert response.output_text.startswith("I look. It rains.")
    kinds = [item.type for item in response.output]
    assert {"reasoning", "mcp_call", "message"} <= set(kinds)
    assert "function_call" not in kinds
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens) == (10, 4)


def test_the_client_s_own_tools_are_called_and_answered(client: OpenAI) -> None:
    options: Any = {"model": "model", "tools": [WEATHER, FAILS]}
    response = client.responses.create(input="Hi", **options)
    calls = [item for item in response.output if item.type == "function_call"]
    assert [call.name for call in calls] == ["weather", "fails"]
    results = [
        {"type": "function_call_output", "call_id": call.call_id, "output": "It rains."}
        for call in calls
    ]
    items: Any = [{"role": "user", "content": "Hi"}, *response.output, *results]
    again = client.responses.create(input=items, **options)
    assert "It rains." in again.output_text


def test_what_is_not_offered_is_named(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.responses.create(model="model", input="Hi", conversation="c")
    assert raised.value.param == "conversation"
    with pytest.raises(openai.APIStatusError) as raised_too:
        client.responses.create(model="model", input="Hi", tools=[{"type": "web_search"}])
    assert raised_too.value.param == "tools.0"


async def test_langchain_s_client(server: Server) -> None:
    model = ChatOpenAI(
        model="agent", base_url=base(server), api_key=SecretStr("x"), use_responses_api=True
    )
    pieces = [piece async for piece in model.astream([HumanMessage("Hi")])]
    assert "".join(piece.text for piece in pieces).startswith("I look. It rains.")
    answer = await model.ainvoke([HumanMessage("Hi"), AIMessage("Hello."), HumanMessage("Well?")])
    assert answer.text.startswith("I look. It rains.")
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["total_tokens"] == 14


def test_a_response_in_the_background_is_read_on_and_cancelled(server: Server) -> None:
    with OpenAI(base_url=stored_base(server), api_key="x", max_retries=0) as client:
        options: Any = {"model": "slow", "input": new_key(), "background": True}
        first = client.responses.create(**options, stream=True)
        seen = [event for event, _ in zip(first, range(6), strict=False)]
        first.close()
        begun: Any = seen[0]
        id_ = begun.response.id
        with client.responses.stream(response_id=id_, starting_after=5) as events:
            second = [event.sequence_number for event, _ in zip(events, range(3), strict=False)]
        assert second == [6, 7, 8]
        assert client.responses.retrieve(id_).status == "in_progress"
        assert client.responses.cancel(id_).status == "cancelled"
        [*_, last] = client.responses.retrieve(id_, stream=True)
        assert last.type == "response.failed"
        client.responses.delete(id_)
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(id_)


@pytest.fixture
def banker(server: Server) -> Iterator[OpenAI]:
    url = f"{server.url}/bank/v1"
    with OpenAI(base_url=url, api_key="x", max_retries=0) as ours:
        yield ours


@pytest.mark.parametrize("model", ["batched", "per_call", "nested"])
def test_a_call_is_approved_by_the_next_response(banker: OpenAI, model: str) -> None:
    first = banker.responses.create(model=model, input="refund 5, refund 7")
    requests = [item for item in first.output if item.type == "mcp_approval_request"]
    assert [json.loads(request.arguments)["amount"] for request in requests] == [5, 7]
    decisions: list[Any] = [{"approve": True}, {"approve": False, "reason": "too much"}]
    answers: Any = [
        {"type": "mcp_approval_response", "approval_request_id": request.id, **decision}
        for request, decision in zip(requests, decisions, strict=True)
    ]
    with banker.responses.stream(
        model=model, input=answers, previous_response_id=first.id
    ) as events:
        second: Any = events.get_final_response()
    assert "refunded 5" in second.output_text
    assert "too much" in second.output_text
    third = banker.responses.create(model=model, input="Hi", previous_response_id=second.id)
    assert third.output_text.endswith("Hi")
    with pytest.raises(openai.ConflictError) as raised:
        banker.responses.create(model=model, input=answers, previous_response_id=third.id)
    assert raised.value.code == "not_pending"


def test_any_other_question_is_a_call_of_a_function(banker: OpenAI) -> None:
    first = banker.responses.create(model="asking", input="Hi")
    [call] = first.output
    assert call.type == "function_call"
    assert (call.name, json.loads(call.arguments)) == (
        "langgraph_interrupt",
        {"value": {"name": "?"}},
    )
    answer: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "Ann"}
    second = banker.responses.create(model="asking", input=[answer], previous_response_id=first.id)
    assert second.output_text == "Hello, Ann."


async def test_langchain_s_client_sends_what_is_new(server: Server) -> None:
    model = ChatOpenAI(
        model="batched",
        base_url=f"{server.url}/bank/v1",
        api_key=SecretStr("x"),
        use_responses_api=True,
        use_previous_response_id=True,
    )
    conversation: list[Any] = [HumanMessage("one")]
    for words in ("two", "three"):
        conversation += [await model.ainvoke(conversation), HumanMessage(words)]
    pieces = [piece async for piece in model.astream(conversation)]
    assert "".join(piece.text for piece in pieces) == "5: three"


async def test_npm_openai(server: Server) -> None:
    request: Any = {"client": "openai", "baseURL": base(server), "model": "agent", "input": "Hi"}
    report = await run("responses", **request)
    assert report["text"].startswith("I look. It rains.")
    assert report["status"] == "completed"
    assert "mcp_call" in report["output"]
    assert report["types"][-1] == "response.completed"
    failed = await run("responses", **{**request, "model": "nope"})
    assert failed["code"] == "model_not_found"


async def test_npm_openai_retrieves_and_cancels(server: Server) -> None:
    request: Any = {"client": "openai", "baseURL": stored_base(server), "model": "agent"}
    report = await run("responses", **request, input="Hi", stored=True)
    assert "error" not in report, report
    assert report["retrieved"] == report["text"]
    assert report["after"] == [*range(2, len(report["types"]))]
    assert (report["background"], report["cancelled"], report["deleted"]) == (
        *("queued", "cancelled"),
        404,
    )


@pytest.mark.parametrize(("model", "tools"), [("agent", []), ("model", [WEATHER, FAILS])])
async def test_the_ai_sdk_refers_to_stored_items(
    server: Server, model: str, tools: list[Any]
) -> None:
    request: Any = {"client": "aisdk", "baseURL": stored_base(server), "model": model}
    report = await run("responses", **request, input="Hi", tools=tools, stored=True)
    assert "error" not in report, report
    assert "rains" in report["first"]
    assert "rains" in report["text"]


@pytest.mark.parametrize("model", ["batched", "per_call", "nested"])
@pytest.mark.parametrize("approve", [True, False])
async def test_the_ai_sdk_approves_a_call(server: Server, model: str, approve: bool) -> None:
    request: Any = {"client": "aisdk", "baseURL": f"{server.url}/bank/v1", "model": model}
    report = await run("responses", **request, input="refund 5", stored=True, approve=approve)
    assert "error" not in report, report
    assert ("refunded 5" in report["first"]) is approve
    assert ("rejected" in report["first"]) is not approve
    assert "And then?" in report["text"]


async def test_npm_openai_goes_on_with_a_thread(server: Server) -> None:
    request: Any = {"client": "openai", "baseURL": f"{server.url}/bank/v1", "model": "batched"}
    report = await run("responses", **request, input="Hi", previous=True)
    assert "error" not in report, report
    assert (report["text"], report["next"]) == ("1: Hi", "3: And then?")


async def test_the_ai_sdk_s_provider(server: Server) -> None:
    request: Any = {"client": "aisdk", "baseURL": base(server), "model": "agent", "input": "Hi"}
    report = await run("responses", **request)
    assert "error" not in report, report
    assert report["first"].startswith("I look. It rains.")
    assert report["text"].startswith("I look. It rains.")
    assert {"reasoning-delta", "tool-call", "tool-result", "finish"} <= set(report["types"])
    assert report["usage"]["totalTokens"] == 14


async def test_the_ai_sdk_s_own_tools(server: Server) -> None:
    request: Any = {"client": "aisdk", "baseURL": base(server), "model": "model", "input": "Hi"}
    report = await run("responses", **request, tools=[WEATHER, FAILS])
    assert "error" not in report, json.dumps(report)
    assert report["result"]["output"] == "It rains."
    assert "It rains." in report["first"]


async def test_an_abort_of_the_ai_sdk_stops_the_run(server: Server, notes: Notes) -> None:
    key = new_key()
    request: Any = {"client": "aisdk", "baseURL": base(server), "model": "slow", "stopAtText": True}
    await run("responses", **request, input=key)
    assert await until(lambda: notes.of(key, "cancel"), 5)
