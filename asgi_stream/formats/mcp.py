"""The Model Context Protocol: each Runnable of a route is a tool that other programs' models call.

https://modelcontextprotocol.io/specification, the streamable HTTP transport of the revisions
2025-06-18, 2025-11-25 and 2026-07-28, read in PyPI ``mcp`` 2.3.0 and npm
``@modelcontextprotocol/sdk`` 1.32.2. Nothing is kept between two requests.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from json.encoder import encode_basestring_ascii
from typing import Any
from uuid import uuid4

from .._json import joined, well_formed
from ..errors import InvalidInput
from ..errors.text import listed, one_line
from ..events import BlockStarted, Event, FileMade, RunError, RunFinished, TextDelta, TextDiscarded
from ..serialize import to_json
from ._decoded import MODEL, error_event, object_in
from ._format import Format
from ._frame import Frame
from ._gathered import Gathered
from ._mcp.elicitation import answers_in, elicits, input_requests
from ._mcp.messages import (
    ABOUT_SERVER,
    HANDSHAKE,
    INTERNAL_ERROR,
    INVALID_REQUEST,
    PARSE_ERROR,
    REVISIONS,
    SESSION,
    Call,
    Message,
    RpcError,
    check_token,
    checked_call,
    error_message,
    object_at,
    read_call,
    unknown_method,
)
from ._mcp.results import LIST_SECONDS, decode_result, error_result, run_result, tools_list
from ._plain_request import plain_spec
from ._spec import Document, FormatRequest, RunSpec
from ._sse import data_frame
from ._threads import THREADS_WITHOUT_RUNS

TOOLS = {"tools": {"listChanged": False}}
TEXT = TextDelta | TextDiscarded | FileMade


class McpFormat(Format):
    """``initialize``, ``ping``, ``server/discover``, ``tools/list`` and ``tools/call``.

    With a ``progressToken``, each piece of the answer's text is a progress notification, whose
    message is the piece. On a route with threads, the argument ``thread_id`` names the thread, and
    ``resume`` answers an interrupt. A client of the revisions without a handshake that can ask its
    user is asked to do so instead. ``notifications/cancelled`` ends the call of the same session.
    """

    endpoints = (("POST", ""),)
    chooses = replies = checks_origin = True
    names = r"[A-Za-z0-9_.-]{1,128}"
    threads = THREADS_WITHOUT_RUNS  # not MCP's own: for other clients
    thread_arguments = ("thread_id", "resume")
    wants = frozenset({BlockStarted, TextDelta, TextDiscarded, FileMade})  # files come in blocks

    def __init__(self) -> None:
        self._call = Call()
        self._gathered = Gathered()
        self._thread: str | None = None
        self._progress: tuple[str, str] | None = None
        self._pieces = 0

    def parse(self, request: FormatRequest) -> RunSpec | Document:
        call = Call()
        try:
            call = read_call(request)
            self._call = call = checked_call(call, request)
            if call.id is None:
                return Document(status=202, cancels=_cancelled(call))
            return self._answer(call, request)
        except RpcError as error:
            return call.refuse(error)

    def _answer(self, call: Call, request: FormatRequest) -> RunSpec | Document:
        match call.method:
            case "tools/call":
                return self._run(call, request)
            case "tools/list":
                if call.params.get("cursor") is not None:
                    raise RpcError.at("params.cursor", "there are no further pages")
                return Document(tools=partial(tools_list, call, threads=request.threads))
            case "server/discover" if call.stateless:
                return Document(call.reply(_discovered()))
            case "initialize" if not call.stateless:
                session = {SESSION: uuid4().hex}
                return Document(call.reply(_initialized(call)), headers=session)
            case "ping" if not call.stateless:
                return Document(call.reply({}))
        raise unknown_method(call)

    def _run(self, call: Call, request: FormatRequest) -> RunSpec:
        params = call.params
        name = params.get("name")
        if name not in request.models:
            available = listed(list(request.models))
            problem = f"unknown tool {one_line(repr(name), 200)}; available: {available}"
            raise RpcError.at("params.name", problem)
        arguments = object_at(params, "arguments")
        self._show_progress(call.meta.get("progressToken"))
        spec = RunSpec(input=arguments, arguments=True, model=str(name))
        if call.session is not None and not call.stateless:
            spec = replace(spec, cancel_key=_cancel_key(call.session, call.id))
        return self._on_thread(spec, call, request) if request.threads else spec

    def _show_progress(self, token: Any) -> None:
        if token is None:
            return
        check_token(token)
        # Of a token's frame only the text and its number differ, so no more is serialized.
        params = {"progressToken": token, "progress": 0, "message": ""}
        notification = {"jsonrpc": "2.0", "method": "notifications/progress", "params": params}
        before, _, after = data_frame(notification).decode().rpartition('0,"message":""')
        self._progress = before, after

    def _on_thread(self, spec: RunSpec, call: Call, request: FormatRequest) -> RunSpec:
        """Return the run on the thread that its arguments or the state of a repeated call name."""
        arguments = dict(spec.input)
        named, state = arguments.pop("thread_id", None), call.params.get("requestState")
        if not _is_text(state):
            raise RpcError.at("params.requestState", "expected text")
        # The calling model sees this, as all errors about arguments.
        if not _is_text(named):
            raise InvalidInput.at("thread_id", "expected text")
        if len(arguments) > 1 and arguments.pop("resume", None) is not None:
            raise InvalidInput.at("resume", "expected no other argument with it than thread_id")
        self._thread = state or named or request.thread or str(uuid4())
        spec = replace(spec, thread=self._thread, input=arguments)
        if state is not None:
            answers = answers_in(call.params)
            return replace(spec, input=None, answers=answers, resumes=not answers)
        plain = plain_spec(replace(request, body=arguments))
        if plain.answers or (named is not None and not arguments):
            return replace(spec, input=None, answers=plain.answers, resumes=not plain.answers)
        return spec

    def encode(self, event: Event) -> bytes:
        if type(event) is TextDelta and self._progress is not None:
            self._gathered.take(event)
            self._pieces += 1
            before, after = self._progress
            text = encode_basestring_ascii(joined(event.text))
            return f'{before}{self._pieces},"message":{text}{after}'.encode()
        reply = self._reply(event)
        return b"" if reply is None else data_frame(reply)

    def gather(self, event: Event) -> object:
        return self._reply(event)

    def document(self, run_id: str, gathered: object, end: RunFinished) -> object:
        return gathered

    def failure(self, end: RunError) -> object:
        if self._call.method != "tools/call":
            return None
        return self._call.reply(error_result(end))

    def _reply(self, event: Event) -> Message | None:
        """Return the response to the call at the end of its run."""
        match event:
            case RunFinished():
                return well_formed(self._call.reply(self._result(event)))
            case RunError():
                return well_formed(self._call.reply(error_result(event)))
            case _ if isinstance(event, TEXT):
                self._gathered.take(event)
        return None

    def _result(self, end: RunFinished) -> Message:
        if self._thread is not None and elicits(self._call):
            questions = input_requests(end.interrupts)
            if questions:
                about = {"inputRequests": questions, "requestState": self._thread}
                return {"resultType": "input_required", **about}
        return run_result(end, self._gathered, self._thread)

    def decode(self, frame: Frame) -> Iterable[Event]:
        match frame.json():
            case {"method": "notifications/progress", "params": {"message": str(text)}}:
                return [TextDelta(MODEL, text)]
            case {"result": dict(result)}:
                return [decode_result(result)]
            case {"error": dict(error)}:
                about = error.get("data")
                return [error_event({**error, **(about if isinstance(about, dict) else {})})]
        return []

    @classmethod
    def recognizes(cls, frame: Frame) -> bool:
        return object_in(frame).get("jsonrpc") == "2.0"

    @classmethod
    def refusal(cls, error: RunError) -> tuple[bytes, str]:
        # After `parse`, a request that is not valid is answered by `failure`.
        code = PARSE_ERROR if error.status == 400 else INVALID_REQUEST
        data: Message = {"code": error.code, "id": error.id}
        if error.fields:
            data["fields"] = error.fields
        refused = RpcError(INTERNAL_ERROR if error.status >= 500 else code, error.message, data)
        return to_json(error_message(refused)), "application/json"


def _is_text(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value != "")


def _initialized(call: Call) -> Message:
    wanted = call.params.get("protocolVersion")
    if not isinstance(wanted, str):
        raise RpcError.at("params.protocolVersion", "expected a string")
    revision = wanted if wanted in HANDSHAKE else HANDSHAKE[-1]
    return {"protocolVersion": revision, "capabilities": TOOLS, "serverInfo": ABOUT_SERVER}


def _discovered() -> Message:
    cached = {"ttlMs": LIST_SECONDS * 1000, "cacheScope": "public"}
    return {"supportedVersions": [*reversed(REVISIONS)], "capabilities": TOOLS, **cached}


def _cancelled(call: Call) -> str | None:
    """Return the key of the run that a notification cancels."""
    id_ = call.params.get("requestId")
    if call.method != "notifications/cancelled" or call.session is None or call.stateless:
        return None
    return _cancel_key(call.session, id_)


def _cancel_key(session: str, id_: Any) -> str:
    return to_json([session, id_]).decode()
