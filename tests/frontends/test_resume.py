"""The clients' own ways to come back to a run, after a reload and after a lost connection."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from langgraph_sdk import get_client

from ..clients import Connection, Notes, new_key, until
from ..redis_server import RedisServer
from ..resume.test_faults import servers
from ..servers import Server
from .node import run

pytestmark = pytest.mark.anyio

COUNTED = "".join(f"w{n} " for n in range(60))


class Cut:
    """Passes connections on, and breaks each after so many bytes of its answer, some times."""

    def __init__(self, behind: int, after: int, times: int) -> None:
        self._behind = behind
        self._after = after
        self.left = times
        self.requests: list[bytes] = []
        self.tasks: set[asyncio.Task[Any]] = set()

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.tasks.add(cast("asyncio.Task[Any]", asyncio.current_task()))
        await self._pass(reader, writer)

    async def _pass(self, reader: StreamReader, writer: StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._behind)
        asking = asyncio.ensure_future(self._ask(reader, far_writer))
        passed = 0
        try:
            while data := await far_reader.read(65536):
                passed += len(data)
                if passed > self._after and self.left:
                    self.left -= 1
                    writer.write(data[: self._after - passed])
                    await asyncio.sleep(0.05)
                    writer.transport.abort()
                    break
                writer.write(data)
                await writer.drain()
        finally:
            asking.cancel()
            for each in (writer, far_writer):
                each.close()
                with contextlib.suppress(OSError):
                    await each.wait_closed()

    async def _ask(self, reader: StreamReader, far: StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                self.requests.append(data)
                far.write(data)
                await far.drain()


@asynccontextmanager
async def cutting(server: Server, after: int, times: int) -> AsyncIterator[tuple[int, Cut]]:
    cut = Cut(server.port, after, times)
    listening = await asyncio.start_server(cut.serve, "127.0.0.1", 0)
    yield listening.sockets[0].getsockname()[1], cut
    listening.close()
    for task in cut.tasks:
        task.cancel()
    await asyncio.gather(*cut.tasks, return_exceptions=True)


def chat(id_: str, text: str) -> dict[str, Any]:
    return {"id": id_, "messages": [{"id": "1", "role": "user", "parts": [part(text)]}]}


def part(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


async def test_use_chat_gets_the_whole_answer_after_a_reload(server: Server) -> None:
    id_, api = new_key(), f"{server.url}/kept/chat"
    report = await run("use_chat", api=api, hook="useChat", id=id_, text="Hi", leaveAt="w9 ")
    [message] = report["messages"]
    assert message["role"] == "assistant"
    assert [each["text"] for each in message["parts"] if each["type"] == "text"] == [COUNTED]
    assert report["statuses"][-1] == "ready"
    assert "error" not in report
    assert httpx.get(f"{api}/{id_}/stream").status_code == 204


async def test_a_chat_is_stopped_by_its_own_name(server: Server, notes: Notes) -> None:
    id_, key, api = new_key(), new_key(), f"{server.url}/kept/chat"
    async with await Connection.post(server.port, "/kept/chat", chat(id_, key)) as page:
        await page.read_until(b"w3 ")
        assert httpx.post(f"{api}/{id_}/stream").status_code == 202
        await page.read_until(b'"abort"')
        await until(lambda: notes.of(key, "cancel"), 5)


@pytest.mark.parametrize("module", ["@langchain/langgraph-sdk", "@langchain/langgraph-sdk-1"])
async def test_the_langgraph_client_reconnects_by_itself(server: Server, module: str) -> None:
    async with cutting(server, 8000, 2) as (port, cut):
        report = await run(
            "langgraph",
            module=module,
            how="stream",
            apiUrl=f"http://127.0.0.1:{port}/kept/graph",
            assistant="counting",
            streamMode="messages-tuple",
            content="Hi",
        )
    assert "thrown" not in report
    messages = [each["data"][0] for each in report["events"] if each["event"] == "messages"]
    assert "".join(m["content"] for m in messages if m["type"] == "AIMessageChunk") == COUNTED
    assert cut.left == 0
    assert sum(b"last-event-id" in request.lower() for request in cut.requests) >= 2


async def test_the_python_langgraph_client_reconnects_and_cancels(
    server: Server, notes: Notes
) -> None:
    async with cutting(server, 8000, 2) as (port, cut):
        client = get_client(url=f"http://127.0.0.1:{port}/kept/graph")
        value: Any = {"messages": [{"role": "user", "content": "Hi"}]}
        messages = [
            event.data[0]
            async for event in client.runs.stream(
                None, "counting", input=value, stream_mode="messages-tuple"
            )
            if event.event == "messages"
        ]
        await client.aclose()
    assert "".join(m["content"] for m in messages if m["type"] == "AIMessageChunk") == COUNTED
    assert cut.left == 0


DRIVER = """
import {{ chromium }} from "{playwright}";
const browser = await chromium.launch({{ executablePath: "/usr/bin/chromium", args: {flags} }});
const page = await browser.newPage();
await page.goto("{first}/");
const report = {{}};
const saying = (word) => page.waitForFunction(
  (word) => text.textContent.includes(word), word, {{ timeout: 20000 }},
);
await saying("t5 ");
await page.reload();
await saying("t10 ");
report.run = await page.evaluate(() => sessionStorage.getItem("run"));
await page.reload();
await saying("|");
report.text = await page.textContent("#text");
// It comes back after the end, and is told to rest.
await page.waitForFunction(() => document.title === "closed", null, {{ timeout: 20000 }});
console.log(JSON.stringify(report));
await browser.close();
"""


async def test_a_page_with_an_event_source_is_loaded_again_in_mid_answer(
    redis: RedisServer, tmp_path: Path, playwright: Path
) -> None:
    with servers(1, redis.url, tmp_path) as [one]:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        script = tmp_path / "reload.mjs"
        text = DRIVER.format(first=one.url, flags=json.dumps(flags), playwright=playwright)
        script.write_text(text)
        done = await asyncio.to_thread(
            lambda: subprocess.run(["node", script], capture_output=True, timeout=90)
        )
        assert done.returncode == 0, done.stderr.decode()
        report = json.loads(done.stdout)
        assert report["text"] == "".join(f"t{n} " for n in range(40)) + "|"
        notes = Notes(tmp_path / "notes")
        assert len(notes.of("page", "start")) == 1
        assert one.log().count("POST") == 0
