"""MCP's requests as clients of each generation of its revisions send them."""

from __future__ import annotations

from typing import Any

NEWEST = "2026-07-28"
ELICITS: dict[str, Any] = {"elicitation": {}}


def message(method: str, params: Any = None, id: Any = 1) -> dict[str, Any]:
    """A request; a notification if its id is None."""
    about = {} if id is None else {"id": id}
    return {"jsonrpc": "2.0", **about, "method": method, "params": {} if params is None else params}


def tool_call(name: str, arguments: Any = None, *, token: Any = None, id: Any = 1) -> Any:
    params: dict[str, Any] = {"name": name, "arguments": arguments or {}}
    if token is not None:
        params["_meta"] = {"progressToken": token}
    return message("tools/call", params, id)


def stateless(
    request: dict[str, Any], can: Any = ELICITS, **more: Any
) -> tuple[dict[str, Any], dict[str, str]]:
    """A request of a revision without a handshake, and its headers."""
    params = request.get("params", {})
    meta = {
        "io.modelcontextprotocol/protocolVersion": NEWEST,
        "io.modelcontextprotocol/clientCapabilities": can,
        **params.get("_meta", {}),
    }
    headers = {"mcp-protocol-version": NEWEST, "mcp-method": request["method"]}
    if "name" in params:
        headers["mcp-name"] = params["name"]
    return {**request, "params": {**params, "_meta": meta, **more}}, headers
