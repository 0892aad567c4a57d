"""``data: {"token": "..."}`` for each piece of the answer's text, then ``data: [DONE]``."""

from __future__ import annotations

from json.encoder import encode_basestring_ascii

from ..events import Event, RunFinished, TextDelta, TextDiscarded
from ._format import RUNS, Format
from ._gathered import Gathered
from ._sse import last_frames


class TokensFormat(Format):
    """The text of the answer."""

    runs = RUNS
    wants = frozenset({TextDelta, TextDiscarded})

    def __init__(self) -> None:
        self._said = Gathered()

    def encode(self, event: Event) -> bytes:
        if isinstance(event, TextDelta):
            return f'data: {{"token": {encode_basestring_ascii(event.text)}}}\n\n'.encode()
        return last_frames(event)

    def gather(self, event: Event) -> object:
        if isinstance(event, TextDelta | TextDiscarded):
            self._said.take(event)
        return self._said.text() if isinstance(event, RunFinished) else None
