"""The chunks that a graph streams, as they are sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LIBRARIES = ("langgraph_", "lc_", "ls_")
PUBLIC = ("checkpoint_ns", "tags", "thread_id", "run_id", "graph_id", "assistant_id")
"""The keys of a message's metadata that are sent; other keys are the server's own."""


def client_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is sent of a message's metadata."""
    return {
        key: value for key, value in metadata.items() if key.startswith(LIBRARIES) or key in PUBLIC
    }


def public_payload(mode: str, data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what is sent of a checkpoint or a task, whose metadata is as a message's."""
    if mode == "debug":
        return {**data, "payload": public_payload("", data["payload"])}
    metadata = data.get("metadata") or {}
    about = {key: metadata[key] for key in ("source", "step", "parents") if key in metadata}
    return {**data, "metadata": {**about, **client_metadata(metadata)}}
