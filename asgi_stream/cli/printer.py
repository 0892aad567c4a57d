"""Prints the stream of a run to a terminal, whatever its format: text, tools, results, errors."""

from __future__ import annotations

import re
import sys
import time
from typing import IO, Any

import click

from ..client._connection import DecodedFrame, RemoteStream, httpx
from ..errors import StreamError
from ..errors.text import mask_passwords
from .pieces import Piece, Pieces

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


class Printer:
    """Prints a run: its text to stdout, everything else to stderr.

    As a context manager it ends the process, with the exit code of the run's outcome.

    Args:
        url: The URL that is called.
        raw: Print the frames as they arrive.
    """

    def __init__(self, url: str, raw: bool) -> None:
        self._url, self._raw = mask_passwords(url), raw
        self._started = time.monotonic()
        self._first: float | None = None
        self._pieces = Pieces()
        self._last = "note"
        self._line_open = False
        self._failed = False
        self._id = ""

    def __enter__(self) -> Printer:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        match error:
            case KeyboardInterrupt():
                self.end("stopped")
                sys.exit(130)
            case StreamError():
                fields = "".join(f"\n  {field}: {what}" for field, what in error.fields.items())
                error_id = f", error id {error.id}" if error.id else ""
                self._fail(f"{error.message} ({error.code}{error_id}){fields}")
            case httpx.HTTPError() | httpx.InvalidURL():
                self._fail(f"{self._url}: {error or type(error).__name__}")
        if error is None or self._failed:
            sys.exit(1 if self._failed else 0)

    def print(self, stream: RemoteStream, decoded: DecodedFrame) -> None:
        """Print a frame of a stream."""
        if self._raw:
            self._print_raw(stream, decoded)
        for event in decoded.events:
            for piece in self._pieces.of(event):
                self._first = self._first or time.monotonic() - self._started
                self._failed = self._failed or piece.kind == "error"
                if not self._raw:
                    self._show(piece)

    def end(self, summary: str, advice: str = "") -> None:
        """Print how the call ended, how long it took, and what can be done next."""
        if self._raw:
            return
        first = "" if self._first is None else f", first output after {self._first:.2f} s"
        self._end_line()
        duration = f"{time.monotonic() - self._started:.2f} s"
        click.secho(f"[{summary}{first}, {duration}]", dim=True, err=True)
        if advice:
            click.echo(_harmless(advice, sys.stderr), err=True)

    def _print_raw(self, stream: RemoteStream, decoded: DecodedFrame) -> None:
        frame = decoded.frame
        if not stream.is_event_stream:
            click.echo(frame.data, nl=False)
            return
        # A frame without an id has that of the frame before.
        last, self._id = self._id, frame.id
        own = "" if frame.id == last else frame.id
        fields = {"id": own, "event": frame.event, "data": frame.data}
        click.echo("".join(f"{name}: {value}\n" for name, value in fields.items() if value))

    def _fail(self, text: str) -> None:
        self._failed = True
        self._show(Piece("error", text))
        click.echo(err=True)

    def _show(self, piece: Piece) -> None:
        continues = piece.kind in ("text", "reasoning") and piece.kind == self._last
        if not continues and piece.kind != "arguments":
            self._end_line()
            click.echo(MARKS.get(piece.kind, ""), nl=False, err=piece.kind != "text")
        if piece.kind == "text":
            click.echo(_harmless(piece.text, sys.stdout), nl=False)
        else:
            text = _harmless(piece.text, sys.stderr)
            click.secho(text, nl=False, err=True, **STYLES[piece.kind])
        self._last = piece.kind
        self._line_open = True

    def _end_line(self) -> None:
        if self._line_open:
            click.echo(err=self._last != "text")
            self._line_open = False


_controls = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def _harmless(text: str, stream: IO[str]) -> str:
    """Return `text` without control characters if `stream` is a terminal."""
    return _controls.sub("\N{REPLACEMENT CHARACTER}", text) if stream.isatty() else text
