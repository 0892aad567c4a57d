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


def decode_usage(
    usage: Mapping[str, Any], read: str = "prompt", written: str = "completion"
) -> dict[str, Any]:
    """Return OpenAI's counts as LangChain's ``UsageMetadata``; details of 0 are left out.

    Args:
        usage: The counts.
        read: What the names of the counts of the input begin with.
        written: The same for the output.
    """
    inputs = usage.get(f"{read}_tokens_details") or {}
    outputs = usage.get(f"{written}_tokens_details") or {}
    counts = {
        "input_tokens": usage.get(f"{read}_tokens", 0),
        "output_tokens": usage.get(f"{written}_tokens", 0),
        "total_tokens": usage.get("total_tokens", 0),
    }
    if cached := inputs.get("cached_tokens"):
        counts["input_token_details"] = {"cache_read": cached}
    if reasoning := outputs.get("reasoning_tokens"):
        counts["output_token_details"] = {"reasoning": reasoning}
    return counts


def response_usage(usages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the sum of several ``UsageMetadata``, as a response of the Responses API has it."""
    counts = encode_usage(usages)
    written = sum(
        (usage.get("input_token_details") or {}).get("cache_creation") or 0 for usage in usages
    )
    return {
        "input_tokens": counts["prompt_tokens"],
        "input_tokens_details": {**counts["prompt_tokens_details"], "cache_write_tokens": written},
        "output_tokens": counts["completion_tokens"],
        "output_tokens_details": counts["completion_tokens_details"],
        "total_tokens": counts["total_tokens"],
    }
