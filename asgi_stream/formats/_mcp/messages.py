"""MCP's messages over HTTP: what a client's JSON-RPC asks for, and the replies to it.

Two generations of the protocol share the endpoint: in the revisions with a handshake a client says
once what it can, in later ones with each request, in ``_meta`` and in headers
(https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http).
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ...errors.text import one_line
from .._spec import Document, FormatRequest

HANDSHAKE = ("2025-06-18", "2025-11-25")
"""Revisions in which a client begins with ``initialize``."""
STATELESS = ("2026-07-28",)
"""Revisions in which each request says which revision it is of, and what its client can."""
REVISIONS = (*HANDSHAKE, *STATELESS)

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
HEADER_MISMATCH = -32020
UNSUPPORTED_REVISION = -32022

VERSION = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
SERVER = "io.modelcontextprotocol/serverInfo"
ABOUT_SERVER = {"name": "asgi_stream", "version": "1"}

REVISION = "mcp-protocol-version"
SESSION = "mcp-session-id"
MAX_TOKEN = 1000
"""Characters of a progress token."""

ENCODED = "=?base64?"
"""What the value of a header begins with that is not plain text; it ends with ``?=``."""

Message = dict[str, Any]


class RpcError(Exception):
    """A request that is answered with a JSON-RPC error.

    Args:
        code: The error's code.
        message: The error's message, which repeats of the request only what it escapes.
        data: Further data.
    """

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code, self.message, self.data = code, message, data

    @classmethod
    def at(cls, path: str, problem: str) -> RpcError:
        """Return the error for a parameter, named by its dotted `path`."""
        return cls(INVALID_PARAMS, f"{path}: {problem}", {"fields": {path: problem}})


@dataclass(frozen=True, slots=True)
class Call:
    """A client's request, or its notification.

    Attributes:
        id: The id of a request; None for a notification.
        method: The method.
        params: The parameters.
        stateless: Whether it is of one of the revisions in `STATELESS`.
        session: The id of the client's session, if it has one.
    """

    id: str | int | None = None
    method: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    stateless: bool = False
    session: str | None = None

    @property
    def meta(self) -> Mapping[str, Any]:
        """The request's metadata."""
        meta: Mapping[str, Any] = self.params.get("_meta", {})
        return meta

    def reply(self, result: Mapping[str, Any]) -> Message:
        """Return the response with a result."""
        if self.stateless:
            about = {**result.get("_meta", {}), SERVER: ABOUT_SERVER}
            result = {"resultType": "complete", **result, "_meta": about}
        return {"jsonrpc": "2.0", "id": self.id, "result": result}

    def refuse(self, error: RpcError) -> Document:
        """Return the response with an error.

        In the older revisions clients read a JSON-RPC error with status 200 only.
        """
        status = 404 if error.code == METHOD_NOT_FOUND else 400
        known = error.code not in (HEADER_MISMATCH, UNSUPPORTED_REVISION)
        if known and self.id is not None and not self.stateless:
            status = 200
        return Document(error_message(error, self.id), status=status)


def error_message(error: RpcError, id_: Any = None) -> Message:
    """Return the JSON of an error."""
    data = {} if error.data is None else {"data": error.data}
    content = {"code": error.code, "message": error.message, **data}
    return {"jsonrpc": "2.0", "id": id_, "error": content}


def read_call(request: FormatRequest) -> Call:
    """Return the JSON-RPC request or notification in a request, not yet checked.

    Raises:
        RpcError: Its body is none.
    """
    headers, body = request.headers, request.body
    match body:
        case list():
            problem = "batches are not part of the protocol since revision 2025-06-18"
        case {"jsonrpc": "2.0", "method": str(method)}:
            id_, params = body.get("id"), body.get("params", {})
            if "id" in body and not is_id(id_):
                raise RpcError(INVALID_REQUEST, "id: expected a string or an integer")
            stateless = headers.get(REVISION) in STATELESS
            return Call(id_, method, params, stateless, headers.get(SESSION))
        case {"result": _} | {"error": _}:
            problem = "this server sends no requests that a client could respond to"
        case _:
            problem = "expected a JSON-RPC 2.0 request or notification"
    raise RpcError(INVALID_REQUEST, problem)


def is_id(value: Any) -> bool:
    """Return whether a value can be the id of a request, or a progress token."""
    return isinstance(value, str | int) and not isinstance(value, bool)


def check_token(token: Any) -> None:
    """Check a progress token, which each piece of the answer is sent with.

    Raises:
        RpcError: It is none, or too long for that.
    """
    path = "params._meta.progressToken"
    if not is_id(token):
        raise RpcError.at(path, "expected a string or an integer")
    if isinstance(token, str) and len(token) > MAX_TOKEN:
        raise RpcError.at(path, f"expected at most {MAX_TOKEN} characters")


def object_at(params: Mapping[str, Any], key: str, path: str = "params") -> dict[str, Any]:
    """Return the object that `params` have at `key`; an empty one if they have none or null.

    Raises:
        RpcError: They have another value, named by the dotted `path` of `params`.
    """
    value = params.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RpcError.at(f"{path}.{key}", "expected an object")
    return value


def checked_call(call: Call, request: FormatRequest) -> Call:
    """Return a call with what its headers say, checked by the rules of its revision.

    Raises:
        RpcError: Its parameters or headers are not valid, or it is of a revision that is unknown.
    """
    headers, params = request.headers, call.params
    if not isinstance(params, dict):
        raise RpcError.at("params", "expected an object")
    if not isinstance(params.get("_meta", {}), dict):
        raise RpcError.at("params._meta", "expected an object")
    header = headers.get(REVISION)
    call = replace(call, stateless=call.stateless or VERSION in call.meta)
    if call.method == "initialize" and not call.stateless:
        return call
    if header is not None and header not in REVISIONS:
        _refuse_revision(header)
    if call.stateless and call.id is not None:
        _check_stateless(call, headers)
    return call


def _refuse_revision(revision: Any) -> None:
    data = {"supported": [*reversed(REVISIONS)], "requested": revision}
    raise RpcError(UNSUPPORTED_REVISION, "Unsupported protocol version", data)


def _check_stateless(call: Call, headers: Mapping[str, str]) -> None:
    """Check what each request of the revisions without a handshake has to have."""
    for key in (VERSION, CAPABILITIES):
        if key not in call.meta:
            raise RpcError.at(f"params._meta.{key}", "required")
    if not isinstance(call.meta[CAPABILITIES], dict):
        raise RpcError.at(f"params._meta.{CAPABILITIES}", "expected an object")
    expected = {REVISION: call.meta[VERSION], "mcp-method": call.method}
    if call.method == "tools/call" and "name" in call.params:
        expected["mcp-name"] = call.params["name"]
    for name, value in expected.items():
        if _decoded(headers.get(name)) != value:
            problem = f"the header {name} does not have what the request's body has"
            raise RpcError(HEADER_MISMATCH, problem)
    if call.meta[VERSION] not in STATELESS:
        _refuse_revision(call.meta[VERSION])


def _decoded(value: str | None) -> str | None:
    """Return the value of a header; None if it is not encoded well."""
    value = value and value.strip(" \t")  # which some servers leave around it
    if value is None or not (value.startswith(ENCODED) and value.endswith("?=")):
        return value
    try:
        return b64decode(value[len(ENCODED) : -2], validate=True).decode()
    except ValueError:
        return None


def unknown_method(call: Call) -> RpcError:
    """Return the error for a method that this server does not offer."""
    return RpcError(METHOD_NOT_FOUND, f"Unknown method {one_line(repr(call.method), 200)}")
