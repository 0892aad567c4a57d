"""Spans and metrics, as OpenTelemetry's SDK exports them."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_core.runnables import Runnable, RunnableLambda
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from asgi_stream import Limits, Resume, StreamApp, StreamError, StreamRoute, TableError
from asgi_stream.errors import StoreUnavailable
from asgi_stream.stores.memory import MemoryStore

from .asgi import JSON, Exchange, post
from .models import Scripted, chain_of
from .servers import serving

pytestmark = pytest.mark.anyio
ASK = {"question": "Hi?"}


def script_with_usage() -> list[Any]:
    usage: Any = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    return ["a", "b", AIMessageChunk(content="", usage_metadata=usage)]


class Exported:
    def __init__(self) -> None:
        self.spans = InMemorySpanExporter()
        self.reader = InMemoryMetricReader()

    @property
    def span(self) -> Any:
        [span] = [each for each in self.spans.get_finished_spans() if each.name.startswith("run ")]
        return span

    def metrics(self) -> dict[str, Any]:
        data: Any = self.reader.get_metrics_data()
        return {
            metric.name: metric.data.data_points
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            if scope.scope.name == "asgi_stream"
            for metric in scope.metrics
        }


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> Iterator[Exported]:
    exported = Exported()
    spans = TracerProvider()
    spans.add_span_processor(SimpleSpanProcessor(exported.spans))
    meters = MeterProvider(metric_readers=[exported.reader])
    monkeypatch.setattr(trace, "get_tracer", spans.get_tracer)
    monkeypatch.setattr(metrics, "get_meter", meters.get_meter)
    exported.tracer = spans.get_tracer("tests")  # type: ignore[attr-defined]
    yield exported
    meters.shutdown()


def app_of(runnable: Any, **options: Any) -> StreamApp:
    return StreamApp([StreamRoute("/x", runnable, **options)], telemetry=True)


async def test_a_run_is_a_span_under_the_request_s(exported: Any) -> None:
    within = []

    async def reads_span(value: str) -> str:
        within.append(trace.get_current_span().get_span_context().span_id)
        return value

    app = app_of(RunnableLambda(reads_span))
    with exported.tracer.start_as_current_span("request") as request:
        response = await post(app, "/x", "hey")
    span = exported.span
    assert span.name == "run /x"
    assert span.parent.span_id == request.get_span_context().span_id
    assert within == [span.get_span_context().span_id]
    attributes = span.attributes
    assert attributes["asgi_stream.run_id"] == response.headers["x-run-id"]
    assert attributes["asgi_stream.route"] == "/x"
    assert attributes["asgi_stream.format"] == "tokens"
    assert attributes["asgi_stream.state"] == "done"
    assert attributes["asgi_stream.time_to_first_token"] >= 0
    assert attributes["asgi_stream.tokens"] == 0  # no model has streamed any
    assert span.status.is_unset


async def test_metrics_of_runs(exported: Any) -> None:
    app = app_of(chain_of("a", "bc", "d"))
    for _ in range(2):
        await post(app, "/x", ASK)
    points = exported.metrics()
    attributes = {"asgi_stream.route": "/x", "asgi_stream.format": "tokens"}
    [active] = points["asgi_stream.runs.active"]
    assert (active.value, dict(active.attributes)) == (0, attributes)
    [tokens] = points["asgi_stream.tokens"]
    assert tokens.value == 6
    [duration] = points["asgi_stream.run.duration"]
    assert (duration.count, dict(duration.attributes)) == (
        2,
        {**attributes, "asgi_stream.state": "done"},
    )
    [first] = points["asgi_stream.run.time_to_first_token"]
    assert first.count == 2
    [high] = points["asgi_stream.run.buffer.high_water"]
    assert high.max >= len(b'data: {"token": "bc"}\n\n')
    assert "asgi_stream.runs.cancelled" not in points


async def test_a_run_in_progress_is_active(exported: Any) -> None:
    go_on = asyncio.Event()

    async def waits(value: str) -> str:
        await go_on.wait()
        return value

    app = app_of(RunnableLambda(waits), limits=Limits(hold=0))
    async with Exchange(app, "POST", "/x", "a", headers=JSON) as exchange:
        await exchange.started()
        [active] = exported.metrics()["asgi_stream.runs.active"]
        assert active.value == 1
        go_on.set()
        await exchange.finished()


async def test_a_run_whose_reader_leaves_is_cancelled(exported: Any) -> None:
    async def waits(value: str) -> str:
        await asyncio.sleep(60)
        return value

    app = app_of(RunnableLambda(waits), limits=Limits(hold=0))
    async with Exchange(app, "POST", "/x", "a", headers=JSON) as exchange:
        await exchange.started()
        exchange.disconnect()
        await exchange.finished()
    assert exported.span.attributes["asgi_stream.state"] == "cancelled"
    assert exported.span.attributes["asgi_stream.reason"] == "disconnect"
    [cancelled] = exported.metrics()["asgi_stream.runs.cancelled"]
    assert cancelled.attributes["asgi_stream.reason"] == "disconnect"


async def test_a_run_that_takes_too_long_is_cancelled(exported: Any) -> None:
    async def waits(value: str) -> str:
        await asyncio.sleep(60)
        return value

    await post(app_of(RunnableLambda(waits), limits=Limits(run=0.5)), "/x", "a")
    attributes = exported.span.attributes
    assert (attributes["asgi_stream.state"], attributes["asgi_stream.reason"]) == (
        "cancelled",
        "timeout",
    )
    assert attributes["asgi_stream.code"] == "timeout"


async def test_a_failure_is_a_status_with_the_id_of_the_log_and_no_message(
    exported: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await post(app_of(chain_of("a", ValueError("secret"))), "/x", ASK)
    span = exported.span
    assert not span.status.is_ok
    assert span.status.description == "run_failed"
    error_id = span.attributes["asgi_stream.error_id"]
    assert error_id in caplog.text
    assert "secret" not in str(span.to_json())
    [failed] = [
        each for each in caplog.records if getattr(each, "error_id", None) and each.levelno > 30
    ]
    assert failed.__dict__["error_id"] == error_id
    assert failed.__dict__["code"] == "run_failed"


async def test_rejected_requests_are_counted(exported: Any) -> None:
    def refuses(request: Any) -> str:
        raise StreamError("No.", code="unknown_user", status=401)

    app = app_of(chain_of("a"), authorize=refuses)
    await post(app, "/x", ASK)
    [rejected] = exported.metrics()["asgi_stream.requests.rejected"]
    assert rejected.attributes["asgi_stream.code"] == "unknown_user"
    assert exported.spans.get_finished_spans() == ()


@pytest.mark.parametrize("format", ["tokens", "text", "chunks", "events", "vercel", "langserve"])
async def test_tokens_and_usage_of_any_format(exported: Any, format: str) -> None:
    body: Any = {"vercel": {"prompt": "Hi"}, "langserve": {"input": "Hi"}}.get(format, "Hi")
    path = "/x/stream" if format == "langserve" else "/x"
    app = app_of(Scripted(script=script_with_usage()), format=format, config={"tags": ["web"]})
    assert (await post(app, path, body)).status == 200
    attributes = exported.span.attributes
    assert attributes["asgi_stream.tokens"] == 2
    assert attributes["gen_ai.usage.input_tokens"] == 3
    assert attributes["gen_ai.usage.output_tokens"] == 4


class Away(MemoryStore):
    """A store that cannot be reached, or can only at first."""

    def __init__(self, appends: int = 0) -> None:
        super().__init__()
        self.left = appends

    async def create(self, *args: Any, **kwargs: Any) -> str:
        if not self.left:
            raise StoreUnavailable
        return await super().create(*args, **kwargs)

    def append(self, run_id: str, *args: Any, **kwargs: Any) -> bool:
        self.left -= 1
        if self.left:
            return super().append(run_id, *args, **kwargs)
        producer = self._runs[run_id].producer
        assert producer is not None
        producer.written(StoreUnavailable())
        return False


async def test_a_run_that_did_not_begin_is_not_active(exported: Any) -> None:
    app = app_of(chain_of("a"), resume=Resume(store=Away()))
    assert (await post(app, "/x", ASK)).status == 503
    assert "asgi_stream.runs.active" not in exported.metrics()
    assert exported.spans.get_finished_spans() == ()


async def test_a_store_that_goes_away_is_a_failure_not_a_disconnect(exported: Any) -> None:
    app = app_of(chain_of("a", "b", "c"), resume=Resume(store=Away(2)))
    async with Exchange(app, "POST", "/x", ASK, headers=JSON):
        while not exported.spans.get_finished_spans():
            await asyncio.sleep(0.001)
    attributes = exported.span.attributes
    assert (attributes["asgi_stream.state"], attributes["asgi_stream.code"]) == (
        "failed",
        "store_unavailable",
    )


async def test_a_store_that_goes_away_at_the_last_frame_leaves_the_run_done(exported: Any) -> None:
    app = app_of(chain_of("a"), resume=Resume(store=Away(2)))
    async with Exchange(app, "POST", "/x", ASK, headers=JSON):
        while app._loops.current.runs or not exported.spans.get_finished_spans():
            await asyncio.sleep(0.001)
    assert exported.span.attributes["asgi_stream.state"] == "done"


async def test_the_buffer_of_a_stored_run_is_measured(exported: Any) -> None:
    app = app_of(Scripted(script=["a" * 500, "b" * 500, "c" * 500]), resume=True)
    await post(app, "/x", "Hi")
    assert exported.span.attributes["asgi_stream.high_water"] > 500


@pytest.mark.parametrize("resume", [False, True])
async def test_a_failing_exporter_does_not_keep_the_end_from_the_reader(
    exported: Any, resume: bool, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(span: Any) -> None:
        raise RuntimeError("an exporter's bug")

    exported.spans.export = breaks
    app = app_of(chain_of("a"), resume=resume)
    app._handler._telemetry.end = lambda *_: breaks(None)  # type: ignore[union-attr, method-assign]
    response = await post(app, "/x", ASK)
    assert response.body.endswith(b"data: [DONE]\n\n")
    [failed] = [record for record in caplog.records if record.name == "asgi_stream"]
    assert failed.message == "telemetry failed"


async def test_failing_telemetry_neither_keeps_a_run_from_its_start_nor_a_refusal_from_its_client(
    exported: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: Any, **__: Any) -> None:
        raise RuntimeError("a processor's bug")

    app = app_of(chain_of("a"))
    telemetry: Any = app._handler._telemetry
    monkeypatch.setattr(telemetry._tracer.span_processor, "on_start", breaks)
    monkeypatch.setattr(telemetry._rejected, "add", breaks)
    response = await post(app, "/x", ASK)
    assert (response.status, response.body[-14:]) == (200, b"data: [DONE]\n\n")
    data = exported.reader.get_metrics_data()  # by the version None, or nothing of any scope
    assert data is None or not data.resource_metrics[0].scope_metrics
    refused = await post(app, "/x", "{", headers={"content-type": "application/json"})
    assert refused.status == 422


async def test_a_stored_run_is_a_span_too(exported: Any) -> None:
    await post(app_of(chain_of("a"), resume=True), "/x", ASK)
    assert exported.span.attributes["asgi_stream.state"] == "done"


async def test_every_run_is_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "asgi_stream")
    response = await post(StreamApp([StreamRoute("/x", chain_of("a"))]), "/x", ASK)
    [line] = caplog.records
    assert line.message.startswith(f"run {response.headers['x-run-id']} of /x: done after 0.")
    fields = line.__dict__
    assert (fields["run_id"], fields["state"]) == (response.headers["x-run-id"], "done")


def test_a_missing_extra_is_an_error_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "asgi_stream.telemetry", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(TableError, match=r"pip install \"asgi_stream\[otel\]\""):
        StreamApp([StreamRoute("/x", chain_of("a"))], telemetry=True)


def test_a_real_server_with_an_exporter(tmp_path: Path) -> None:
    """The SDK as an app installs it, with an exporter that writes to a file."""
    out = tmp_path / "spans.jsonl"
    with serving("tests.otel_app:app", tmp_path, env={"SPANS": str(out)}) as server:
        command = [sys.executable, "-c", "import httpx,sys; httpx.post(sys.argv[1], json='Hi')"]
        subprocess.run([*command, f"{server.url}/x"], check=True, timeout=30)
        server.terminate()
        server.process.wait(timeout=10)
    spans = [json.loads(line) for line in out.read_text().splitlines()]
    run, request = spans
    assert run["name"] == "run /x"
    assert run["parent_id"] == request["context"]["span_id"]
    assert run["attributes"]["asgi_stream.state"] == "done"


class Traced(Runnable[Any, Any]):
    """Has a span around its chunks, and detaches it in the context in which it was attached."""

    def __init__(self, tracer: Any) -> None:
        self._tracer = tracer
        self.closed = asyncio.Event()

    def invoke(self, input: Any, config: Any = None, **options: Any) -> Any:
        raise NotImplementedError

    async def astream(self, input: Any, config: Any = None, **options: Any) -> AsyncIterator[str]:
        try:
            with self._tracer.start_as_current_span("inside"):
                while True:
                    yield "a"
                    await asyncio.sleep(0)
        finally:
            self.closed.set()


@pytest.mark.parametrize("format", ["tokens", "chunks", "events"])
async def test_a_generator_is_closed_in_the_context_in_which_it_was_opened(
    format: str, exported: Any, caplog: pytest.LogCaptureFixture
) -> None:
    for turns in range(40):
        traced = Traced(exported.tracer)
        app = app_of(traced, format=format)
        async with Exchange(app, "POST", "/x", "a", headers=JSON) as exchange:
            await exchange.started()
            for _ in range(turns):
                await asyncio.sleep(0)
            exchange.disconnect()
            await exchange.finished()
        await asyncio.wait_for(traced.closed.wait(), 5)
    assert "Failed to detach context" not in caplog.text
    assert (
        len([span for span in exported.spans.get_finished_spans() if span.name == "inside"]) == 40
    )
