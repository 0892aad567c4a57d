"""OpenAI's Chat Completions, streamed and not, so that any client of theirs can call a Runnable.

https://platform.openai.com/docs/api-reference/chat, read in PyPI ``openai`` 3.54.0 and npm
``openai`` 7.57.0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from json.encoder import encode_basestring_ascii
from time import time
from typing import Any

from ..errors import InvalidRequest, NotFound, listed, one_line
from ..events import (
    ALL_EVENTS,
    Event,
    ModelFinished,
    ReasoningDelta,
    RunError,
    RunFinished,
    RunStarted,
    TextDelta,
    TextDiscarded,
    ToolCallDelta,
    ToolCallStarted,
    ToolFailed,
    ToolFinished,
)
from ..serialize import to_json
from ._content import refused, text_of
from ._format import Document, Format, FormatRequest, RunSpec
from ._gathered import Gathered
from ._openai_messages import conversation
from ._sse import DONE, data_frame, short_id

OWNER = "asgi_stream"
REASONS = ("stop", "length", "tool_calls", "content_filter")


class OpenAIFormat(Format):
    """``POST /chat/completions`` and ``GET /models`` below the route's path.

    The models are the names of the route's Runnables. A Runnable is told of a parameter such as
    ``temperature`` only where the route lists it as ``configurable``; elsewhere it has no effect.
    A ``response_format`` is bound to a chat model that is served alone. What else would change the
    answer's form (``n``, audio) is refused. Tool calls are sent if the client has brought the tool;
    tools that the run runs itself stay unseen.
    """

    endpoints = (("POST", "/chat/completions"), ("GET", "/models"), ("GET", "/models/{model:path}"))
    chooses = converses = True
    wants = ALL_EVENTS - {ToolFinished, ToolFailed}

    def __init__(self) -> None:
        self._tools: frozenset[str] = frozenset()
        self._calls: dict[str, int] = {}
        self._tells_usage = False
        self._usage: list[Mapping[str, Any]] = []
        self._gathered = Gathered()
        self._reason = "stop"
        self._about: dict[str, Any] = {}
        self._interrupted: dict[str, Any] = {}

    def parse(self, asked: FormatRequest) -> RunSpec | Document:
        if asked.endpoint == "/models":
            return Document({"object": "list", "data": [_model(name) for name in asked.models]})
        if asked.endpoint != "/chat/completions":
            return Document(_model(_known(asked.params["model"], asked.models)))
        body = asked.body
        if not isinstance(body, dict):
            raise refused("body", "expected an object")
        model = _known(body.get("model"), asked.models)
        _check_form(body)
        tools, options = body.get("tools") or [], body.get("stream_options") or {}
        if not isinstance(tools, list):
            raise refused("tools", "expected a list")
        if not isinstance(options, dict):
            raise refused("stream_options", "expected an object")
        self._tools = frozenset(_name_of(tool, n) for n, tool in enumerate(tools))
        streams = bool(body.get("stream"))
        self._tells_usage = not streams or bool(options.get("include_usage"))
        self._about = {"created": int(time()), "model": model}
        dropped: set[str] = set()
        return RunSpec(
            messages=conversation(body.get("messages"), dropped),
            dropped=dropped,
            model=model,
            tools=(tools or None) if body.get("tool_choice") != "none" else (),
            tool_choice=_choice(body.get("tool_choice")),
            response_format=_response_format(body.get("response_format")),
            configurable={key: body[key] for key in asked.configurable if key in body},
            gathered=not streams,
        )

    def encode(self, event: Event) -> bytes:
        match event:
            case TextDelta(text=text):
                return self._before + encode_basestring_ascii(text).encode() + self._after
            case RunStarted(run_id=run_id):
                self._begin(run_id)
                return self._delta({"role": "assistant", "content": ""})
            case ReasoningDelta(text=text):
                return self._delta({"reasoning_content": text})
            case ToolCallStarted() if event.name in self._tools:
                return self._delta({"tool_calls": [self._started(event)]})
            case ToolCallDelta(call_id=id_, text=text) if id_ in self._calls:
                call = {"index": self._calls[id_], "function": {"arguments": text}}
                return self._delta({"tool_calls": [call]})
            case ModelFinished():
                self._count(event)
            case RunFinished(interrupts=interrupts):
                self._interrupted = {"interrupted": interrupts} if interrupts else {}
                return b"".join(self._end()) + DONE
            case RunError():
                return data_frame(_error(event))
        return b""

    def gather(self, event: Event) -> object:
        match event:
            case RunStarted(run_id=run_id):
                self._begin(run_id)
            case (
                TextDelta()
                | ReasoningDelta()
                | ToolCallStarted()
                | ToolCallDelta()
                | TextDiscarded()
            ):
                self._gathered.take(event)
            case ModelFinished():
                self._count(event)
            case RunFinished(interrupts=interrupts):
                self._interrupted = {"interrupted": interrupts} if interrupts else {}
                return self._completion()
        return None

    def document(self, run_id: str, gathered: object, end: RunFinished) -> object:
        return gathered

    @classmethod
    def refusal(cls, error: RunError) -> tuple[bytes, str]:
        return to_json(_error(error)), "application/json"

    def _begin(self, run_id: str) -> None:
        self._about = {"id": f"chatcmpl-{short_id(run_id, 12)}", **self._about}
        # A token's frame is the same but for its text, and JSON is made of that only.
        self._before, self._after = self._delta({"content": "\0"}).split(b'"\\u0000"')

    def _delta(self, delta: Mapping[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return self._chunk([choice])

    def _chunk(self, choices: list[Any], usage: Any = None) -> bytes:
        told = {"usage": usage} if self._tells_usage else {}
        kind = {"object": "chat.completion.chunk"}
        return data_frame({**self._about, **kind, "choices": choices, **told, **self._interrupted})

    def _started(self, event: ToolCallStarted) -> dict[str, Any]:
        index = self._calls[event.call_id] = len(self._calls)
        function = {"name": event.name, "arguments": ""}
        return {"index": index, "id": event.call_id, "type": "function", "function": function}

    def _count(self, event: ModelFinished) -> None:
        self._usage.append(event.usage)
        self._reason = event.reason

    def _finish_reason(self) -> str:
        if self._calls:
            return "tool_calls"
        # A run that has called its own tools has stopped, as far as its client can see.
        known = self._reason in REASONS and self._reason != "tool_calls"
        return self._reason if known else "stop"

    def _end(self) -> Iterator[bytes]:
        yield self._delta({}, self._finish_reason())
        if self._tells_usage:
            yield self._chunk([], _summed(self._usage))

    def _completion(self) -> dict[str, Any]:
        calls: list[dict[str, Any]] = []
        for piece in self._gathered.pieces:
            if isinstance(piece, ToolCallStarted) and piece.name in self._tools:
                calls.append(self._started(piece))
            elif isinstance(piece, ToolCallDelta) and piece.call_id in self._calls:
                calls[self._calls[piece.call_id]]["function"]["arguments"] += piece.text
        message: dict[str, Any] = {
            "role": "assistant",
            "content": self._gathered.text() or (None if calls else ""),
            "refusal": None,
        }
        if thought := self._gathered.text(ReasoningDelta):
            message["reasoning_content"] = thought
        if calls:
            message["tool_calls"] = [
                {key: value for key, value in call.items() if key != "index"} for call in calls
            ]
        reason = self._finish_reason()
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
        told = {"choices": [choice], "usage": _summed(self._usage)}
        return {**self._about, "object": "chat.completion", **told, **self._interrupted}


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": OWNER}


def _known(name: Any, models: Any) -> str:
    if name not in models:
        raise NotFound(
            f"There is no model {one_line(repr(name), 200)} here, only {listed(list(models))}.",
            code="model_not_found",
        )
    return str(name)


def _check_form(body: Mapping[str, Any]) -> None:
    """Refuse what would make the answer another than the client can be given."""
    for key, fit in (
        ("n", (None, 1)),
        ("logprobs", (None, False)),
        ("modalities", (None, ["text"])),
    ):
        if body.get(key) not in fit:
            what = f"this server does not offer {body[key]!r}"
            raise InvalidRequest(f"{key}: {what}.", fields={key: what})


def _response_format(given: Any) -> Mapping[str, Any] | None:
    """The form that the answer's text has to have; None: it is free."""
    match given:
        case None | {"type": "text"}:
            return None
        case {"type": "json_object"}:
            return {"type": "json_object"}
        case {"type": "json_schema", "json_schema": {"name": str(), **about} as schema} if (
            isinstance(about.get("schema", {}), dict)
        ):
            return {"type": "json_schema", "json_schema": schema}
    raise refused(
        "response_format",
        "expected text, json_object, or json_schema with its json_schema",
    )


def _name_of(tool: Any, n: int) -> str:
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict):
        raise refused(f"tools.{n}", 'expected {"type": "function", "function": {...}}')
    return text_of(f"tools.{n}.function.name", function.get("name"))


def _choice(given: Any) -> str | None:
    """The tool that has to be called, in LangChain's words; None leaves it to the model."""
    match given:
        case {"function": {"name": str(name)}}:
            return name
        case "required":
            return "any"
    return None


def _error(error: RunError) -> dict[str, Any]:
    kind = "server_error" if error.status >= 500 else "invalid_request_error"
    # The parameter that is wrong, where there is one.
    param = next(iter(error.fields), None)
    told = {"message": error.message, "type": kind, "param": param, "code": error.code}
    return {"error": {**told, "id": error.id}}


def _summed(usages: list[Mapping[str, Any]]) -> dict[str, Any]:
    def total(name: str, within: str | None = None) -> int:
        counts = [(usage.get(within) or {}) if within else usage for usage in usages]
        return sum(count.get(name) or 0 for count in counts)

    reasoning = total("reasoning", within="output_token_details")
    return {
        "prompt_tokens": total("input_tokens"),
        "completion_tokens": total("output_tokens"),
        "total_tokens": total("total_tokens"),
        "prompt_tokens_details": {"cached_tokens": total("cache_read", "input_token_details")},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }
