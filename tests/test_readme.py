"""Every block of the README works when it is pasted."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from asgi_stream import Limits, errors, limits
from asgi_stream.errors import StreamError
from asgi_stream.routes import OPTIONS

from .asgi import post, tokens
from .models import Recorder, Scripted, chain_of
from .servers import HERE, free_port, serving

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
    }
    apps = []
    for block in blocks("python"):
        exec(block, names)
        apps.append(names["app"])
    table, mounted, middleware, _ = apps
    for app, path in ((table, "/chat"), (mounted, "/ai/chat"), (middleware, "/ai/more")):
        assert tokens((await post(app, path, {"question": "Hi?"})).body) == ["Hel", "lo"]
    assert len(blocks("python")) == 4


def test_the_commands_work(tmp_path: Path) -> None:
    setup, run, curl = blocks("sh")
    for line in setup.splitlines():
        assert (HERE.parent / line.split("#")[0].strip()).stat().st_mode & 0o100
    assert run == "uvicorn mybot:app\n"
    with serving("tests.hosts:fastapi", tmp_path, env={"PROBE_LOG": "unused"}) as server:
        command = curl.replace("localhost:8000/ai/chat", f"127.0.0.1:{server.port}/ai/hello")
        answer = subprocess.run(shlex.split(command), capture_output=True, timeout=20, check=True)
    assert answer.stdout.decode() == blocks("")[0]


def test_the_nginx_block_is_accepted_by_nginx(tmp_path: Path) -> None:
    [location] = blocks("nginx")
    config = tmp_path / "nginx.conf"
    server = f"server {{ listen 127.0.0.1:{free_port()}; {location} }}"
    config.write_text(f"pid {tmp_path}/pid; events {{ }} http {{ access_log off; {server} }}")
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    subprocess.run([nginx, "-t", "-e", "stderr", "-c", config], check=True, capture_output=True)


def test_every_block_is_tested() -> None:
    assert sorted({kind for kind, _ in BLOCKS}) == ["", "nginx", "python", "sh"]


def rows(title: str) -> list[list[str]]:
    section = README.split(f"\n## {title}\n")[1].split("\n## ")[0]
    table = re.findall(r"^\| `.*$", section, re.MULTILINE)
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in table]


def test_the_table_of_options_is_complete() -> None:
    assert [row[0] for row in rows("What a route takes")] == ["path", "runnable", *OPTIONS]


def test_the_table_of_limits_has_the_defaults() -> None:
    for name, default, *_ in rows("Limits"):
        value = getattr(Limits(), name)
        shown = default.replace(",", "")
        assert (None if shown == "None" else float(shown)) == value, name
    assert [row[0] for row in rows("Limits")] == [*limits.Limits.__dataclass_fields__]


def test_the_table_of_errors_has_every_code_and_status() -> None:
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, StreamError)]
    told = {
        (code, status) for code, statuses, _ in rows("Errors") for status in statuses.split(", ")
    }
    assert told - {("refused", "as raised")} == {(kind.code, str(kind.status)) for kind in kinds}
