"""The counts of tokens, as the AI SDK and AG-UI alike name them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NAMES: Mapping[str, tuple[str, ...]] = {
    "inputTokens": ("input_tokens",),
    "outputTokens": ("output_tokens",),
    "totalTokens": ("total_tokens",),
    "cachedInputTokens": ("input_token_details", "cache_read"),
    "reasoningTokens": ("output_token_details", "reasoning"),
}
"""Where LangChain's ``UsageMetadata`` has each count."""


def encode_usage(usage: Mapping[str, Any]) -> dict[str, int]:
    """Return the counts that LangChain's `usage` has, by their names on the wire."""
    counts: dict[str, int] = {}
    for name, path in NAMES.items():
        value: Any = usage
        for key in path:
            value = (value or {}).get(key)
        if value is not None:
            counts[name] = value
    return counts


def add_usage(total: dict[str, int], usage: Mapping[str, Any]) -> None:
    """Add the counts of LangChain's `usage` to those of a run; zeros stay absent."""
    for name, count in encode_usage(usage).items():
        if count:
            total[name] = total.get(name, 0) + count


def decode_usage(counts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the counts of a frame as LangChain's ``UsageMetadata``."""
    usage: dict[str, Any] = {}
    for name, (*parents, key) in NAMES.items():
        if name in counts:
            target = usage
            for parent in parents:
                target = target.setdefault(parent, {})
            target[key] = counts[name]
    return usage
