from __future__ import annotations

from asgi_stream.formats._usage import add_usage, decode_usage


def test_counts_of_several_models_are_added_and_zeros_stay_absent() -> None:
    total: dict[str, int] = {}
    usage = {"input_tokens": 2, "output_tokens": 0, "input_token_details": {"cache_read": 1}}
    add_usage(total, usage)
    add_usage(total, usage)
    assert total == {"inputTokens": 4, "cachedInputTokens": 2}
    assert decode_usage(total) == {"input_tokens": 4, "input_token_details": {"cache_read": 2}}
