"""LangServe's API for its clients, PyPI ``langserve`` and npm ``@langchain/core``.

The paths and bodies of LangServe 0.3, read in the ``RemoteRunnable`` of PyPI ``langserve`` 0.3.3
and of npm ``@langchain/core`` 0.3.80. No request can name a class to be instantiated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ..events import Event, LangChainEvent, OutputChunk, RunError, RunFinished, RunStarted
from ..filters import parse_filter
from ..serialize import to_json
from ._content import refused
from ._decoded import RUN, error_event
from ._format import Format
from ._frame import Frame
from ._plain_request import plain_spec
from ._spec import Document, FormatRequest, RunSpec
from ._sse import named_frame
from ._threads import THREADS_WITHOUT_RUNS
from .events import event_object, event_of, is_event

RUNS = ("/invoke", "/batch", "/stream", "/stream_events")
SCHEMAS = {"/input_schema": "input", "/output_schema": "output", "/config_schema": "config"}
FILTERS = {
    "include_names": "names",
    "include_types": "types",
    "include_tags": "tags",
    "exclude_names": "exclude_names",
    "exclude_types": "exclude_types",
    "exclude_tags": "exclude_tags",
}


class LangServeFormat(Format):
    """``/invoke``, ``/batch``, ``/stream``, ``/stream_events`` and the schemas.

    A client's config may set the ``configurable`` keys that the route lists and, for a batch, a
    ``max_concurrency`` below the route's limit. On a route with threads, its ``thread_id`` names
    the thread. Its tags, metadata and other fields are ignored.
    """

    carries_output = True
    threads = THREADS_WITHOUT_RUNS  # not LangServe's own: for clients in other languages
    endpoints = (*(("POST", path) for path in RUNS), *(("GET", path) for path in SCHEMAS))
    wants = frozenset({OutputChunk, LangChainEvent})

    def __init__(self) -> None:
        self._batch = False
        self._metadata = b""

    def parse(self, request: FormatRequest) -> RunSpec | Document:
        operation = request.endpoint
        if operation in SCHEMAS:
            return Document(schema=SCHEMAS[operation])
        body = request.body
        key = "inputs" if operation == "/batch" else "input"
        if not isinstance(body, dict) or key not in body:
            raise refused(key, "expected it in the body")
        _check_kwargs(body.get("kwargs"))
        if operation == "/stream":
            self.wants = frozenset({OutputChunk})
        elif operation == "/stream_events":
            self.wants = frozenset({LangChainEvent})
        else:
            self.wants = frozenset()
        value = body[key]
        self._batch = operation == "/batch"
        if self._batch and not isinstance(value, list):
            raise refused("inputs", "expected a list")
        configurable = _config(body.get("config"))
        thread = _thread(configurable) if request.threads else None
        plain = plain_spec(replace(request, body=value))
        return RunSpec(
            input=[_input(each) for each in value] if self._batch else _input(value),
            answers=plain.answers,
            resumes=plain.resumes,
            many=self._batch,
            configurable=configurable,
            thread=thread,
            max_concurrency=_concurrency(body.get("config")) if self._batch else None,
            filter=parse_filter(body, FILTERS) if operation == "/stream_events" else None,
            gathered=operation in ("/invoke", "/batch"),
        )

    def encode(self, event: Event) -> bytes:
        match event:
            case RunStarted(run_id=run_id) if LangChainEvent not in self.wants:
                self._metadata = named_frame("metadata", {"run_id": run_id})
            case OutputChunk(data=data, part=part):
                metadata, self._metadata = self._metadata, b""
                return metadata + named_frame("data", data if part is None else part)
            case LangChainEvent():
                return named_frame("data", event_object(event))
            case RunFinished():
                # The client in JavaScript would take one with data for a chunk.
                return b"event: end\n\n"
            case RunError():
                error = {"status_code": event.status, "message": event.message}
                return named_frame("error", {**error, "code": event.code, "id": event.id})
        return b""

    def decode(self, frame: Frame) -> Iterator[Event]:
        value = frame.json()
        match frame.event, value:
            case "end", _:
                yield RunFinished(RUN, None)
            case "metadata", dict():
                yield RunStarted(str(value.get("run_id", "")))
            case "error", _:
                yield error_event(value)
            case _ if is_event(value):
                yield event_of(value)
            case _ if frame.data:
                yield OutputChunk(RUN, value)

    @classmethod
    def recognizes(cls, frame: Frame) -> bool:
        return frame.event == "data"

    def gather(self, event: Event) -> object:
        return event.state if isinstance(event, RunFinished) else None

    def document(self, run_id: str, gathered: object, end: RunFinished) -> object:
        if self._batch:
            return {"output": gathered, "metadata": {"run_ids": [run_id]}}
        return {"output": gathered, "metadata": {"run_id": run_id, "feedback_tokens": []}}

    @classmethod
    def refusal(cls, error: RunError) -> tuple[bytes, str]:
        fields = [
            {"loc": ["body", *path.split(".")], "msg": what, "type": "value_error"}
            for path, what in error.fields.items()
        ]
        content = {"detail": fields or error.message, "message": error.message}
        return to_json({**content, "code": error.code, "id": error.id}), "application/json"


def _input(value: Any) -> Any:
    """Return the input; a prompt value, recognized by its ``type``, becomes its content."""
    if isinstance(value, dict):
        match value.get("type"):
            case "ChatPromptValue" | "ChatPromptValueConcrete":
                return value.get("messages")
            case "StringPromptValue":
                return value.get("text")
    return value


def _config(value: Any) -> dict[str, Any]:
    """Return the ``configurable`` of a config, or of a list of configs with the same one."""
    configs = value if isinstance(value, list) else [value]
    keys = [_configurable("config", config) for config in configs]
    if any(each != keys[0] for each in keys):
        raise refused("config", "expected the same configurable for all inputs")
    return keys[0] if keys else {}


def _configurable(path: str, config: Any) -> dict[str, Any]:
    if config is None:
        return {}
    if not isinstance(config, dict) or not isinstance(config.get("configurable") or {}, dict):
        raise refused(path, "expected a RunnableConfig")
    return dict(config.get("configurable") or {})


def _thread(configurable: dict[str, Any]) -> str | None:
    """Take the id of the thread out of what a client's config sets."""
    thread = configurable.pop("thread_id", None)
    if not isinstance(thread, str | None):
        raise refused("config.configurable.thread_id", "expected a string")
    return thread


def _concurrency(value: Any) -> int | None:
    """Return the lowest ``max_concurrency`` of a validated config, or of a list of configs."""
    configs = value if isinstance(value, list) else [value]
    limits = [config.get("max_concurrency") for config in configs if config]
    limits = [limit for limit in limits if limit is not None]
    if any(type(limit) is not int or limit < 1 for limit in limits):
        raise refused("config.max_concurrency", "expected a positive whole number")
    return min(limits, default=None)


def _check_kwargs(value: Any) -> None:
    for each in value if isinstance(value, list) else [value or {}]:
        unknown = set(each) - {"version"} if isinstance(each, dict) else {"kwargs"}
        if unknown:
            raise refused(f"kwargs.{sorted(unknown)[0]}", "this server does not accept it")
