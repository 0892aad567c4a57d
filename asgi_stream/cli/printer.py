"""An answer as it streams, in a terminal."""

from __future__ import annotations

import re
import sys
import time
from typing import IO, Any

import click

from ..client._connection import Frame, httpx
from ..errors import StreamError, mask_passwords
from .renderers import Shown, shown

STYLES: dict[str, dict[str, Any]] = {
    "reasoning": {"fg": "cyan"},
    "call": {"fg": "blue"},
    "arguments": {"fg": "blue"},
    "result": {"fg": "green"},
    "failure": {"fg": "yellow"},
    "error": {"fg": "red"},
    "note": {"dim": True},
}
MARKS = {"call": "→ ", "result": "← ", "failure": "✗ ", "error": "✗ ", "note": "· "}


_controls = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def _harmless(text: str, stream: IO[str]) -> str:
    """`text` without what makes a terminal do things."""
    return _controls.sub("\N{REPLACEMENT CHARACTER}", text) if stream.isatty() else text


class Printing:
    """Writes an answer to the terminal: its text to stdout, all else to stderr.

    As a context it ends the process, with the code that the call's outcome has.

    Args:
        url: What is called.
        raw: Write frames as they are.
    """

    def __init__(self, url: str, raw: bool) -> None:
        self._url, self._raw = mask_passwords(url), raw
        self._began = time.monotonic()
        self._first: float | None = None
        self._streamed: set[str] = set()
        self._last = "note"
        self._failed = False
        self._id = ""

    def __enter__(self) -> Printing:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        match error:
            case KeyboardInterrupt():
                self.end("stopped")
                sys.exit(130)
            case StreamError():
                fields = "".join(f"\n  {field}: {what}" for field, what in error.fields.items())
                told = f", error id {error.id}" if error.id else ""
                self._fail(f"{error.message} ({error.code}{told}){fields}")
            case httpx.HTTPError() | httpx.InvalidURL():
                self._fail(f"{self._url}: {error or type(error).__name__}")
        if error is None or self._failed:
            sys.exit(1 if self._failed else 0)

    def take(self, format: str | None, frame: Frame) -> None:
        if self._raw:
            # The id of the last frame that had one goes on to those behind it.
            known, self._id = self._id, frame.id
            own = "" if frame.id == known else frame.id
            fields = {"id": own, "event": frame.event, "data": frame.data}
            lines = [f"{name}: {value}\n" for name, value in fields.items() if value]
            click.echo("".join(lines) if format != "text" else frame.data, nl=format != "text")
        for piece in shown(format, frame, self._streamed):
            self._first = self._first or time.monotonic() - self._began
            self._failed = self._failed or piece.kind == "error"
            if not self._raw:
                self._show(piece)

    def _fail(self, text: str) -> None:
        self._failed = True
        self._show(Shown("error", text))
        click.echo(err=True)

    def end(self, text: str) -> None:
        if self._raw:
            return
        first = "" if self._first is None else f", first output after {self._first:.2f} s"
        took = f"{time.monotonic() - self._began:.2f} s"
        self._break()
        click.secho(f"[{text}{first}, {took}]", dim=True, err=True)

    def _show(self, piece: Shown) -> None:
        grows = piece.kind in ("text", "reasoning") and piece.kind == self._last
        if not grows and piece.kind != "arguments":
            self._break()
            click.echo(MARKS.get(piece.kind, ""), nl=False, err=piece.kind != "text")
        if piece.kind == "text":
            click.echo(_harmless(piece.text, sys.stdout), nl=False)
        else:
            text = _harmless(piece.text, sys.stderr)
            click.secho(text, nl=False, err=True, **STYLES[piece.kind])
        self._last = piece.kind
        self._open = True

    _open = False

    def _break(self) -> None:
        if self._open:
            click.echo(err=self._last != "text")
            self._open = False
