"""The counts of tokens in OpenAI's ``usage``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def encode_usage(usages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the sum of several ``UsageMetadata`` of LangChain's."""

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


def decode_usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Return OpenAI's counts as LangChain's ``UsageMetadata``; details of 0 are left out."""
    inputs = usage.get("prompt_tokens_details") or {}
    outputs = usage.get("completion_tokens_details") or {}
    counts = {
        "input_tokens": usage.get("prompt_tokens", 0),
        "output_tokens": usage.get("completion_tokens", 0),
        "total_tokens": usage.get("total_tokens", 0),
    }
    if cached := inputs.get("cached_tokens"):
        counts["input_token_details"] = {"cache_read": cached}
    if reasoning := outputs.get("reasoning_tokens"):
        counts["output_token_details"] = {"reasoning": reasoning}
    return counts
