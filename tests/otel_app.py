"""An app that brings OpenTelemetry's SDK, whose exporter writes spans into the file ``SPANS``."""

from __future__ import annotations

import os

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
from starlette.types import Receive, Scope, Send

from asgi_stream import StreamApp, StreamRoute

from .models import Scripted

provider = TracerProvider()
out = open(os.environ["SPANS"], "a", buffering=1)  # noqa: SIM115 - as long as the process
exporter = ConsoleSpanExporter(out=out, formatter=lambda span: span.to_json(indent=None) + "\n")
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)

streams = StreamApp([StreamRoute("/x", Scripted(script=["Hel", "lo"]))], telemetry=True)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """A span for each request, as an instrumentation would make it."""
    if scope["type"] != "http":
        await streams(scope, receive, send)
        return
    with trace.get_tracer("app").start_as_current_span("request"):
        await streams(scope, receive, send)
