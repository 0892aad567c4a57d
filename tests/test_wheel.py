"""As a newcomer has it: the built wheel in an empty environment, away from the checkout."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from .cli.test_commands import serving_table
from .servers import HERE, Server, serving
from .test_readme import code

EXAMPLES = HERE.parent / "examples"
ASK = {"question": "Hi?"}
WEATHER = {"messages": [["human", "What is the weather in Paris?"]]}
CHAT = {"messages": [{"id": "1", "role": "user", "parts": [{"type": "text", "text": "Hi?"}]}]}
AGUI = {"threadId": "t", "runId": "r", "messages": [{"id": "1", "role": "user", "content": "Hi?"}]}
OPENAI = {"model": "script", "stream": True, "messages": [{"role": "user", "content": "Hi?"}]}

MCP = {
    **{"jsonrpc": "2.0", "id": 1, "method": "tools/call"},
    "params": {"name": "answer", "arguments": ASK},
}

REQUESTS: dict[str, tuple[str, Any]] = {
    "01_route_table": ("/chat", ASK),
    "02_fastapi": ("/ai/chat", ASK),
    "03_middleware": ("/ai/chat", ASK),
    "04_events": ("/events", ASK),
    "05_agent": ("/answer", WEATHER),
    "06_per_request": ("/chat", ASK),
    "07_page": ("/ai/chat", ASK),
    "09_vercel": ("/chat", CHAT),
    "10_openai": ("/v1/chat/completions", OPENAI),
    "11_agui": ("/chat", AGUI),
    "12_langgraph": ("/chat", {"input": WEATHER}),
    "13_langserve": ("/chat/stream", {"input": ASK}),
    "14_resume": ("/ai/chat", ASK),
    "15_table": ("/steps", WEATHER),
    "16_playground": ("/ai/chat", ASK),
    "17_client": ("/chat", ASK),
    "18_telemetry": ("/chat", ASK),
    "19_page_tools": ("/chat", {**AGUI, "tools": [{"name": "chosen_city"}]}),
    "20_agent_with_memory": ("/chat", WEATHER),
    "21_approvals": ("/chat", CHAT),
    "22_threads_langgraph": ("/chat/runs/stream", {"assistant_id": "travel", "input": WEATHER}),
    "23_copilotkit": ("/chat", AGUI),
    "24_mcp": ("/mcp", MCP),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the examples and an environment of the wheel, as the documentation says."""
    folder = tmp_path_factory.mktemp("newcomer")
    build: list[Any] = [sys.executable, "-m", "build", "--wheel", "--outdir", folder, HERE.parent]
    subprocess.run(build, check=True, capture_output=True, timeout=300)
    [wheel] = folder.glob("*.whl")
    venv.create(folder / "env", with_pip=True)
    page = (HERE.parent / "docs/pages/examples.md").read_text()
    match = re.search(r'^pip install "asgi_stream(\[[\w,]+\])" ([\w -]+)$', page, re.MULTILINE)
    assert match is not None
    extras, others = match.groups()
    command = ["-m", "pip", "install", "--quiet", f"{wheel}{extras}", *others.split()]
    subprocess.run([folder / "env/bin/python", *command], check=True, timeout=600)
    shutil.copytree(EXAMPLES, folder / "examples", ignore=shutil.ignore_patterns("node_modules"))
    return folder


def run(home: Path, *command: Any, folder: Path | None = None) -> str:
    env = {"PATH": f"{home}/env/bin:{os.environ['PATH']}", "HOME": str(home)}
    done = subprocess.run(command, cwd=folder or home, env=env, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@contextmanager
def started(home: Path, app: str, folder: Path) -> Iterator[Server]:
    with serving(app, folder, python=str(home / "env/bin/python"), home=home) as server:
        yield server


def test_it_is_the_wheel_and_not_the_checkout(home: Path) -> None:
    place = run(home, "python", "-c", "import asgi_stream; print(asgi_stream.__file__)")
    assert place.startswith(str(home))


def test_it_has_the_reader_in_javascript(home: Path) -> None:
    [folder] = home.glob("env/lib/python*/site-packages/asgi_stream/client")
    for name in ("stream.js", "stream.d.ts"):
        shipped = HERE.parent / "asgi_stream" / "client" / name
        assert (folder / name).read_bytes() == shipped.read_bytes()


def test_without_extras_it_streams(tmp_path: Path, home: Path) -> None:
    venv.create(tmp_path / "env", with_pip=True)
    [wheel] = home.glob("*.whl")
    python = tmp_path / "env/bin/python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", wheel], check=True, timeout=300)
    (tmp_path / "app.py").write_text(
        "import sys\nfrom langchain_core.runnables import RunnableLambda\n"
        "from asgi_stream import StreamApp, StreamRoute\n"
        "app = StreamApp([StreamRoute('/x', RunnableLambda(str.upper))], playground=True)\n"
        "assert not {'httpx_sse', 'click', 'redis', 'opentelemetry'} & set(sys.modules)\n"
    )
    subprocess.run([python, "-c", "import app"], check=True, cwd=tmp_path, timeout=60)
    done = subprocess.run([tmp_path / "env/bin/asgi-stream"], capture_output=True, timeout=60)
    assert done.returncode == 1
    assert b'pip install "asgi_stream[serve]"' in done.stderr


def test_the_start_of_the_readme(home: Path, tmp_path: Path) -> None:
    [agent], [curl] = code("python"), [block for block in code("sh") if block.startswith("curl")]
    (home / "bot.py").write_text(agent)
    with started(home, "bot:app", tmp_path) as server:
        command = shlex.split(
            curl.replace("\\\n", "").replace("localhost:8000", f"127.0.0.1:{server.port}")
        )
        answer = run(home, *command)
        assert 'data: {"token": "This "}\n\n' in answer
        assert answer.endswith("data: [DONE]\n\n")
        assert '{"token": "2. "}' in run(home, *command)
        assert httpx.get(f"{server.url}/playground").status_code == 200


def test_the_start_without_code(home: Path, tmp_path: Path) -> None:
    new, *_ = next(block for block in code("sh") if "new" in block).split(" && ")
    run(home, *shlex.split(new), folder=tmp_path)
    project = tmp_path / "mybot"
    assert "no problems" not in run(home, "asgi-stream", "check", folder=project)
    command = [str(home / "env/bin/asgi-stream")]
    with serving_table(project, "--static=web", command=command) as server:
        call = ["asgi-stream", "call", f"{server.url}/chat", "-m", "Hi?"]
        assert run(home, *call, folder=tmp_path).startswith("Hello!")
        for path in ("/playground", "/", "/page.js", "/stream.js"):
            assert httpx.get(f"{server.url}{path}").status_code == 200, path


@pytest.mark.parametrize("name", REQUESTS)
def test_each_example(home: Path, tmp_path: Path, name: str) -> None:
    path, body = REQUESTS[name]
    with started(home, f"examples.{name}:app", tmp_path) as server:
        headers = {"x-user": "ada", "authorization": "Bearer secret-of-ann"}
        answer = httpx.post(f"{server.url}{path}", json=body, headers=headers, timeout=60)
        assert answer.status_code == 200, answer.text
        assert len(answer.text) > 100
        assert "Traceback" not in server.log()


def test_each_example_is_tried() -> None:
    """All but the one that needs a real model, which scripts/real-model brings."""
    names = {path.stem for path in EXAMPLES.glob("[0-9]*.py")}
    assert names - set(REQUESTS) == {"08_real_model"}
