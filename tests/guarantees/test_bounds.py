"""Requests that are too large, too deep, too slow or too many, on real servers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ..apps import FORGING
from ..asgi import frames, tokens
from ..clients import Connection
from ..servers import Server, serving

pytestmark = pytest.mark.anyio

Folders = pytest.TempPathFactory
SERVERS = ["uvicorn-httptools", "uvicorn-h11", "hypercorn", "granian"]


@pytest.fixture(scope="module", params=["uvicorn-httptools", "uvicorn-h11", "hypercorn", "granian"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("bounds")
    env = {"PROBE_LOG": str(folder / "notes")}
    with serving("tests.apps:app", folder, request.param, env) as running:
        yield running


def request(headers: str, body: bytes = b"") -> bytes:
    head = "POST /stream/small HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    return f"{head}{headers}\r\n\r\n".encode() + body


async def answer_to(server: Server, sent: bytes, then: bytes = b"") -> bytes:
    """What comes back before the whole of the request has been sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    async with Connection(reader, writer) as client:
        writer.write(sent + then)
        return await client.read_until(b'"error"')


async def test_a_body_that_never_ends_is_refused_when_it_is_too_large(server: Server) -> None:
    parts = b"".join(b"64\r\n" + b"x" * 100 + b"\r\n" for _ in range(20))
    answer = await answer_to(server, request("Transfer-Encoding: chunked"), parts)
    assert b" 413 " in answer.partition(b"\r\n")[0]
    assert b'"body_too_large"' in answer


async def test_a_body_that_trickles_is_given_up(server: Server) -> None:
    answer = await answer_to(server, request("Content-Length: 100", b"["))
    assert b" 408 " in answer.partition(b"\r\n")[0]


async def test_an_announced_body_that_is_too_large_is_not_waited_for(server: Server) -> None:
    answer = await answer_to(server, request("Content-Length: 100000000"))
    assert b" 413 " in answer.partition(b"\r\n")[0]


def test_json_a_hundred_thousand_deep_is_refused(server: Server) -> None:
    for text in ("[" * 100_000 + "]" * 100_000, '{"a":' * 100_000 + "1" + "}" * 100_000):
        answer = httpx.post(
            f"{server.url}/stream/words",
            content=text,
            headers={"content-type": "application/json"},
        )
        assert answer.status_code == 422
        assert "nested more than 64 levels deep" in answer.json()["error"]["message"]
    assert httpx.get(f"{server.url}/health").text == "ok"


async def test_runs_over_the_limit_are_told_to_come_back(server: Server) -> None:
    async with (
        await Connection.post(server.port, "/stream/few", "a") as first,
        await Connection.post(server.port, "/stream/few", "b") as second,
    ):
        await first.read_until(b"data: ")
        await second.read_until(b"data: ")
        refused = httpx.post(f"{server.url}/stream/few", json="c")
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "5"
        first.leave()
        await first.read_to_end()
        for _ in range(100):
            with httpx.stream("POST", f"{server.url}/stream/few", json="c") as again:
                if again.status_code == 200:
                    break
            await asyncio.sleep(0.01)
        assert again.status_code == 200


@pytest.mark.parametrize("text", ["a\r\n\r\ndata: forged", "\x00", "\u2028\u2029\x85\x0b\x0c"])
def test_no_frame_can_be_forged_by_text(server: Server, text: str) -> None:
    answer = httpx.post(f"{server.url}/stream/echo", json=text)
    assert tokens(answer.content) == [text] * 20


def test_no_frame_can_be_forged_by_names(server: Server) -> None:
    *events, done = frames(httpx.post(f"{server.url}/stream/named", json="x").content)
    assert done == "[DONE]"
    assert {event["name"] for event in events} == {FORGING}
    assert {tag for event in events for tag in event["tags"]} == {FORGING}


async def test_runs_at_once_do_not_mix(server: Server) -> None:
    async with httpx.AsyncClient(timeout=30) as client:
        answers = await asyncio.gather(
            *(client.post(f"{server.url}/stream/echo", json=f"run {n}") for n in range(50))
        )
    for n, answer in enumerate(answers):
        lines = [line for line in answer.text.splitlines() if line.startswith("data: {")]
        words = [json.loads(line[6:])["token"] for line in lines]
        assert words == [f"run {n}"] * 20
