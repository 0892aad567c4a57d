"""Spans and metrics of runs, through OpenTelemetry's API alone: the app brings the SDK, or none.

https://opentelemetry.io/docs/specs/otel (API 1.x). Names are this package's own, under
``asgi_stream.``, with ``gen_ai.usage.*`` of the semantic conventions for generative AI 1.37.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

try:
    from opentelemetry import metrics, trace
except ImportError as missing:
    raise ImportError(
        'telemetry needs OpenTelemetry\'s API: pip install "asgi_stream[otel]"'
    ) from missing

NAME = "asgi_stream"


class Telemetry:
    """What is told of all runs of an app.

    Metrics, each with the attributes ``asgi_stream.route`` and ``asgi_stream.format``:

    ========================================  ==============  ==================================
    ``asgi_stream.runs.active``               up-down, {run}  runs that go on
    ``asgi_stream.run.duration``              histogram, s    runs, with ``asgi_stream.state``
    ``asgi_stream.run.time_to_first_token``   histogram, s    from the start to the first output
    ``asgi_stream.run.buffer.high_water``     histogram, By   the most that waited for the reader
    ``asgi_stream.tokens``                    counter         pieces of text that models streamed
    ``asgi_stream.runs.cancelled``            counter, {run}  with ``asgi_stream.reason``
    ``asgi_stream.requests.rejected``         counter         with ``asgi_stream.code``
    ========================================  ==============  ==================================
    """

    def __init__(self) -> None:
        self._tracer = trace.get_tracer(NAME)
        meter = metrics.get_meter(NAME)
        self._active = meter.create_up_down_counter(f"{NAME}.runs.active", "{run}")
        self._duration = meter.create_histogram(f"{NAME}.run.duration", "s")
        self._first = meter.create_histogram(f"{NAME}.run.time_to_first_token", "s")
        self._high = meter.create_histogram(f"{NAME}.run.buffer.high_water", "By")
        self._tokens = meter.create_counter(f"{NAME}.tokens", "{token}")
        self._cancelled = meter.create_counter(f"{NAME}.runs.cancelled", "{run}")
        self._rejected = meter.create_counter(f"{NAME}.requests.rejected", "{request}")

    def rejected(self, route: str, format: str, code: str) -> None:
        """A request was refused before it had a run."""
        self._rejected.add(1, {**_about(route, format), f"{NAME}.code": code})

    def begin(self, run_id: str, route: str, format: str) -> trace.Span:
        """A run begins: a span of its own, under the one that is current in the request."""
        self._active.add(1, _about(route, format))
        attributes = {**_about(route, format), f"{NAME}.run_id": run_id}
        return self._tracer.start_span(f"run {route}", attributes=attributes)

    def within(self, span: trace.Span) -> AbstractContextManager[Any]:
        """Make a run's span the current one, so that what the run does belongs to it."""
        return trace.use_span(span, end_on_exit=False)

    def end(self, span: trace.Span, route: str, format: str, told: Mapping[str, Any]) -> None:
        """A run has ended.

        Args:
            span: Its span.
            route: Its route's path.
            format: Its format's name.
            told: What there is to say of it, by the names that the log has.
        """
        about = _about(route, format)
        self._active.add(-1, about)
        self._duration.record(told["seconds"], {**about, f"{NAME}.state": told["state"]})
        self._high.record(told["high_water"], about)
        if told["tokens"]:
            self._tokens.add(told["tokens"], about)
        if told["first_seconds"] is not None:
            self._first.record(told["first_seconds"], about)
            span.set_attribute(f"{NAME}.time_to_first_token", told["first_seconds"])
        if told["state"] == "cancelled":
            self._cancelled.add(1, {**about, f"{NAME}.reason": told["reason"]})
        for name in ("state", "reason", "code", "error_id", "tokens", "high_water"):
            if told[name] is not None:
                span.set_attribute(f"{NAME}.{name}", told[name])
        for name, count in told["usage"].items():
            if count:
                span.set_attribute(f"gen_ai.usage.{name}", count)
        if told["state"] == "failed":
            span.set_status(trace.StatusCode.ERROR, told["code"])
        span.end()


def _about(route: str, format: str) -> dict[str, str]:
    return {f"{NAME}.route": route, f"{NAME}.format": format}
