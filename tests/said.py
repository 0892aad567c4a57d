"""Messages as models, tools and nodes may make them, for hypothesis, and as JSON has them."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    HumanMessageChunk,
    SystemMessage,
    ToolMessage,
)
from langchain_core.messages.tool import tool_call_chunk

FEW = settings(
    max_examples=40,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
HALF = r'{"a": "\ud83d"}'
"""Arguments with half an emoji, as JSON escapes it."""

TEXTS = st.text(st.characters(), max_size=4) | st.sampled_from(
    ["", "\ud83d", "\ud83d\ude00", "\0", "\u2028", '{"a', "[DONE]"]
)
MAYBE = st.none() | TEXTS
IDS = st.sampled_from([None, "", "c1", "c 1/\u00e9", "\ud83d", "call_0"])
LEAVES = TEXTS | st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(width=32)
KEYS = TEXTS | st.sampled_from(["lc", "type", "content", "role", "args", "tool_calls", "messages"])
DATA = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=2),
    max_leaves=3,
)
OBJECTS = st.dictionaries(KEYS, DATA, max_size=2)
KINDS = ["text", "reasoning", "thinking", "image", "file", "tool_use", "non_standard", "x"]
# LangChain makes no chunk of a block whose type is no text.
BLOCKS = OBJECTS.filter(
    lambda block: isinstance(block.get("type", ""), str)
) | st.fixed_dictionaries(
    {"type": st.sampled_from(KINDS)},
    optional={"text": TEXTS, "url": TEXTS, "base64": TEXTS, "reasoning": TEXTS, "id": IDS},
)
CONTENTS = TEXTS | st.lists(TEXTS | BLOCKS, max_size=3)
CALLS = st.fixed_dictionaries({"name": TEXTS, "args": OBJECTS, "id": IDS})
INVALID = st.fixed_dictionaries({"name": MAYBE, "args": MAYBE, "id": IDS, "error": MAYBE})
RAW = st.fixed_dictionaries(
    {
        "id": TEXTS,
        "function": st.fixed_dictionaries({"name": TEXTS, "arguments": st.just(HALF)}),
    }
)
PIECES = st.builds(
    tool_call_chunk,
    name=MAYBE,
    args=MAYBE | st.sampled_from([HALF, '{"a": 1', "[1]", "NaN"]),
    id=IDS,
    index=st.none() | st.integers(0, 3),
)
COUNTS = st.integers(0, 9)
USAGE = st.none() | st.fixed_dictionaries(
    dict.fromkeys(("input_tokens", "output_tokens", "total_tokens"), COUNTS)
)
ABOUT: dict[str, Any] = {
    "content": CONTENTS,
    "name": MAYBE,
    "id": IDS,
    "additional_kwargs": OBJECTS | st.fixed_dictionaries({"tool_calls": st.lists(RAW, max_size=2)}),
    "response_metadata": OBJECTS
    | st.sampled_from([{"output_version": "v1"}, {"model_provider": "anthropic"}]),
}
UNDERSTOOD: dict[str, Any] = {
    "tool_calls": st.lists(CALLS, max_size=2),
    "invalid_tool_calls": st.lists(INVALID, max_size=2),
    "usage_metadata": USAGE,
    **ABOUT,
}
POSITIONS = st.sampled_from([None, "last"])
MESSAGES: st.SearchStrategy[BaseMessage] = st.one_of(
    st.builds(AIMessage, **UNDERSTOOD),
    st.builds(AIMessageChunk, **UNDERSTOOD),
    st.builds(
        AIMessageChunk,
        tool_call_chunks=st.lists(PIECES, max_size=2),
        chunk_position=POSITIONS,
        **ABOUT,
    ),
    st.builds(
        ToolMessage,
        tool_call_id=TEXTS,
        status=st.sampled_from(["success", "error"]),
        artifact=DATA,
        **ABOUT,
    ),
    st.builds(HumanMessage, **ABOUT),
    st.builds(HumanMessageChunk, **ABOUT),
    st.builds(SystemMessage, **ABOUT),
    st.builds(ChatMessage, role=TEXTS, **ABOUT),
    st.builds(FunctionMessage, **{**ABOUT, "name": TEXTS}),
)


def as_read(value: Any) -> Any:
    """`value` as it comes out of JSON, with U+FFFD for each lone surrogate."""
    if isinstance(value, str):
        joined = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return r'{"a": "\ufffd"}' if joined == HALF else joined
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {as_read(key): as_read(each) for key, each in value.items()}
    return [as_read(each) for each in value] if isinstance(value, list) else value


def written(message: BaseMessage) -> tuple[type, dict[str, Any]]:
    """The class and all fields of a message."""
    return type(message), dict(message)
