"""The projects that ``asgi-stream new`` writes. Their pages are tested in frontends/."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import httpx
import pytest
import yaml  # type: ignore[import-untyped]
from click.testing import CliRunner, Result

from asgi_stream.cli.commands import main
from asgi_stream.cli.new import PATHS, project_files

from ..redis_server import RedisServer
from .test_commands import COMMAND, serving_table


def invoke(*args: str) -> Result:
    return CliRunner().invoke(main, ["new", *args])


def write(folder: Path, format: str, docker: bool) -> Path:
    done = invoke(str(folder), "--format", format, *(["--docker"] if docker else []))
    assert done.exit_code == 0, done.output
    return folder


def test_new_says_what_it_has_written_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = invoke("mine")
    assert "wrote mine/web/stream.js\n" in done.stdout
    assert done.stdout.endswith("\ncd mine && asgi-stream serve --static web\n\n")
    done = invoke(".", "--format", "vercel")
    build = "(cd page && npm install && npm run build)"
    assert done.stdout.endswith(f"\n{build} && asgi-stream serve --static web\n\n")
    assert invoke("ai", "--format=openai").stdout.endswith("\ncd ai && asgi-stream serve\n\n")


@pytest.mark.parametrize(
    ("folder", "command"), [("my bot", "cd 'my bot' && "), ("-x", "cd ./-x && ")]
)
def test_new_quotes_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert f"\n{command}asgi-stream" in invoke("--", folder).stdout


@pytest.mark.parametrize("folder", ["file/mine", "x" * 300])
def test_new_says_why_it_cannot_write(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").touch()
    done = invoke(str(tmp_path / folder))
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: [Errno ")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_new_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text("mine")
    done = invoke(str(tmp_path))
    assert done.exit_code == 1
    assert "bot.py already exists; nothing was written" in done.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["bot.py"]


@pytest.mark.parametrize("docker", [False, True])
@pytest.mark.parametrize("format", PATHS)
def test_the_files_of_a_project_fit_together(format: str, docker: bool) -> None:
    files = project_files(format, docker)
    assert not [name for name, text in files.items() if re.search("@[a-z]+@", text)]
    assert "docker.md" not in files
    table = tomllib.loads(files["asgi_stream.toml"])
    [route] = table["route"]
    assert (route["path"], route.get("format", "tokens")) == (PATHS[format], format)
    assert ("Dockerfile" in files) == docker
    assert ("docker compose up" in files["README.md"]) == docker
    redis = {"store": {"from_env": "REDIS_URL"}}
    for option in ("threads", "resume"):
        assert route.get(option) in ((redis, None) if docker else (True, None))
    assert f"call http://127.0.0.1:8000{PATHS[format]} -m" in files["README.md"]


@pytest.mark.parametrize(
    ("format", "docker"), [("openai", False), *((format, True) for format in PATHS)]
)
def test_each_project_runs_and_remembers(
    tmp_path: Path, redis: RedisServer, monkeypatch: pytest.MonkeyPatch, format: str, docker: bool
) -> None:
    monkeypatch.setenv("REDIS_URL", f"{redis.url}?prefix=new-{format}")
    folder = write(tmp_path / "mine", format, docker)
    remembers = format != "openai"
    with serving_table(folder, *(["--static=web"] if remembers else [])) as server:
        thread = ["--thread", "mine"] if remembers else []
        for message in ("One", "Two"):
            url = f"{server.url}{PATHS[format]}"
            done = CliRunner().invoke(main, ["call", url, "-m", message, *thread])
            assert done.exit_code == 0, done.output
        first = "number 2, and your first one was: One" if remembers else "your first one was: Two"
        assert first in done.stdout
        assert httpx.get(f"{server.url}/playground").status_code == 200
        if not remembers:
            ask = [sys.executable, "ask.py", "Three"]
            env = {"BOT": url}
            answer = subprocess.run(ask, cwd=folder, env=env, capture_output=True, timeout=60)
            assert b"number 1, and your first one was: Three" in answer.stdout
    assert "Traceback" not in server.log()
    if docker and remembers:
        assert (folder / "threads.db").stat().st_size


# The container, without one.


def dockerfile(format: str) -> list[tuple[str, str]]:
    """The instructions of the last stage, with their arguments on one line."""
    text = project_files(format, docker=True)["Dockerfile"].replace("\\\n", "")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line and line[0] != "#"]
    start = max(n for n, line in enumerate(lines) if line[0] == "FROM")
    return [(name, " ".join(rest.split())) for name, rest in lines[start:]]


@pytest.mark.parametrize("format", PATHS)
def test_the_image_is_small_and_safe(format: str) -> None:
    instructions = dict(dockerfile(format))
    assert re.fullmatch(r"python:3\.\d+-slim", instructions["FROM"])
    assert int(instructions["USER"]) > 0
    names = [name for name, _ in dockerfile(format)]
    assert names.index("RUN") < names.index("USER") < names.index("CMD")
    assert "--no-cache-dir" in instructions["RUN"]
    command = json.loads(instructions["CMD"])  # the exec form: no shell keeps SIGTERM back
    assert command[:4] == ["asgi-stream", "serve", "--host", "0.0.0.0"]
    assert "/health" in instructions["HEALTHCHECK"]


def test_hadolint_has_nothing_to_say(tmp_path: Path) -> None:
    files = [write(tmp_path / each, each, docker=True) / "Dockerfile" for each in PATHS]
    program = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert program, "install the group test of pyproject.toml"
    done = subprocess.run([program, *files], capture_output=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, b"")


def test_what_the_image_runs(
    tmp_path: Path, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its command and its check of health, and a signal to stop, as in a container."""
    monkeypatch.setenv("REDIS_URL", f"{redis.url}?prefix=image")
    monkeypatch.setenv("THREADS", str(tmp_path / "threads.db"))
    folder = write(tmp_path / "mine", "tokens", docker=True)
    instructions = dict(dockerfile("tokens"))
    program, serve, *options = json.loads(instructions["CMD"])
    assert (program, serve) == ("asgi-stream", "serve")
    with serving_table(folder, *options, command=COMMAND) as server:
        _, _, check = instructions["HEALTHCHECK"].partition(" CMD ")
        python, *arguments = json.loads(check)
        assert python == "python"
        at_port = [each.replace(":8000/", f":{server.port}/") for each in arguments]
        subprocess.run([sys.executable, *at_port], check=True, timeout=30)
        body = {"messages": [["human", "Hi"]]}
        with httpx.stream("POST", f"{server.url}/chat", json=body, timeout=30) as answer:
            parts = answer.iter_raw()
            next(parts)
            server.terminate()
            rest = b"".join(parts)
        assert rest.endswith(b"data: [DONE]\n\n")
        assert server.process.wait(timeout=15) in (0, -15)
        failed = subprocess.run([sys.executable, *at_port], capture_output=True, timeout=30)
        assert failed.returncode
    assert (tmp_path / "threads.db").exists()


def test_the_services_of_the_compose_file() -> None:
    services = yaml.safe_load(project_files("vercel", docker=True)["compose.yaml"])["services"]
    assert services["web"]["environment"]["REDIS_URL"] == "redis://redis:6379/0"
    assert services["web"]["depends_on"] == {"redis": {"condition": "service_healthy"}}
    assert services["redis"]["healthcheck"]["test"][0] == "CMD"
    alone = yaml.safe_load(project_files("openai", docker=True)["compose.yaml"])["services"]
    assert {*alone} == {"web"}
    requirements = project_files("vercel", docker=True)["requirements.txt"].split()
    assert requirements[0] == "asgi_stream[serve,langgraph,redis]"
    assert shlex.split(dict(dockerfile("vercel"))["COPY"])[0] == "--from=page"
