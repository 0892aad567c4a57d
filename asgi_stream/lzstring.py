"""The compressed text in a LangServe URL: lz-string's ``compressToEncodedURIComponent``.

https://github.com/pieroxy/lz-string, 1.5. What PyPI has of it decompresses without a limit.
"""

from __future__ import annotations

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-$"
SIX_BITS = {character: f"{value & 63:06b}" for value, character in enumerate(ALPHABET)}
EIGHT_BITS, SIXTEEN_BITS, END = 0, 1, 2


def decompress(text: str, limit: int) -> str:
    """The text that was compressed, of at most `limit` characters.

    Raises:
        ValueError: `text` is not such text, or stands for more.
    """
    bits = _Bits(text)
    words: list[str | None] = [None, None, None]
    width, room = 2, 1
    before = ""
    said: list[str] = []
    size = 0
    while True:
        code = bits.number(width)
        if code == END:
            return "".join(said)
        if code in (EIGHT_BITS, SIXTEEN_BITS):
            words.append(chr(bits.number(8 if code == EIGHT_BITS else 16)))
            code = len(words) - 1
            room -= 1
        # The word may be the one that is about to be made of it.
        word = words[code] if code < len(words) else before + before[:1]
        if not word or code > len(words):
            raise ValueError("this is no compressed text")
        if before:
            words.append(before + word[0])
            room -= 1
        while room <= 0:
            room += 2**width
            width += 1
        said.append(word)
        before = word
        size += len(word)
        if size > limit:
            raise ValueError(f"this is more than {limit} characters")


class _Bits:
    """The bits of a text, read as numbers."""

    def __init__(self, text: str) -> None:
        try:
            self._bits = "".join(map(SIX_BITS.__getitem__, text))
        except KeyError:
            raise ValueError("this is no compressed text") from None
        self._at = 0

    def number(self, width: int) -> int:
        """The next number, whose lowest bit comes first."""
        bits = self._bits[self._at : self._at + width]
        if len(bits) < width:
            raise ValueError("this is no compressed text")
        self._at += width
        return int(bits[::-1], 2)
