"""The compressed text in a LangServe URL: lz-string's ``compressToEncodedURIComponent``.

https://github.com/pieroxy/lz-string, 1.5. What PyPI has of it decompresses without a limit.
"""

from __future__ import annotations

from collections.abc import Iterator

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-$"
EIGHT_BITS, SIXTEEN_BITS, END = 0, 1, 2


def decompress(text: str, limit: int) -> str:
    """The text that was compressed, of at most `limit` characters.

    Raises:
        ValueError: `text` is not such text, or stands for more.
    """
    bits = _bits(text)
    words: list[str | None] = [None, None, None]
    width, room = 2, 1
    before = ""
    said: list[str] = []
    size = 0
    while True:
        code = _number(bits, width)
        if code == END:
            return "".join(said)
        if code in (EIGHT_BITS, SIXTEEN_BITS):
            words.append(chr(_number(bits, 8 if code == EIGHT_BITS else 16)))
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


def _bits(text: str) -> Iterator[int]:
    for character in text:
        value = ALPHABET.find(character)
        if value < 0:
            raise ValueError("this is no compressed text")
        for place in (32, 16, 8, 4, 2, 1):
            yield int(bool(value & place))


def _number(bits: Iterator[int], width: int) -> int:
    """The next number, whose lowest bit comes first."""
    try:
        return sum(next(bits) << place for place in range(width))
    except (StopIteration, RuntimeError):
        raise ValueError("this is no compressed text") from None
