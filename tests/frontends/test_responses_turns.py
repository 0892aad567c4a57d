"""Tools, reasoning, images and forms of answers, for clients of OpenAI's Responses API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from openai import OpenAI
from pydantic import BaseModel, SecretStr

from ..clients import Notes, new_key, until
from ..servers import Server
from .node import run
from .served import served

pytestmark = pytest.mark.anyio

LangChain = Callable[..., ChatOpenAI]
PIXEL = "iVBORw0KGgo="
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
SCHEMA = {**CITY, "additionalProperties": False}


class Place(BaseModel):
    """Where something is."""

    city: str


@tool
def weather(city: str) -> str:
    """The weather."""
    return f"It rains in {city}."


server = served("responses_app")


@pytest.fixture
def client(server: Server) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key="x", max_retries=0) as ours:
        yield ours


@pytest.fixture
async def langchain(server: Server) -> AsyncIterator[LangChain]:
    """Makes LangChain's models, with connections that end with the test's loop."""
    async with openai.DefaultAsyncHttpxClient() as http:

        def of(model: str, **options: Any) -> ChatOpenAI:
            about: Any = {"api_key": SecretStr("x"), "base_url": f"{server.url}/v1", **options}
            about |= {"max_retries": 0, "http_async_client": http}
            return ChatOpenAI(model=model, use_responses_api=True, **about)

        yield of


async def ai_sdk(server: Server, how: str, model: str, *turns: str, **options: Any) -> Any:
    about: Any = {"how": how, "baseURL": f"{server.url}/v1", "model": model, "turns": turns}
    return await run("ai_sdk_responses", **about, **options)


@pytest.mark.parametrize("streamed", [True, False])
async def test_langchain_s_tools_in_two_turns(langchain: LangChain, streamed: bool) -> None:
    model = langchain("caller", streaming=streamed).bind_tools([weather])
    messages: list[Any] = [SystemMessage("Be brief.")]
    for city in ("Rome", "Oslo"):
        messages.append(HumanMessage(f'call weather {{"city": "{city}"}}'))
        message = await model.ainvoke(messages)
        assert isinstance(message, AIMessage)
        [call] = message.tool_calls
        assert (call["name"], call["args"]) == ("weather", {"city": city})
        result = await weather.ainvoke(call)
        assert isinstance(result, ToolMessage)
        messages += [message, result]
        message = await model.ainvoke(messages)
        assert message.text == f"I have: It rains in {city}."
        messages.append(message)


async def test_langchain_s_reasoning(langchain: LangChain) -> None:
    model = langchain("model", reasoning={"effort": "low", "summary": "auto"})
    message = await model.ainvoke("Hi")
    assert [block["type"] for block in message.content_blocks] == ["reasoning", "text"]
    assert message.content_blocks[0].get("reasoning") == "Let me think."
    again = await model.ainvoke([HumanMessage("Hi"), message, HumanMessage("And?")])
    assert again.text == "It rains."


async def test_langchain_s_images(langchain: LangChain) -> None:
    image = {"type": "image", "base64": PIXEL, "mime_type": "image/png"}
    question = HumanMessage([{"type": "text", "text": "What is this?"}, image])
    message = await langchain("echo").ainvoke([question])
    assert message.text == "text:- image:image/png"


async def test_langchain_s_form_of_the_answer(langchain: LangChain) -> None:
    model = langchain("fills").with_structured_output(Place, method="json_schema")
    assert await model.ainvoke("Hi") == Place(city="Paris")
    model = langchain("chain").with_structured_output(Place, method="json_schema")
    with pytest.raises(openai.BadRequestError, match=r"omit text\.format"):
        await model.ainvoke("Hi")


def test_openai_s_client_parses_the_form_that_it_asks_for(client: OpenAI) -> None:
    response = client.responses.parse(model="fills", input="Hi", text_format=Place)
    assert response.output_parsed == Place(city="Paris")
    with client.responses.stream(model="fills", input="Hi", text_format=Place) as stream:
        assert stream.get_final_response().output_parsed == Place(city="Paris")
    free: Any = {"format": {"type": "json_object"}}
    assert client.responses.create(model="fills", input="Hi", text=free).output_text == "{}"
    free = {"format": {"type": "text"}}
    assert client.responses.create(model="fills", input="Hi", text=free).output_text == (
        "as you like"
    )


@pytest.mark.parametrize("model", ["agent", "chain"])
def test_a_form_that_nobody_sees_to_is_refused_by_name(client: OpenAI, model: str) -> None:
    with pytest.raises(openai.BadRequestError, match=r"omit text\.format") as raised:
        client.responses.parse(model=model, input="Hi", text_format=Place)
    assert raised.value.param == "text.format"


@pytest.mark.parametrize("how", ["generate", "stream"])
async def test_the_ai_sdk_s_tools_in_two_turns(server: Server, how: str) -> None:
    asks = [f'call weather {{"city": "{city}"}}' for city in ("Rome", "Oslo")]
    report = await ai_sdk(server, how, "caller", *asks)
    assert "thrown" not in report, report
    for turn, city in zip(report["turns"], ("Rome", "Oslo"), strict=True):
        assert (turn["steps"], turn["results"]) == (2, [f"It rains in {city}."])
        assert turn["text"] == f"I have: It rains in {city}."
        assert turn["finish"] == "stop"


@pytest.mark.parametrize("how", ["generate", "stream"])
async def test_the_ai_sdk_shows_what_the_server_runs(server: Server, how: str) -> None:
    report = await ai_sdk(server, how, "agent", "Hi", "And then?")
    assert "thrown" not in report, report
    for turn in report["turns"]:
        assert (turn["steps"], turn["finish"]) == (1, "stop")
        assert turn["text"].startswith("I look. It rains.")
        assert turn["reasoning"].startswith("Let me think.")
        assert len(turn["results"]) == 2


@pytest.mark.parametrize("how", ["generate", "stream"])
async def test_the_ai_sdk_s_images(server: Server, how: str) -> None:
    [turn] = (await ai_sdk(server, how, "echo", "What is this?", image=PIXEL))["turns"]
    assert turn["text"] == "text:- image:image/png"


@pytest.mark.parametrize("how", ["generate", "stream"])
async def test_the_ai_sdk_s_form_of_the_answer(server: Server, how: str) -> None:
    report = await ai_sdk(server, how, "fills", "Hi", schema=SCHEMA)
    assert "thrown" not in report, report
    assert report["turns"][0]["output"] == {"city": "Paris"}
    refused = await ai_sdk(server, how, "chain", "Hi", schema=SCHEMA)
    problem = refused.get("failed") or refused["thrown"]["message"]
    assert "omit text.format" in problem


async def test_an_abort_of_generate_text_stops_the_run(server: Server, folder: Path) -> None:
    key = new_key()
    report = await ai_sdk(server, "generate", "slow", key, abortAfter=1500)
    assert report["thrown"]["name"] in ("AbortError", "TimeoutError")
    notes = Notes(folder / "notes")
    assert await until(lambda: notes.of(key, "cancel"), 5)
