"""The requests of Open WebUI, as PyPI ``open-webui`` 0.12.4 sends them to such a server.

Read in its ``routers/openai.py``, ``routers/tasks.py``, ``utils/headers.py``,
``utils/middleware.py`` and ``utils/response.py``, which also say what it reads of the answers.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from examples.recipes.open_webui import app

from ..asgi import Exchange
from ..clients import until
from ..servers import Server, serving

pytestmark = pytest.mark.anyio

USER = {
    "X-OpenWebUI-User-Name": "Ann",
    "X-OpenWebUI-User-Id": "5f0e7c1a-4a0b-4d5c-9b1e-1d2f3a4b5c6d",
    "X-OpenWebUI-User-Email": "ann@example.com",
    "X-OpenWebUI-User-Role": "user",
}
HEADERS = {
    "Accept": "*/*",
    "Accept-Encoding": "gzip, deflate, br",
    "User-Agent": "Python/3.11 aiohttp/3.13.2",
    "Content-Type": "application/json",
    "Authorization": "Bearer secret",
    **USER,
}
QUESTION = {"role": "user", "content": "What is the weather in Paris?"}
# Its own tools, which it offers to each model (function calling is "native" by default).
SPEC = {
    "name": "get_current_timestamp",
    "description": "Get the current time.",
    "parameters": {"type": "object", "properties": {}, "required": []},
}
TITLE = "### Task:\nGenerate a concise title summarizing the chat history.\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    name = "examples.recipes.open_webui:app"
    with serving(name, tmp_path_factory.mktemp("open_webui")) as running:
        yield running


def chunks_of(response: httpx.Response) -> list[Any]:
    """The chunks, read as its middleware does."""
    assert response.headers["content-type"].startswith("text/event-stream")
    lines = [line.strip() for line in response.text.split("\n")]
    *data, done = [line[6:] for line in lines if line.startswith("data: ")]
    assert done == "[DONE]"
    return [json.loads(each) for each in data]


def text_in(chunks: list[Any]) -> str:
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    assert not [delta for delta in deltas if delta.get("tool_calls")]
    return "".join(delta.get("content") or "" for delta in deltas)


def ask(server: Server, endpoint: str = "chat/completions", **body: Any) -> httpx.Response:
    url = f"{server.url}/v1/{endpoint}"
    return httpx.post(url, content=json.dumps(body), headers=HEADERS, timeout=30)


def test_the_connection_is_verified_and_its_models_are_listed(server: Server) -> None:
    answer = httpx.get(f"{server.url}/v1/models", headers=HEADERS, timeout=30)
    assert [model["id"] for model in answer.json()["data"]] == ["weather-agent", "small"]
    wrong = {**HEADERS, "Authorization": "Bearer other"}
    answer = httpx.get(f"{server.url}/v1/models", headers=wrong)
    assert answer.status_code == 401
    assert answer.json()["error"]["message"] == "The API key is wrong."


@pytest.mark.parametrize(
    "question",
    [
        QUESTION,
        {"role": "user", "content": [{"type": "text", "text": QUESTION["content"]}]},
    ],
    ids=["text", "parts"],
)
def test_a_chat(server: Server, question: Any) -> None:
    answer = ask(
        server,
        stream=True,
        model="weather-agent",
        messages=[{"role": "system", "content": "Be kind."}, question],
        stream_options={"include_usage": True},
        temperature=0.7,
        tools=[{"type": "function", "function": SPEC}],
    )
    chunks = chunks_of(answer)
    assert text_in(chunks) == "I have looked: It rains in Paris."
    assert chunks[-1]["choices"] == []
    assert "usage" in chunks[-1]
    reply = {"role": "assistant", "content": text_in(chunks)}
    messages = [question, reply, {"role": "user", "content": "And now?"}]
    answer = ask(server, stream=True, model="weather-agent", messages=messages)
    assert text_in(chunks_of(answer)) == "I have looked: It rains in Paris."


def test_a_title_is_made_by_the_small_model(server: Server) -> None:
    prompt = f"{TITLE}<chat_history>\nUSER: {QUESTION['content']}\n</chat_history>"
    messages = [{"role": "user", "content": prompt}]
    answer = ask(server, model="small", messages=messages, stream=False, max_tokens=1000)
    [choice] = answer.json()["choices"]
    assert json.loads(choice["message"]["content"])["title"] == "Weather in Paris"


def as_item(role: str, text: str) -> dict[str, Any]:
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


# What it sends of the items of an answer. It sends those of other types as they are.
SENT_BACK = {
    "message": ("type", "role", "content"),
    "function_call": ("type", "call_id", "name", "arguments", "id"),
    "reasoning": ("type", "id", "summary", "encrypted_content", "content"),
}


def sent_back(item: dict[str, Any]) -> dict[str, Any]:
    return {key: item[key] for key in SENT_BACK.get(item["type"], item) if key in item}


def response_of(answer: httpx.Response) -> Any:
    """The last event's response, and the text of the deltas."""
    assert answer.headers["content-type"].startswith("text/event-stream")
    lines = [line.strip() for line in answer.text.split("\n")]
    events = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
    assert events[-1]["type"] == "response.completed"
    deltas = [each for each in events if each["type"] == "response.output_text.delta"]
    return events[-1]["response"], "".join(each["delta"] for each in deltas)


def test_a_chat_on_a_connection_of_type_responses(server: Server) -> None:
    about: Any = {
        **{"stream": True, "model": "weather-agent", "temperature": 0.7, "max_output_tokens": 500},
        **{"instructions": "Be kind.", "tools": [{"type": "function", **SPEC, "strict": False}]},
    }
    question = as_item("user", QUESTION["content"])
    response, text = response_of(ask(server, "responses", input=[question], **about))
    assert text == "I have looked: It rains in Paris."
    assert [item["type"] for item in response["output"]] == ["mcp_call", "message"]
    items: list[Any] = [sent_back(item) for item in response["output"]]
    result = [{"type": "input_text", "text": "12:00"}]
    own_call: list[Any] = [
        {"type": "function_call", "call_id": "c", "name": SPEC["name"], "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": result},
    ]
    items = [question, *items, *own_call, as_item("assistant", "Noon."), question]
    _, text = response_of(ask(server, "responses", input=items, **about))
    assert text == "I have looked: It rains in Paris."


def test_a_title_on_a_connection_of_type_responses(server: Server) -> None:
    prompt = as_item("user", f"{TITLE}<chat_history>\nUSER: {QUESTION['content']}\n</chat_history>")
    answer = ask(server, "responses", model="small", input=[prompt], max_output_tokens=1000)
    [message] = answer.json()["output"]
    texts = [part["text"] for part in message["content"] if part["type"] == "output_text"]
    assert json.loads("".join(texts))["title"] == "Weather in Paris"


async def test_stop_ends_the_run(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "asgi_stream")
    body = {"stream": True, "model": "weather-agent", "messages": [QUESTION]}
    async with Exchange(app, "POST", "/v1/chat/completions", body, headers=HEADERS) as exchange:
        await exchange.until(b"have")
        exchange.disconnect()
    await until(lambda: "of /v1: cancelled" in caplog.text)


def test_an_error_has_a_message(server: Server) -> None:
    answer = ask(server, stream=True, model="gone", messages=[QUESTION])
    assert answer.status_code == 404
    assert "gone" in answer.json()["error"]["message"]
