"""LangServe apps after ``asgi-stream migrate langserve``, called by LangServe's own client."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from asgi_stream.cli.migrate.rewrite import rewrite
from benchmarks.serving import langserve

from ..servers import Server, serving

HERE = Path(__file__).parent
APPS = HERE.parent / "cli/langserve_apps"
ASK = {"question": "Hi"}
ROOT = """
from starlette.applications import Starlette
from starlette.routing import Mount
import factory, handlers, routes

modules = (factory, handlers, routes)
app = Starlette(routes=[Mount(f"/{each.__name__}", each.app) for each in modules])
"""


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("migrated")
    for source in APPS.glob("*.txt"):
        text = rewrite(source.read_text()).text
        # The client that the app names is in another environment.
        text = text.replace("from langserve import", "from asgi_stream.client import")
        assert "langserve import" not in text
        (folder / source.name.removesuffix(".txt")).write_text(text)
    (folder / "root.py").write_text(ROOT)
    with serving("root:app", folder, home=folder, env={"PYTHONPATH": str(HERE.parents[1])}) as it:
        yield it


def test_the_migrated_apps_answer_the_client_as_before(migrated: Server) -> None:
    cases: dict[str, Any] = {
        "routes/chat": ASK,
        "routes/users/ann/chat": ASK,
        "routes/v1/ai/inline": ASK,
        "routes/v1/ai/narrow": ASK,
        "routes/greet": {"name": "Ann"},
        "routes/letters/a": "x",
        "routes/letters/b": "x",
        "routes/private": ASK,
        "factory": "Hi",
        "factory/lower": "Hi",
        "factory/title": "hi you",
        "handlers/tools/shout": "Hi",
    }
    calls = [(f"{migrated.url}/{path}", value) for path, value in cases.items()]
    command = [str(langserve()), str(HERE / "langserve_calls.py"), json.dumps(calls)]
    done = subprocess.run(command, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    results = dict(zip(cases, json.loads(done.stdout), strict=True))
    outputs = {path: result["invoke"] for path, result in results.items()}
    for path in ("routes/private", "factory/title"):  # the login has to be written
        assert outputs.pop(path).startswith("HTTPStatusError: Client error '403")
    assert outputs == {
        "routes/chat": "Hello",
        "routes/users/ann/chat": "For ann",
        "routes/v1/ai/inline": "Hello",
        "routes/v1/ai/narrow": "Hello",
        "routes/greet": "Dear Ann",
        "routes/letters/a": "ax",
        "routes/letters/b": "bx",
        "factory": "HI",
        "factory/lower": "hi",
        "handlers/tools/shout": "HI",
    }
    for path, output in outputs.items():
        assert "".join(results[path]["stream"]) == output, path
    assert results["routes/chat"]["batch"] == ["Hello", "Hello"]
    assert {*results["routes/v1/ai/narrow"]["events"]} == {"StrOutputParser"}
    for path in ("routes/users/ann/chat", "routes/v1/ai/inline", "handlers/tools/shout"):
        assert "404" in results[path]["batch"], path
    assert "404" in results["handlers/tools/shout"]["error"]  # of /stream_events


def test_the_other_routes_of_the_migrated_apps_are_served(migrated: Server) -> None:
    assert httpx.get(f"{migrated.url}/routes/").json() == {"client": "RemoteRunnable"}
    assert httpx.get(f"{migrated.url}/factory/late").json() == "late"
    assert (
        httpx.get(f"{migrated.url}/routes/playground").status_code == 404
    )  # not until it is asked for
    schema = httpx.get(f"{migrated.url}/routes/v1/ai/inline/output_schema")
    assert schema.status_code == 404  # it was not among the enabled endpoints
    schema = httpx.get(f"{migrated.url}/routes/chat/input_schema").json()
    assert "question" in schema["properties"]
