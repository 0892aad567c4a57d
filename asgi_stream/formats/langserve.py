"""What LangServe served, for its clients: PyPI ``langserve`` and npm ``@langchain/core``.

The paths and bodies of LangServe 0.3, read in the ``RemoteRunnable`` of PyPI ``langserve`` 0.3.3
and of npm ``@langchain/core`` 0.3.80. Nothing that a client sends is made a class by its say-so.
"""

from __future__ import annotations

from typing import Any

from ..events import Event, LangChainEvent, OutputChunk, RunError, RunFinished, RunStarted
from ..filters import parse_filter
from ..serialize import to_json
from ._content import refused
from ._format import Document, Format, FormatRequest, RunSpec
from .events import event_object

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

    Of a client's config the ``configurable`` keys that the route lists are taken, and for a batch a
    ``max_concurrency`` below the route's limit; tags, metadata and the like are the server's.
    """

    endpoints = (*(("POST", path) for path in RUNS), *(("GET", path) for path in SCHEMAS))
    wants = frozenset({OutputChunk, LangChainEvent})

    def __init__(self) -> None:
        self._batch = False
        self._begun = b""

    def parse(self, asked: FormatRequest) -> RunSpec | Document:
        operation = asked.endpoint
        if operation in SCHEMAS:
            return Document(schema=SCHEMAS[operation])
        body = asked.body
        key = "inputs" if operation == "/batch" else "input"
        if not isinstance(body, dict) or key not in body:
            raise refused(key, "expected it in the body")
        _check_kwargs(body.get("kwargs"))
        if operation == "/stream":
            self.wants = frozenset({OutputChunk})
        elif operation != "/stream_events":
            self.wants = frozenset()
        given = body[key]
        self._batch = operation == "/batch"
        if self._batch and not isinstance(given, list):
            raise refused("inputs", "expected a list")
        return RunSpec(
            input=[_input(each) for each in given] if self._batch else _input(given),
            many=self._batch,
            max_concurrency=_concurrency(body.get("config")) if self._batch else None,
            configurable=_config(body.get("config")),
            filter=parse_filter(body, FILTERS) if operation == "/stream_events" else None,
            gathered=operation in ("/invoke", "/batch"),
        )

    def encode(self, event: Event) -> bytes:
        match event:
            case RunStarted(run_id=run_id) if LangChainEvent not in self.wants:
                self._begun = _frame("metadata", {"run_id": run_id})
            case OutputChunk(data=data, part=part):
                begun, self._begun = self._begun, b""
                return begun + _frame("data", data if part is None else part)
            case LangChainEvent():
                return _frame("data", event_object(event))
            case RunFinished():
                # One with data would be a chunk for the client in JavaScript.
                return b"event: end\n\n"
            case RunError():
                told = {"status_code": event.status, "message": event.message}
                return _frame("error", {**told, "code": event.code, "id": event.id})
        return b""

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
        told = {"detail": fields or error.message, "message": error.message}
        return to_json({**told, "code": error.code, "id": error.id}), "application/json"


def _frame(name: str, value: Any) -> bytes:
    return f"event: {name}\ndata: ".encode() + to_json(value) + b"\n\n"


def _input(given: Any) -> Any:
    """The input, with what LangChain's prompts make told by its ``type`` and unwrapped."""
    if isinstance(given, dict):
        match given.get("type"):
            case "ChatPromptValue" | "ChatPromptValueConcrete":
                return given.get("messages")
            case "StringPromptValue":
                return given.get("text")
    return given


def _config(given: Any) -> dict[str, Any]:
    """The ``configurable`` of a config, or of a list of them that are all alike."""
    configs = given if isinstance(given, list) else [given]
    found = [_configurable("config", config) for config in configs]
    if any(each != found[0] for each in found):
        raise refused("config", "expected the same configurable for all inputs")
    return found[0] if found else {}


def _configurable(path: str, config: Any) -> dict[str, Any]:
    if config is None:
        return {}
    if not isinstance(config, dict) or not isinstance(config.get("configurable") or {}, dict):
        raise refused(path, "expected a RunnableConfig")
    return dict(config.get("configurable") or {})


def _concurrency(given: Any) -> int | None:
    """The lowest ``max_concurrency`` of a config, or of a list of them, which has been checked."""
    configs = given if isinstance(given, list) else [given]
    found = [
        config["max_concurrency"] for config in configs if config and "max_concurrency" in config
    ]
    asked = [each for each in found if each is not None]
    if any(type(each) is not int or each < 1 for each in asked):
        raise refused("config.max_concurrency", "expected a positive whole number")
    return min(asked, default=None)


def _check_kwargs(given: Any) -> None:
    for each in given if isinstance(given, list) else [given or {}]:
        odd = set(each) - {"version"} if isinstance(each, dict) else {"kwargs"}
        if odd:
            raise refused(f"kwargs.{sorted(odd)[0]}", "this server does not take it")
