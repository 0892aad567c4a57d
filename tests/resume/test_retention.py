"""Which frames of a run are kept, and how they are numbered."""

from __future__ import annotations

import pytest

from asgi_stream._resume.numbering import id_line, numbered
from asgi_stream._resume.retention import Retention
from asgi_stream.formats.tokens import TokensFormat
from asgi_stream.formats.vercel import VercelFormat


def test_without_limits_all_frames_are_kept() -> None:
    retention = Retention(None, None)
    assert [retention.add([b"x"] * n) for n in (1, 3, 1)] == [1, 1, 1]
    assert (retention.written, retention.size) == (5, 5)


def test_the_newest_frames_are_kept() -> None:
    retention = Retention(3, None)
    assert [retention.add([b"x"] * n) for n in (2, 2, 5, 1)] == [1, 2, 7, 8]


def test_their_bytes_are_limited_but_the_last_frame_stays() -> None:
    retention = Retention(None, 10)
    assert [retention.add([b"x" * n]) for n in (6, 4, 1, 40, 5)] == [1, 1, 2, 4, 5]
    assert retention.size == 56


LINE = b"id: r:%d\n"
NUMBERED: list[tuple[bytes, list[bytes], list[bytes]]] = [
    (LINE, [b"data: a\n\n"], [b"id: r:7\ndata: a\n\n"]),
    (LINE, [b"data: a\n\ndata: b\n\n"], [b"id: r:7\ndata: a\n\n", b"id: r:8\ndata: b\n\n"]),
    (LINE, [b"a\n\n", b"b\n\n"], [b"id: r:7\na\n\n", b"id: r:8\nb\n\n"]),
    (LINE, [b"no blank line"], [b"id: r:7\nno blank line"]),
    (LINE, [], []),
    (b"", [b"a\n\nb\n\n", b"c\n\n"], [b"a\n\n", b"b\n\n", b"c\n\n"]),
]


@pytest.mark.parametrize(("line", "pieces", "frames"), NUMBERED)
def test_every_frame_gets_its_number(line: bytes, pieces: list[bytes], frames: list[bytes]) -> None:
    assert numbered(line, 7, pieces) == frames


def test_the_format_says_what_ids_look_like() -> None:
    assert id_line(TokensFormat(), "r") == LINE
    assert id_line(VercelFormat(), "r") == b""
