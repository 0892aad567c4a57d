from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lzstring import LZString

from asgi_stream.lzstring import decompress


@given(st.text(st.characters(max_codepoint=0xD7FF)))
def test_what_lz_string_compresses_is_read(text: str) -> None:
    assert decompress(LZString().compressToEncodedURIComponent(text), 10_000) == text


def test_langserve_s_empty_config_is_read() -> None:
    assert decompress("N4XyA", 2) == "{}"


@pytest.mark.parametrize("text", ["", "!", "A", "zzzzzzzz", "N4X yA"])
def test_what_is_no_compressed_text_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="this is no compressed text"):
        decompress(text, 100)


def test_a_short_text_that_stands_for_a_long_one_is_refused() -> None:
    bomb = LZString().compressToEncodedURIComponent("a" * 1_000_000)
    assert len(bomb) < 4000
    with pytest.raises(ValueError, match="more than 10000 characters"):
        decompress(bomb, 10_000)
