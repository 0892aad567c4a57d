"""The command, in this process and as a user starts it."""

from __future__ import annotations

import gc
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result
from openapi_spec_validator import validate

from asgi_stream import StreamApp, __main__
from asgi_stream.cli import call as calls
from asgi_stream.cli import commands as cli
from asgi_stream.cli import serve as serving
from asgi_stream.cli import versions
from asgi_stream.cli.pieces import Piece, Pieces
from asgi_stream.cli.printer import _harmless
from asgi_stream.formats import Frame, load, recognize
from asgi_stream.formats._decoded import plain_events
from asgi_stream.testing import request

from ..asgi import get
from ..client.conftest import notes, served, server
from ..clients import Notes, new_key
from ..servers import Server, free_port, stop

__all__ = ["notes", "served", "server"]  # fixtures

SIMPLE = Path(__file__).parent / "simple"
"""The files of a project with two routes."""
COMMAND = [sys.executable, "-m", "asgi_stream"]
ASK = '{"question": "Hi"}'
GAP = {"gap": {"first": 1, "last": 2}}
ROUTE = '[[route]]\npath="/x"\nrunnable="tests.config.test_loader:chain"\n'


def invoke(*args: str, **kwargs: Any) -> Result:
    return CliRunner().invoke(cli.main, args, **kwargs)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mine").mkdir()
    for file in SIMPLE.glob("*.txt"):
        (tmp_path / "mine" / file.stem).write_text(file.read_text())
    monkeypatch.chdir(tmp_path / "mine")
    monkeypatch.delitem(sys.modules, "bot", raising=False)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path / "mine"


def test_check_counts_the_routes(project: Path) -> None:
    done = invoke("check")
    assert done.exit_code == 0, done.output
    assert "POST    /chat                tokens  chat" in done.stdout
    assert "DELETE  /chat/runs/{run_id}  tokens  chat" in done.stdout
    assert "2 routes, no problems." in done.stderr
    (project / "asgi_stream.toml").write_text('[[route]]\npath = "/one"\nrunnable = "bot:chat"\n')
    assert "1 route, no problems." in invoke("check").stderr


def test_check_shows_warnings(project: Path) -> None:
    remembering = """
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
graph = StateGraph(MessagesState).add_node("a", lambda _: {}).add_edge(START, "a")
chat = graph.compile(checkpointer=InMemorySaver())
"""
    (project / "remembering.py").write_text(remembering)
    table = '[[route]]\npath = "/one"\nrunnable = "remembering:chat"\n'
    (project / "asgi_stream.toml").write_text(table)
    done = invoke("check")
    assert done.exit_code == 0
    assert "warning: route '/one': " in done.stderr
    assert "1 route, 1 warning." in done.stderr


def test_check_tells_every_mistake_and_exits_with_2(tmp_path: Path) -> None:
    table = tmp_path / "asgi_stream.toml"
    table.write_text(f"[app]\nx=1\n{ROUTE}limits={{run=-1}}\nfomat='x'\n")
    done = invoke("check", str(table))
    assert done.exit_code == 2
    assert [line.rpartition(": ")[0].partition(": ")[2] for line in done.stderr.splitlines()] == [
        "app.x",
        "route '/x': fomat",
    ]


def test_check_builds_the_app_too(tmp_path: Path) -> None:
    table = tmp_path / "asgi_stream.toml"
    table.write_text(f"[app]\nplayground=true\n{ROUTE}methods=['GET']".replace("/x", "/{name}"))
    done = invoke("check", str(table))
    assert done.exit_code == 2
    assert f"{table}: playground: the table already has a route at '/playground'" in done.stderr


def test_a_module_that_ends_itself_is_a_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "ends_itself.py").write_text("import sys\nsys.exit(0)\n")
    table = tmp_path / "asgi_stream.toml"
    table.write_text('[[route]]\npath="/x"\nrunnable="ends_itself:chain"\n')
    done = invoke("check", str(table))
    assert done.exit_code == 2
    assert "cannot import the module 'ends_itself' (SystemExit: 0)" in done.stderr


@pytest.mark.parametrize(
    ("table", "command"),
    [("main.py", "main:app"), ("main:chat", "main:chat"), ("main.py:chat", "main:chat")],
)
def test_a_python_module_is_no_table(table: str, command: str) -> None:
    done = invoke("serve", table)
    assert done.exit_code == 1
    assert f"{table}: expected a route table in TOML" in done.stderr
    assert f"`uvicorn {command}`" in done.stderr


def test_without_a_table_it_says_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = invoke("serve")
    assert done.exit_code == 1
    assert "`asgi-stream new FOLDER` creates one" in done.stderr
    done = invoke("check", "nothing.toml")
    assert "the file nothing.toml does not exist" in done.stderr


def test_routes_and_their_openapi(project: Path) -> None:
    assert "useChat" in invoke("routes", "asgi_stream.toml").stdout
    validate(json.loads(invoke("routes", "--json").stdout))


def test_schema_prints_what_is_shipped() -> None:
    assert json.loads(invoke("schema").stdout) == json.loads(cli.SCHEMA.read_text())


def test_serve_starts_uvicorn_as_streams_need_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {}
    for name in (
        serving.TABLE,
        serving.HOSTS,
        serving.STATIC,
    ):  # what the command sets is gone after the test
        monkeypatch.setenv(name, "")

    def run(app: str, **options: Any) -> None:
        settings.update(options, app=app)
        held = socket.socket(fileno=os.dup(options["fd"]))
        with held:
            assert held.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert held.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 60_000

    monkeypatch.setattr("uvicorn.run", run)
    monkeypatch.delenv(serving.TABLE, raising=False)
    done = invoke("serve", "--port", "0", "--workers", "2")
    assert done.exit_code == 2
    assert "--workers 2: the runs of /chat are stored in the memory of one worker" in done.stderr
    without_resume(project)
    done = invoke("serve", "--port", "0", "--workers", "2", "--root-path", "/ai")
    assert done.exit_code == 0, done.output
    assert re.search(
        r"  vercel      http://127\.0\.0\.1:\d+/useChat  \(.*: /ai/useChat\)", done.stderr
    )
    assert settings["timeout_graceful_shutdown"] > 2
    assert os.environ[serving.STATIC] == ""
    (project / "web").mkdir()
    assert "page" not in invoke("serve", "--port", "0", "--workers", "2", "--static", "web").stderr
    (project / "web/index.html").touch()
    done = invoke("serve", "--port=0", "--workers=2", "--root-path=/ai", "--static=web")
    assert re.search(r"  page        http://127\.0\.0\.1:\d+/  \(.*: /ai/\)\n", done.stderr)
    assert os.environ[serving.STATIC] == str(project / "web")
    assert (settings["workers"], settings["root_path"], settings["factory"]) == (2, "/ai", True)
    assert os.environ[serving.TABLE] == str(project / "asgi_stream.toml")
    assert os.environ[serving.HOSTS] == "*"
    table = project / "asgi_stream.toml"
    table.write_text(table.read_text().replace("playground = true", ""))
    assert "playground" not in invoke("serve", "--port", "0", "--host", "0.0.0.0").stderr
    table.write_text(table.read_text().replace("[app]", "[app]\nplayground = true"))
    done = invoke("serve", "--port", "0", "--reload", "--host", "::1")
    assert re.search(r"  playground  http://\[::1\]:\d+/playground\n", done.stderr)
    assert settings["reload_dirs"] == [str(project)]
    assert os.environ[serving.HOSTS] == "localhost 127.0.0.1 [::1] ::1"
    assert invoke("serve", "--reload", "--workers", "2").exit_code == 2


def test_serve_says_that_a_port_is_taken(project: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = invoke("serve", "--port", str(taken.getsockname()[1]))
    assert done.exit_code == 1
    assert "cannot listen on 127.0.0.1:" in done.stderr


HOST_LISTS: list[tuple[str | None, str, list[bool]]] = [
    (None, "", [True, True, True]),
    ("localhost [::1] box.example", "", [True, True, False]),
    ("localhost", "allowed_hosts=['dev.example']", [False, False, True]),
    ("localhost", "allowed_hosts=['*']", [True, True, True]),
]


@pytest.mark.anyio
@pytest.mark.parametrize(("environment", "listed", "served"), HOST_LISTS)
async def test_the_table_s_own_hosts_go_before_those_of_the_command(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    environment: str | None,
    listed: str,
    served: list[bool],
) -> None:
    table = project / "asgi_stream.toml"
    table.write_text(table.read_text().replace("playground = true", f"playground = true\n{listed}"))
    monkeypatch.setenv(serving.TABLE, str(table))
    if environment is not None:
        monkeypatch.setenv(serving.HOSTS, environment)
    with app_served() as app:
        hosts = ("localhost:1", "[::1]:1", "dev.example")
        answers = [await get(app, "/playground", headers={"host": host}) for host in hosts]
    assert [answer.status == 200 for answer in answers] == served


@contextmanager
def app_served() -> Iterator[StreamApp]:
    before, threshold = signal.getsignal(signal.SIGUSR1), gc.get_threshold()
    try:
        app = serving.served()
        assert isinstance(app, StreamApp)
        yield app
    finally:
        signal.signal(signal.SIGUSR1, before)
        gc.unfreeze()
        gc.set_threshold(*threshold)


def test_the_app_that_is_served(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(serving.TABLE, str(project / "asgi_stream.toml"))
    with app_served() as app:
        assert gc.get_threshold()[0] == 50_000
        os.kill(os.getpid(), signal.SIGUSR1)
        assert app._loops.draining
        assert app.serves({"type": "http", "method": "GET", "path": "/ready"})
        assert not app.serves({"type": "http", "method": "GET", "path": "/nothing"})


@pytest.mark.anyio
async def test_files_are_served_where_no_route_is(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "web").mkdir()
    (project / "web/index.html").write_text("The page")
    (project / "web/health").write_text("not this")
    monkeypatch.setattr(serving, "show_log", lambda: None)
    monkeypatch.syspath_prepend(project)
    app: Any = serving.with_files(StreamApp.from_toml("asgi_stream.toml"), project / "web")
    assert (await get(app, "/")).body == b"The page"
    assert (await get(app, "/index.html")).status == 200
    assert (await get(app, "/health")).body == b'{"status":"ok"}'
    assert (await get(app, "/nothing")).status == 404
    assert (await get(app, "/../bot.py")).status == 404
    unknown = await request(app, "POST", "/nothing")
    assert b"There is no route at /nothing. Similar routes: " in unknown.body
    monkeypatch.setenv(serving.TABLE, "asgi_stream.toml")
    monkeypatch.setenv(serving.STATIC, "web")
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    threshold = gc.get_threshold()
    try:
        assert (await get(serving.served(), "/")).body == b"The page"
    finally:
        gc.unfreeze()
        gc.set_threshold(*threshold)


def test_a_supervisor_passes_the_signal_on() -> None:
    received: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: received.append(number))
    try:
        worker = SimpleNamespace(process=SimpleNamespace(pid=os.getpid()))
        serving._pass_on(SimpleNamespace(processes=[worker, worker]))  # type: ignore[arg-type]
        deadline = time.monotonic() + 5
        while not received:
            assert time.monotonic() < deadline
    finally:
        signal.signal(signal.SIGUSR1, before)


@contextmanager
def serving_table(
    folder: Path, *options: str, command: Sequence[str] = COMMAND
) -> Iterator[Server]:
    """The folder's table, served by the command."""
    port = free_port()
    log = folder / "serve.log"
    with log.open("wb") as out:
        serve = [*command, "serve", f"--port={port}", *options]
        process = subprocess.Popen(serve, cwd=folder, stdout=out, stderr=out)
    server = Server(process, port, log)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                httpx.get(f"{server.url}/health", timeout=5)
                break
            except httpx.TransportError:
                assert time.monotonic() < deadline, server.log()
                time.sleep(0.05)
        yield server
    finally:
        stop(process)


WITH_THREADS = """
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

def graph_with(saver):
    graph = StateGraph(MessagesState).add_node("n", lambda state: {}).add_edge(START, "n")
    return graph.compile(saver)

class SharedSaver(InMemorySaver):
    pass

local, shared = graph_with(InMemorySaver()), graph_with(SharedSaver())

async def chosen(request):
    return shared
"""


def test_several_workers_are_refused_what_is_in_the_memory_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("uvicorn.run", lambda *_, **__: None)
    for name in (serving.TABLE, serving.HOSTS, serving.STATIC):
        monkeypatch.setenv(name, "")  # what the command sets is gone after the test
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "kept.py").write_text(WITH_THREADS)
    monkeypatch.delitem(sys.modules, "kept", raising=False)
    table = tmp_path / "asgi_stream.toml"
    redis = '{ store = "redis://127.0.0.1:1" }'

    def refusal(*routes: tuple[str, str], workers: int = 2) -> str:
        lines = (
            f'[[route]]\npath = "/{n}"\nrunnable = "kept:{graph}"\nthreads = {threads}\n'
            for n, (graph, threads) in enumerate(routes)
        )
        table.write_text("".join(lines))
        done = invoke("serve", str(table), "--port", "0", "--workers", str(workers))
        assert done.exit_code == (2 if "--workers" in done.stderr else 0), done.output
        return " ".join(done.stderr.split())

    local = refusal(("local", "true"), ("shared", redis), ("shared", "true"))
    assert "claims of the threads of /0, /2 are stored in the memory of one worker" in local
    assert "the threads of /0 are stored in the memory of one worker" in local
    assert "runs" not in local.partition("--workers")[2]
    assert "--workers" not in refusal(("shared", redis), ("chosen", redis))
    assert "--workers" not in refusal(("local", "true"), workers=1)


def without_resume(project: Path) -> None:
    table = project / "asgi_stream.toml"
    table.write_text(table.read_text().replace("resume = true", "resume = false"))


LINE = re.compile(r"^INFO: +run \S+ of /chat: done after \d\.\d{3} s$", re.MULTILINE)


@pytest.mark.parametrize("options", [(), ("--workers", "2"), ("--reload",)])
def test_a_served_project_shows_its_runs_in_the_log(project: Path, options: Any) -> None:
    without_resume(project)
    with serving_table(project, *options) as server:
        answer = httpx.post(f"{server.url}/chat", json={"question": "Hi"}, timeout=30)
        assert answer.status_code == 200
        deadline = time.monotonic() + 10
        while not (lines := LINE.findall(server.log())):
            assert time.monotonic() < deadline, server.log()
            time.sleep(0.02)
        assert len(lines) == 1
        assert answer.headers["x-run-id"] in lines[0]
        assert '"POST /chat HTTP/1.1" 200' in server.log()


BASIC = "logging.basicConfig(level=%s, format='mine %%(levelname)s %%(message)s')"
OWN = "logging.getLogger('asgi_stream').setLevel('ERROR')"


@pytest.mark.parametrize(
    ("setup", "shown"),
    [
        (BASIC % "'INFO'", "mine INFO run "),
        (BASIC % "'WARNING'", ""),
        (OWN, ""),
        (OWN + "; " + BASIC % "'INFO'", ""),
    ],
)
def test_a_table_s_own_logging_goes_before_the_command_s(
    project: Path, setup: str, shown: str
) -> None:
    without_resume(project)
    bot = project / "bot.py"
    bot.write_text(f"{bot.read_text()}\nimport logging\n{setup}\n")
    with serving_table(project) as server:
        for _ in range(2):
            httpx.post(f"{server.url}/chat", json={"question": "Hi"}, timeout=30)
    assert len(re.findall(r"\brun \S+ of /chat: done", server.log())) == (2 if shown else 0)
    assert shown in server.log()


@pytest.mark.parametrize("chosen", [logging.NOTSET, logging.DEBUG])
def test_a_log_that_is_set_up_later_goes_before_the_command_s(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, chosen: int
) -> None:
    root, log = logging.getLogger(), logging.getLogger("asgi_stream")
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(log, "handlers", [])
    level = log.level
    try:
        log.setLevel(chosen)
        serving.show_log()
        serving.show_log()
        assert log.level == (chosen or logging.INFO)
        log.info("one")
        root.addHandler(logging.NullHandler())
        log.info("two")
        assert len(log.handlers) == 1
    finally:
        log.setLevel(level)
    assert re.fullmatch(r"INFO: +one\n", capsys.readouterr().err)


@pytest.mark.parametrize("options", [(), ("--workers", "2")])
def test_a_served_project_streams_drains_and_stops(project: Path, options: Any) -> None:
    without_resume(project)
    with serving_table(project, *options) as server:
        with httpx.stream("POST", f"{server.url}/chat", json={"question": "Hi"}) as answer:
            assert answer.status_code == 200
            parts = answer.iter_raw()
            next(parts)
            server.terminate()
            rest = b"".join(parts)
        assert b'"code":"shutdown"' in rest
        assert rest.endswith(b"data: [DONE]\n\n")
        server.process.wait(timeout=15)
        assert "Traceback" not in server.log()


@pytest.mark.parametrize("options", [(), ("--workers", "2")])
def test_a_served_project_begins_no_run_once_it_drains(project: Path, options: Any) -> None:
    without_resume(project)
    with serving_table(project, *options) as server:
        assert httpx.get(f"{server.url}/ready").status_code == 200
        server.process.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + 10
        refusals = 0  # by whichever of the workers it is
        while refusals < 10:
            assert time.monotonic() < deadline
            refusals = refusals + 1 if httpx.get(f"{server.url}/ready").status_code == 503 else 0
            time.sleep(0.01)
        answer = httpx.post(f"{server.url}/chat", json={"question": "Hi"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "shutdown")


def test_a_served_project_starts_anew_when_a_file_changes(project: Path) -> None:
    with serving_table(project, "--reload") as server:
        server.process.send_signal(signal.SIGUSR1)  # which is for the child
        ask = {"question": "Hi"}
        assert httpx.post(f"{server.url}/chat", json=ask, timeout=30).status_code == 200
        assert httpx.get(f"{server.url}/playground").status_code == 200
        rebound = {"host": f"evil.example:{server.port}"}
        assert httpx.get(f"{server.url}/playground", headers=rebound).status_code == 403
        text = (project / "bot.py").read_text().replace("Hello!", "Changed!")
        (project / "bot.py").write_text(text)
        deadline = time.monotonic() + 30
        while True:
            try:
                accept = {"accept": "application/json"}
                answer = httpx.post(f"{server.url}/chat", json=ask, timeout=30, headers=accept)
                if answer.json().get("output", "").startswith("Changed!"):
                    break
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline, server.log()
            time.sleep(0.2)


# Calling.


@pytest.mark.parametrize(
    ("path", "body", "out", "err"),
    [
        ("tokens", {"question": "Hi"}, "Hello", ", tokens, first output after"),
        ("text", {"question": "Hi"}, "Hello", ", text,"),
        ("messages", {"question": "Hi"}, "Hello", ", chunks,"),
        ("plain", "x", "", '· {"got": "x"'),
        ("chain", {"question": "Hi"}, "Hello", ", events,"),
        ("agent", {"messages": [["human", "Hi"]]}, "Done.", "→ add("),
        ("everything", "Hi", "Hello", "← It rains in Paris."),
        ("everything", "Hi", "Hello", "✗ broken failed"),
        ("everything", "Hi", "Hello", "← Finds: 1 document"),
        ("everything", "Hi", "Hello", '· progress: {"percent": 10}'),
        ("langserve/stream", {"input": {"question": "Hi"}}, "Hello", ", langserve,"),
        ("langserve/stream_events", {"input": {"question": "Hi"}}, "Hello", ", langserve,"),
        ("vercel", {"prompt": "Hi"}, "Hello", ", vercel,"),
        (
            "openai/chat/completions",
            {"model": "openai", "stream": True, "messages": [{"role": "user", "content": "Hi"}]},
            "Hello",
            ", openai,",
        ),
        (
            "agui",
            {"threadId": "t", "runId": "r", "messages": [{"role": "user", "content": "Hi"}]},
            "Hello",
            ", agui,",
        ),
        ("langgraph", {"input": {"messages": [["human", "Hi"]]}}, "Hello", "· model"),
    ],
)
def test_call_shows_any_format(server: Server, path: str, body: Any, out: str, err: str) -> None:
    done = invoke("call", f"{server.url}/{path}", "--input", json.dumps(body))
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == out
    assert err in done.stderr


def test_call_shows_frames_as_they_are(server: Server) -> None:
    body = '{"question": "Hi"}'
    done = invoke("call", f"{server.url}/tokens", "--raw", "--input", body)
    first, _, rest = done.stdout.partition("\n")
    assert re.fullmatch("id: [0-9a-f-]{36}", first)
    assert rest == 'data: {"token": "Hel"}\n\ndata: {"token": "lo"}\n\ndata: [DONE]\n\n'
    assert done.stderr == ""
    done = invoke(
        "call", f"{server.url}/langserve/stream", "--raw", "--input", f'{{"input": {body}}}'
    )
    assert "event: data\ndata: " in done.stdout
    assert done.stdout.endswith("event: end\n\n")
    done = invoke("call", f"{server.url}/text", "--raw", "--input", body)
    assert done.stdout == "Hello"


def test_call_sends_headers_and_a_query_and_reads_stdin(server: Server) -> None:
    body = '{"question": "Hi"}'
    done = invoke("call", f"{server.url}/mine", "--input", body)
    assert done.exit_code == 1
    assert "✗ Who are you? (unknown_user, error id " in done.stderr
    done = invoke(
        "call", f"{server.url}/mine", "-H", "Authorization: Bearer ann", "--input", "-", input=body
    )
    assert (done.exit_code, done.stdout) == (0, "Hello\n")
    done = invoke("call", f"{server.url}/warm", "-p", "temperature=0.5")
    assert '"temperature": "0.5"' in done.stderr


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["/fails"], 1, "✗ The run failed. (run_failed, error id "),
        (["/late", "--input", '{"question": "Hi"}'], 1, "✗ The run failed. (run_failed, error id "),
        (
            ["/late/text", "--input", '{"question": "Hi"}'],
            1,
            "✗ The connection was lost before the end of the stream.",
        ),
        (["/tokens"], 1, "question: Field required"),
        (["/vercel"], 1, "The server answered 422"),
        (["/tokens", "--input", "{"], 2, "invalid JSON"),
        (["[::1/x"], 2, "expected http://..., not "),
        (["/tokens", "-H", "x"], 2, "expected name:value, not 'x'"),
        (["/tokens", "-p", "x"], 2, "expected name=value, not 'x'"),
    ],
)
def test_call_tells_what_went_wrong(
    server: Server, args: list[str], code: int, message: str
) -> None:
    path, *rest = args
    done = invoke("call", f"{server.url}{path}", *rest)
    assert done.exit_code == code
    assert message in done.stderr


def test_call_shows_what_does_not_stream(server: Server) -> None:
    body = {"model": "openai", "messages": [{"role": "user", "content": "Hi"}]}
    url = f"{server.url}/openai/chat/completions"
    done = invoke("call", url, "--input", json.dumps(body))
    assert (done.exit_code, done.stdout.strip()) == (0, "Hello")
    words = "word " * 100_000
    limited = json.dumps({"input": {"question": words}})
    done = invoke("call", f"{server.url}/langserve/invoke", "--input", limited)
    assert done.exit_code == 0
    assert '"output": "Hello"' in done.stderr
    assert seen(None, Frame("", "<h1>Hi</h1>")) == [Piece("note", "<h1>Hi</h1>")]


def test_a_terminal_is_not_told_what_to_do() -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    evil = "a\x1b]0;pwned\x07\x1b[2J\tb\n"
    assert _harmless(evil, Terminal()) == "a\ufffd]0;pwned\ufffd\ufffd[2J\tb\n"
    assert _harmless(evil, StringIO()) == evil


def test_call_of_no_server() -> None:
    done = invoke("call", "http://127.0.0.1:9/x")
    assert done.exit_code == 1
    assert "http://127.0.0.1:9/x: " in done.stderr


def test_call_is_stopped_by_ctrl_c_and_the_run_with_it(server: Server, notes: Notes) -> None:
    key = new_key()
    command = [*COMMAND, "call", f"{server.url}/kept", "--input", json.dumps(key)]
    # Where tests run in the background Ctrl-C is ignored, and so it would be by what they start.
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    finally:
        signal.signal(signal.SIGINT, before)
    assert process.stdout is not None
    assert process.stdout.read(2) == b"w0"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"[stopped" in err
    assert b"Traceback" not in err
    deadline = time.monotonic() + 5
    while not notes.of(key, "cancel"):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_ctrl_c_in_this_process(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    async def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(calls, "_follow", interrupted)
    done = invoke("call", f"{server.url}/tokens")
    assert done.exit_code == 130
    assert "[stopped, 0.0" in done.stderr


def test_what_nobody_expects_is_not_hidden(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    async def breaks(*_: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(calls, "_follow", breaks)
    done = invoke("call", f"{server.url}/tokens")
    assert isinstance(done.exception, RuntimeError)


# What is shown of a frame.


def seen(format: str | None, *frames: Frame) -> list[Piece]:
    pieces = Pieces()
    decode = load(format)().decode if format else plain_events
    return [piece for frame in frames for event in decode(frame) for piece in pieces.of(event)]


def frame(value: Any, event: str = "") -> Frame:
    return Frame(event, json.dumps(value))


def langchain(name: str, **data: Any) -> dict[str, Any]:
    return {"event": name, "name": "t", "run_id": "r", "parent_ids": [], "data": data}


def ai(content: Any, **more: Any) -> dict[str, Any]:
    return {"type": "ai", "content": content, **more}


CALL = {"toolCallId": "c", "toolName": "t"}
TOOL = {"toolCallId": "c", "toolCallName": "t"}
SHOWN: list[tuple[str | None, Any, str, tuple[str, str]]] = [
    ("tokens", {"gap": {"first": 1, "last": 2}}, "", ("note", 'gap: {"first": 1, "last": 2}')),
    ("tokens", {"x": 1}, "", ("note", '{"x": 1}')),
    ("vercel", {"type": "reasoning-delta", "id": "1", "delta": "hm"}, "", ("reasoning", "hm")),
    ("vercel", {"type": "tool-output-error", **CALL, "errorText": "no"}, "", ("failure", "no")),
    ("vercel", {"type": "error", "errorText": "no"}, "", ("error", "no")),
    ("vercel", {"type": "error", "errorText": "no (error id i)"}, "", ("error", "no (error id i)")),
    ("vercel", {"type": "abort"}, "", ("error", "The run was stopped. (cancelled)")),
    ("vercel", {"type": "data-x", "data": 1}, "", ("note", "x: 1")),
    (
        "vercel",
        {"type": "source-url", "sourceId": "1", "url": "u", "title": "T"},
        "",
        ("note", "source: u"),
    ),
    (
        "vercel",
        {"type": "source-document", "sourceId": "1", "title": "T", "mediaType": "text/plain"},
        "",
        ("note", "source: T"),
    ),
    (
        "vercel",
        {"type": "file", "mediaType": "image/png", "url": "https://x/y"},
        "",
        ("note", "file: image/png https://x/y"),
    ),
    (
        "vercel",
        {"type": "finish", "messageMetadata": {"usage": {"inputTokens": 1}}},
        "",
        ("note", 'usage: {"input_tokens": 1}'),
    ),
    (
        "vercel",
        {"type": "tool-input-available", **CALL, "input": {}},
        "",
        ("call", "t({})"),
    ),
    ("vercel", {"type": "tool-output-available", **CALL, "output": 3}, "", ("result", "3")),
    ("openai", {"choices": [{"delta": {"reasoning_content": "hm"}}]}, "", ("reasoning", "hm")),
    (
        "openai",
        {"choices": [], "usage": {"prompt_tokens": 1}},
        "",
        ("note", 'usage: {"input_tokens": 1, "output_tokens": 0, "total_tokens": 0}'),
    ),
    (
        "openai",
        {"error": {"message": "no", "code": "c", "id": "i"}},
        "",
        ("error", "no (c, error id i)"),
    ),
    (
        "agui",
        {"type": "REASONING_MESSAGE_CONTENT", "messageId": "m", "delta": "hm"},
        "",
        ("reasoning", "hm"),
    ),
    ("agui", {"type": "TOOL_CALL_START", **TOOL}, "", ("call", "t ")),
    ("agui", {"type": "TOOL_CALL_RESULT", **TOOL, "content": "r"}, "", ("result", "r")),
    ("agui", {"type": "STEP_STARTED", "stepName": "n"}, "", ("note", "n")),
    ("agui", {"type": "CUSTOM", "name": "n", "value": 1}, "", ("note", "n: 1")),
    ("agui", {"type": "RUN_ERROR", "message": "no", "code": "c"}, "", ("error", "no (c)")),
    ("langgraph", [{"type": "tool", "content": "r"}, {}], "messages", ("result", "r")),
    (
        "langgraph",
        [ai("", tool_calls=[{"name": "t", "args": {}}]), {}],
        "messages|a:b",
        ("call", "t({})"),
    ),
    ("langgraph", {"n": 1, "m": 2}, "updates", ("note", "n, m")),
    ("langgraph", 1, "custom", ("note", "custom: 1")),
    (
        "langgraph",
        {"error": "run_failed", "message": "no", "id": "i"},
        "error",
        ("error", "no (run_failed, error id i)"),
    ),
    (
        "langserve",
        {"status_code": 500, "message": "no", "code": "c", "id": "i"},
        "error",
        ("error", "no (c, error id i)"),
    ),
    ("langserve", "no", "error", ("error", "no")),
    ("chunks", {"type": "AIMessageChunk", "content": "x"}, "", ("text", "x")),
    (None, {"a": 1}, "named", ("note", 'named: {"a": 1}')),
    (None, {"error": {"message": "no"}}, "", ("error", "no")),
    (None, {"message": "no"}, "error", ("error", "no")),
    (None, "x" * 600, "", ("text", "x" * 600)),
    (None, ["x" * 600], "", ("note", '["' + "x" * 497 + "…")),
    (
        "events",
        langchain(
            "on_chat_model_stream", chunk={"content": [{"type": "reasoning", "reasoning": "hm"}]}
        ),
        "",
        ("reasoning", "hm"),
    ),
    ("events", langchain("on_chat_model_stream", chunk={"content": ["a"]}), "", ("text", "a")),
    (
        "events",
        langchain("on_chat_model_stream", chunk={"content": [{"type": "text", "text": "b"}]}),
        "",
        ("text", "b"),
    ),
    ("events", langchain("on_chat_model_end", output={"content": "whole"}), "", ("text", "whole")),
    ("events", langchain("on_tool_end", output={"content": "r"}), "", ("result", "r")),
    ("events", langchain("on_retriever_end"), "", ("result", "t: 0 documents")),
    ("events", langchain("on_retriever_end", output=[{}]), "", ("result", "t: 1 document")),
    ("events", {"event": "on_tool_error", "name": "t"}, "", ("failure", "t failed")),
]


@pytest.mark.parametrize(("format", "value", "event", "wanted"), SHOWN)
def test_what_is_shown_of_a_frame(format: Any, value: Any, event: str, wanted: Any) -> None:
    assert seen(format, frame(value, event)) == [wanted]


def test_what_has_nothing_to_show() -> None:
    assert seen("agui", frame({"type": "RUN_STARTED", "runId": "r"})) == []
    assert seen("vercel", frame({"type": "start"}), Frame("", "[DONE]"), Frame("end", "")) == []
    assert seen("langgraph", frame({}, "metadata"), frame({}, "values")) == []
    assert seen("langserve", frame({}, "metadata"), Frame("", "")) == []
    assert seen(None, Frame("", ""), Frame("end", "")) == []
    assert seen("events", frame(langchain("on_chain_start"))) == []
    blocks = {"content": [{"type": "image"}]}
    assert seen("events", frame(langchain("on_chat_model_stream", chunk=blocks))) == []
    assert seen("events", frame(langchain("on_chat_model_stream", chunk="text"))) == []


def test_a_streamed_message_is_not_shown_again_at_its_end() -> None:
    message = {"content": "a"}
    streamed = frame(langchain("on_chat_model_stream", chunk=message))
    end = frame(langchain("on_chat_model_end", output=message))
    assert seen("events", streamed, end) == [("text", "a")]


def test_a_call_of_a_tool_in_pieces() -> None:
    call: Any = {"id": "c", "function": {"name": "t", "arguments": "{"}}
    more: Any = {"function": {"arguments": "}"}}
    pieces = [frame({"choices": [{"delta": {"tool_calls": [each]}}]}) for each in (call, more)]
    end = frame({"choices": [{"delta": {}, "finish_reason": "tool_calls"}]})
    expected = [("call", "t "), ("arguments", "{"), ("arguments", "}")]
    assert seen("openai", *pieces, end) == expected


def test_concurrent_calls_are_told_apart() -> None:
    def call(type_: str, id_: str, **more: Any) -> Frame:
        return frame({"type": f"TOOL_CALL_{type_}", "toolCallId": id_, **more})

    starts = [call("START", id_, toolCallName=f"t{id_}") for id_ in "ab"]
    pieces = [call("ARGS", id_, delta="{}") for id_ in "ba"]
    assert seen("agui", *starts, *pieces) == [
        ("call", "ta "),
        ("call", "tb "),
        ("arguments", "{}"),
        ("call", "ta "),
        ("arguments", "{}"),
    ]


def test_arguments_that_do_not_grow_are_shown_at_the_end_of_the_call() -> None:
    start = frame({"type": "tool-input-start", **CALL})
    assert seen("vercel", start, frame({"type": "tool-input-available", **CALL, "input": {}})) == [
        ("call", "t "),
        ("arguments", "{}"),
    ]
    error = frame({"type": "tool-input-error", **CALL, "input": "{", "errorText": "no"})
    assert seen("vercel", start, error) == [
        ("call", "t "),
        ("arguments", "{"),
        ("failure", "the arguments of t are not valid JSON"),
    ]


def test_a_state_is_shown_once_if_there_is_no_text() -> None:
    states = [frame({"n": n}, "values") for n in (1, 2)]
    end = Frame("end", "null")
    assert seen("langgraph", *states, end) == [("note", 'state: {"n": 2}')]
    message = frame([ai("Hi"), {}], "messages")
    assert seen("langgraph", message, *states, end) == [("text", "Hi")]


@pytest.mark.parametrize(
    ("format", "frames"),
    [
        ("tokens", [frame({"interrupted": [{"id": "i", "value": "Why?"}]})]),
        ("vercel", [frame({"type": "data-interrupt", "data": {"id": "i", "value": "Why?"}})]),
    ],
)
def test_interrupts_are_shown_at_the_end(format: str, frames: list[Frame]) -> None:
    assert seen(format, *frames, Frame("", "[DONE]")) == [("note", "interrupt i: Why?")]


@pytest.mark.parametrize(
    ("frame", "format"),
    [
        (frame({"token": "x"}), "tokens"),
        (frame({"object": "chat.completion.chunk"}), "openai"),
        (frame({"event": "on_x", "run_id": "r", "data": {}}), "events"),
        (frame({"type": "start"}), "vercel"),
        (frame({"type": "RUN_STARTED"}), "agui"),
        (frame({}, "values"), "langgraph"),
        (frame({"run_id": "r", "attempt": 1}, "metadata"), "langgraph"),
        (frame({}, "data"), "langserve"),
        (frame({}, "metadata"), None),
        (frame("x"), None),
        (frame({"x": 1}), None),
        (Frame("", "{"), None),
    ],
)
def test_a_format_is_recognised(frame: Frame, format: str | None) -> None:
    assert recognize(frame) == format


def test_the_module_is_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["x", "schema"])
    with pytest.raises(SystemExit) as ended:
        __main__.main()
    assert ended.value.code == 0
    done = subprocess.run([*COMMAND, "--version"], capture_output=True, timeout=30, check=True)
    assert b"asgi-stream, version 0." in done.stdout


def test_the_versions_that_a_report_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "PACKAGES", ("starlette", "no-such-package"))
    shown = invoke("--version").stdout
    assert re.search(r"^\w+ 3\.\d+\.\d+\S*, \w+ \w+$", shown, re.MULTILINE)
    assert re.search(r"^starlette \d\S+\nno-such-package is not installed\n$", shown, re.MULTILINE)
    assert cli.main.make_context("x", ["--version"], resilient_parsing=True)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("asgi-stream ca", "call"),
        ("asgi-stream migrate ", "langserve"),
        ("asgi-stream serve --wo", "--workers"),
    ],
)
def test_a_shell_completes_the_command(words: str, expected: str) -> None:
    variables = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    env = {"_ASGI_STREAM_COMPLETE": "bash_complete", **variables}
    done = CliRunner().invoke(cli.main, prog_name="asgi-stream", env=env)
    assert done.stdout == f"plain,{expected}\n"


@pytest.mark.parametrize("name", ["click", "httpx"])
def test_without_the_extra_it_says_so(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    theirs = ("asgi_stream.cli.", "asgi_stream.client")
    for module in [each for each in sys.modules if each.startswith(theirs)]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(SystemExit, match=r'pip install "asgi_stream\[serve\]"'):
        __main__.main()


def test_an_error_of_its_own_is_no_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [each for each in sys.modules if each.startswith("asgi_stream.cli.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "asgi_stream._config.loader", None)
    with pytest.raises(ImportError, match="loader halted"):
        __main__.main()
