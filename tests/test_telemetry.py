"""What OpenTelemetry is told, by the SDK that an app brings."""

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


def told_usage() -> list[Any]:
    usage: Any = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    return ["a", "b", AIMessageChunk(content="", usage_metadata=usage)]


class Told:
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
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    told = Told()
    spans = TracerProvider()
    spans.add_span_processor(SimpleSpanProcessor(told.spans))
    meters = MeterProvider(metric_readers=[told.reader])
    monkeypatch.setattr(trace, "get_tracer", spans.get_tracer)
    monkeypatch.setattr(metrics, "get_meter", meters.get_meter)
    told.tracer = spans.get_tracer("tests")  # type: ignore[attr-defined]
    yield told
    meters.shutdown()


def app_of(runnable: Any, **options: Any) -> StreamApp:
    return StreamApp([StreamRoute("/x", runnable, **options)], telemetry=True)


async def test_a_run_is_a_span_under_the_request_s(told: Any) -> None:
    within = []

    async def looks(value: str) -> str:
        within.append(trace.get_current_span().get_span_context().span_id)
        return value

    app = app_of(RunnableLambda(looks))
    with told.tracer.start_as_current_span("request") as request:
        answer = await post(app, "/x", "hey")
    span = told.span
    assert span.name == "run /x"
    assert span.parent.span_id == request.get_span_context().span_id
    assert within == [span.get_span_context().span_id]
    about = span.attributes
    assert about["asgi_stream.run_id"] == answer.headers["x-run-id"]
    assert about["asgi_stream.route"] == "/x"
    assert about["asgi_stream.format"] == "tokens"
    assert about["asgi_stream.state"] == "done"
    assert about["asgi_stream.time_to_first_token"] >= 0
    assert about["asgi_stream.tokens"] == 0  # no model has said any
    assert span.status.is_unset


async def test_metrics_of_runs(told: Any) -> None:
    app = app_of(chain_of("a", "bc", "d"))
    for _ in range(2):
        await post(app, "/x", ASK)
    found = told.metrics()
    about = {"asgi_stream.route": "/x", "asgi_stream.format": "tokens"}
    [active] = found["asgi_stream.runs.active"]
    assert (active.value, dict(active.attributes)) == (0, about)
    [tokens] = found["asgi_stream.tokens"]
    assert tokens.value == 6
    [duration] = found["asgi_stream.run.duration"]
    assert (duration.count, dict(duration.attributes)) == (
        2,
        {**about, "asgi_stream.state": "done"},
    )
    [first] = found["asgi_stream.run.time_to_first_token"]
    assert first.count == 2
    [high] = found["asgi_stream.run.buffer.high_water"]
    assert high.max >= len(b'data: {"token": "bc"}\n\n')
    assert "asgi_stream.runs.cancelled" not in found


async def test_while_a_run_goes_on_it_is_active(told: Any) -> None:
    go_on = asyncio.Event()

    async def waits(value: str) -> str:
        await go_on.wait()
        return value

    app = app_of(RunnableLambda(waits), limits=Limits(hold=0))
    async with Exchange(app, "POST", "/x", "a", headers=JSON) as exchange:
        await exchange.started()
        [active] = told.metrics()["asgi_stream.runs.active"]
        assert active.value == 1
        go_on.set()
        await exchange.finished()


async def test_a_run_whose_reader_leaves_is_cancelled(told: Any) -> None:
    async def waits(value: str) -> str:
        await asyncio.sleep(60)
        return value

    app = app_of(RunnableLambda(waits), limits=Limits(hold=0))
    async with Exchange(app, "POST", "/x", "a", headers=JSON) as exchange:
        await exchange.started()
        exchange.disconnect()
        await exchange.finished()
    assert told.span.attributes["asgi_stream.state"] == "cancelled"
    assert told.span.attributes["asgi_stream.reason"] == "disconnect"
    [cancelled] = told.metrics()["asgi_stream.runs.cancelled"]
    assert cancelled.attributes["asgi_stream.reason"] == "disconnect"


async def test_a_run_that_takes_too_long_is_cancelled(told: Any) -> None:
    async def waits(value: str) -> str:
        await asyncio.sleep(60)
        return value

    await post(app_of(RunnableLambda(waits), limits=Limits(run=0.02)), "/x", "a")
    about = told.span.attributes
    assert (about["asgi_stream.state"], about["asgi_stream.reason"]) == ("cancelled", "timeout")
    assert about["asgi_stream.code"] == "timeout"


async def test_a_failure_is_a_status_with_the_log_s_id_and_no_text(
    told: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await post(app_of(chain_of("a", ValueError("secret"))), "/x", ASK)
    span = told.span
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


async def test_what_is_refused_is_counted(told: Any) -> None:
    def refuses(request: Any) -> str:
        raise StreamError("No.", code="unknown_user", status=401)

    app = app_of(chain_of("a"), authorize=refuses)
    await post(app, "/x", ASK)
    [rejected] = told.metrics()["asgi_stream.requests.rejected"]
    assert rejected.attributes["asgi_stream.code"] == "unknown_user"
    assert told.spans.get_finished_spans() == ()


@pytest.mark.parametrize("format", ["tokens", "text", "chunks", "events", "vercel", "langserve"])
async def test_tokens_and_usage_of_any_format(told: Any, format: str) -> None:
    body: Any = {"vercel": {"prompt": "Hi"}, "langserve": {"input": "Hi"}}.get(format, "Hi")
    path = "/x/stream" if format == "langserve" else "/x"
    app = app_of(Scripted(script=told_usage()), format=format, config={"tags": ["web"]})
    assert (await post(app, path, body)).status == 200
    about = told.span.attributes
    assert about["asgi_stream.tokens"] == 2
    assert about["gen_ai.usage.input_tokens"] == 3
    assert about["gen_ai.usage.output_tokens"] == 4


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


async def test_a_run_that_was_not_begun_is_not_active(told: Any) -> None:
    app = app_of(chain_of("a"), resume=Resume(store=Away()))
    assert (await post(app, "/x", ASK)).status == 503
    assert "asgi_stream.runs.active" not in told.metrics()
    assert told.spans.get_finished_spans() == ()


async def test_a_store_that_goes_away_is_a_failure_not_a_reader_that_left(told: Any) -> None:
    app = app_of(chain_of("a", "b", "c"), resume=Resume(store=Away(2)))
    async with Exchange(app, "POST", "/x", ASK, headers=JSON):
        while not told.spans.get_finished_spans():
            await asyncio.sleep(0.001)
    about = told.span.attributes
    assert (about["asgi_stream.state"], about["asgi_stream.code"]) == (
        "failed",
        "store_unavailable",
    )


async def test_a_store_that_goes_away_at_the_last_frame_finds_the_run_done(told: Any) -> None:
    app = app_of(chain_of("a"), resume=Resume(store=Away(2)))
    async with Exchange(app, "POST", "/x", ASK, headers=JSON):
        while app._loops.current.runs or not told.spans.get_finished_spans():
            await asyncio.sleep(0.001)
    assert told.span.attributes["asgi_stream.state"] == "done"


async def test_what_waits_for_the_reader_of_a_stored_run_is_counted(told: Any) -> None:
    app = app_of(Scripted(script=["a" * 500, "b" * 500, "c" * 500]), resume=True)
    await post(app, "/x", "Hi")
    assert told.span.attributes["asgi_stream.high_water"] > 500


@pytest.mark.parametrize("resume", [False, True])
async def test_telemetry_that_fails_does_not_take_the_end_from_the_reader(
    told: Any, resume: bool
) -> None:
    def breaks(span: Any) -> None:
        raise RuntimeError("an exporter's bug")

    said = []
    told.spans.export = breaks
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: said.append(context))
    app = app_of(chain_of("a"), resume=resume)
    app._telemetry.end = lambda *_: breaks(None)  # type: ignore[union-attr, method-assign]
    answer = await post(app, "/x", ASK)
    assert answer.body.endswith(b"data: [DONE]\n\n")
    [context] = said
    assert context["message"] == "A run's end could not be told"


async def test_a_stored_run_is_told_of_too(told: Any) -> None:
    await post(app_of(chain_of("a"), resume=True), "/x", ASK)
    assert told.span.attributes["asgi_stream.state"] == "done"


async def test_every_run_is_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "asgi_stream")
    answer = await post(StreamApp([StreamRoute("/x", chain_of("a"))]), "/x", ASK)
    [line] = caplog.records
    assert line.message.startswith(f"run {answer.headers['x-run-id']} of /x: done after 0.")
    fields = line.__dict__
    assert (fields["run_id"], fields["state"]) == (answer.headers["x-run-id"], "done")


def test_without_the_extra_the_table_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "asgi_stream.telemetry", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(TableError, match=r"pip install \"asgi_stream\[otel\]\""):
        StreamApp([StreamRoute("/x", chain_of("a"))], telemetry=True)


def test_a_real_server_with_an_exporter(tmp_path: Path) -> None:
    """The SDK as an app brings it: its exporter writes what it is told."""
    out = tmp_path / "told.jsonl"
    with serving("tests.otel_app:app", tmp_path, env={"TOLD": str(out)}) as server:
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
    """Has a span around what it yields, which it detaches in the context that it attached it in."""

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
    format: str, told: Any, caplog: pytest.LogCaptureFixture
) -> None:
    for turns in range(40):
        traced = Traced(told.tracer)
        app = app_of(traced, format=format)
        async with Exchange(app, "POST", "/x", "a", headers=JSON) as exchange:
            await exchange.started()
            for _ in range(turns):
                await asyncio.sleep(0)
            exchange.disconnect()
            await exchange.finished()
        await asyncio.wait_for(traced.closed.wait(), 5)
    assert "Failed to detach context" not in caplog.text
    assert len([span for span in told.spans.get_finished_spans() if span.name == "inside"]) == 40
