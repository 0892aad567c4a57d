"""The SDKs of tracing services send the traces of runs, to a server in the services' place."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from .. import environments
from ..servers import Server, serving
from .collector import Collector, collecting

ASK = {"messages": [["human", "What is the weather in Paris?"]]}
ANN = {"x-user": "ann"}
# LangSmith's client asks its server how to send; here as JSON.
INGEST = {
    "use_multipart_endpoint": False,
    "size_limit": 100,
    "size_limit_bytes": 20_000_000,
    "scale_up_qsize_trigger": 1000,
    "scale_up_nthreads_limit": 1,
    "scale_down_nempty_trigger": 4,
}


@contextmanager
def traced(recipe: str, folder: Path, python: str, url_name: str, **env: str) -> Iterator[Any]:
    """Two runs that have ended, of which one had lost its client: their ids and what was sent."""
    with collecting({"/info": {"batch_ingest_config": INGEST}}) as collector:
        env[url_name] = collector.url
        app = f"examples.recipes.{recipe}:app"
        with serving(app, folder, env=env, python=python) as server:
            ids = whole_run(server), run_that_is_left(server)
        assert "Traceback" not in server.log(), server.log()
        yield collector, ids


def whole_run(server: Server) -> str:
    url = f"{server.url}/ai/agent/threads/mine"
    answer = httpx.post(url, json=ASK, headers=ANN, timeout=30)
    assert answer.status_code == 200
    return answer.headers["x-run-id"]


def run_that_is_left(server: Server) -> str:
    url = f"{server.url}/ai/agent/threads/other"
    with httpx.stream("POST", url, json=ASK, headers=ANN, timeout=30) as response:
        next(part for part in response.iter_raw() if b"token" in part)
        return response.headers["x-run-id"]


def test_langsmith(tmp_path: Path) -> None:
    env = {"LANGSMITH_API_KEY": "key"}
    with traced("langsmith_traces", tmp_path, sys.executable, "LANGSMITH_ENDPOINT", **env) as sent:
        collector, (whole, left) = sent
        runs = langsmith_runs(collector)
    trace = [run for run in runs.values() if run["trace_id"] == whole]
    names = {run["name"] for run in trace}
    assert names == {"support", "model", "ScriptedModel", "tools", "weather"}
    for run in trace:
        assert run["end_time"]
        assert run.get("error") is None
        assert run["extra"]["metadata"]["user_id"] == "ann"
        assert run["extra"]["metadata"]["thread_id"] == "mine"
    assert runs[whole]["session_name"] == "my-chat"
    assert runs[whole]["tags"] == ["web"]
    assert runs[whole]["outputs"]["messages"][-1]["content"].startswith("You asked: It rains")
    assert runs[left]["error"].startswith("CancelledError()")
    assert {each.headers["x-api-key"] for each in collector.received} == {"key"}


def langsmith_runs(collector: Collector) -> dict[str, Any]:
    """Each run by its id, as far as the service knows it."""
    runs: dict[str, Any] = {}
    batches = [each.json() for each in collector.received if each.path == "/runs/batch"]
    for batch in batches:
        for run in [*batch.get("post", ()), *batch.get("patch", ())]:
            changes = {key: value for key, value in run.items() if value is not None}
            runs[run["id"]] = {**runs.get(run["id"], {}), **changes}
    return runs


def test_langfuse(tmp_path: Path) -> None:
    env = {"LANGFUSE_PUBLIC_KEY": "public", "LANGFUSE_SECRET_KEY": "secret"}
    python = environments.python("recipes")
    with traced("langfuse_traces", tmp_path, python, "LANGFUSE_BASE_URL", **env) as sent:
        collector, (whole, left) = sent
        spans = langfuse_spans(collector, python)
    roots = {
        json.loads(span["attributes"]["langfuse.trace.metadata.run_id"]): span
        for span in spans
        if "parentSpanId" not in span
    }
    for run_id, thread in ((whole, "mine"), (left, "other")):
        assert roots[run_id]["name"] == "support"
        assert roots[run_id]["attributes"]["user.id"] == "ann"
        assert roots[run_id]["attributes"]["session.id"] == f"ann:{thread}"
    names = [span["name"] for span in spans if span["traceId"] == roots[whole]["traceId"]]
    steps = ["model", "ScriptedModel"] * 2 + ["tools", "weather", "support"]
    assert sorted(names) == sorted(steps)
    assert "langfuse.observation.level" not in roots[whole]["attributes"]
    assert roots[left]["attributes"]["langfuse.observation.level"] == "ERROR"
    credentials = b64encode(b"public:secret").decode()
    sent_with = {each.headers["authorization"] for each in collector.received}
    assert sent_with == {f"Basic {credentials}"}


def langfuse_spans(collector: Collector, python: str) -> list[Any]:
    exports = [each for each in collector.received if each.path.endswith("/otel/v1/traces")]
    done = subprocess.run(
        [python, Path(__file__).with_name("spans.py")],
        input=b"\n".join(b64encode(each.body) for each in exports),
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    spans: list[Any] = json.loads(done.stdout)
    return spans
