"""Spans and metrics of runs, through OpenTelemetry's API only: the app installs the SDK, if any.

https://opentelemetry.io/docs/specs/otel (API 1.x). Names start with ``asgi_stream.``, except
``gen_ai.usage.*``, which are those of the semantic conventions for generative AI 1.37.
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

__all__ = ["Telemetry"]

NAME = "asgi_stream"

ATTRIBUTES = ("state", "reason", "code", "error_id", "tokens", "high_water")
"""The fields of a run's summary that become attributes of its span."""


class Telemetry:
    """Records the runs of an app: one span each, and metrics.

    A span is named ``run /path`` and is a child of the request's. Each metric has the attributes
    ``asgi_stream.route`` and ``asgi_stream.format``:

    ========================================  ==============  ==================================
    ``asgi_stream.runs.active``               up-down, {run}  runs in progress
    ``asgi_stream.run.duration``              histogram, s    runs, with ``asgi_stream.state``
    ``asgi_stream.run.time_to_first_token``   histogram, s    from the start to the first output
    ``asgi_stream.run.buffer.high_water``     histogram, By   maximum of bytes in the buffer
    ``asgi_stream.tokens``                    counter         pieces of text that models streamed
    ``asgi_stream.runs.cancelled``            counter, {run}  with ``asgi_stream.reason``
    ``asgi_stream.requests.rejected``         counter         with ``asgi_stream.code``
    ========================================  ==============  ==================================

    Example:
        >>> app = StreamApp(routes=[StreamRoute("/chat", chain)], telemetry=True)
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
        """Count a request that was rejected before a run began.

        Args:
            route: The path of the route.
            format: The name of its format.
            code: The code of the error.
        """
        self._rejected.add(1, {**_attributes(route, format), f"{NAME}.code": code})

    def begin(self, run_id: str, route: str, format: str) -> trace.Span:
        """Return a new span for a run that begins, a child of the request's current one.

        Args:
            run_id: The id of the run.
            route: The path of the route.
            format: The name of its format.
        """
        attributes = {**_attributes(route, format), f"{NAME}.run_id": run_id}
        span = self._tracer.start_span(f"run {route}", attributes=attributes)
        self._active.add(1, _attributes(route, format))  # a run whose span failed is not counted
        return span

    def within(self, span: trace.Span) -> AbstractContextManager[Any]:
        """Return a context manager that makes a run's span the current one.

        Args:
            span: The span from `begin`. It is not ended on exit.
        """
        return trace.use_span(span, end_on_exit=False)

    def end(self, span: trace.Span, route: str, format: str, summary: Mapping[str, Any]) -> None:
        """Record the end of a run, and end its span.

        Args:
            span: The span from `begin`.
            route: The path of the route.
            format: The name of its format.
            summary: The fields of the run's log line, by name.
        """
        attributes = _attributes(route, format)
        self._active.add(-1, attributes)
        self._duration.record(summary["seconds"], {**attributes, f"{NAME}.state": summary["state"]})
        self._high.record(summary["high_water"], attributes)
        if summary["tokens"]:
            self._tokens.add(summary["tokens"], attributes)
        if summary["first_seconds"] is not None:
            self._first.record(summary["first_seconds"], attributes)
            span.set_attribute(f"{NAME}.time_to_first_token", summary["first_seconds"])
        if summary["state"] == "cancelled":
            self._cancelled.add(1, {**attributes, f"{NAME}.reason": summary["reason"]})
        for name in ATTRIBUTES:
            if summary[name] is not None:
                span.set_attribute(f"{NAME}.{name}", summary[name])
        for name, count in summary["usage"].items():
            if count:
                span.set_attribute(f"gen_ai.usage.{name}", count)
        if summary["state"] == "failed":
            span.set_status(trace.StatusCode.ERROR, summary["code"])
        span.end()


def _attributes(route: str, format: str) -> dict[str, str]:
    return {f"{NAME}.route": route, f"{NAME}.format": format}
