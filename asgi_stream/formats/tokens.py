"""``data: {"token": "..."}`` for each piece of the answer's text, then ``data: [DONE]``."""

from __future__ import annotations

from json.encoder import encode_basestring_ascii

from ..events import Event, OutputChunk, RunFinished, TextDelta
from ..serialize import to_json
from ..wire import last_frames
from . import Format as FormatProtocol
from . import Wanted

MODELS = frozenset({TextDelta})


class Format(FormatProtocol):
    """The text that the run's models make.

    While no model has spoken, text that the run itself yields is the answer: so a plain Runnable
    has tokens too, and a chain that repeats its model's chunks does not double them.
    """

    wants: frozenset[Wanted] = frozenset({TextDelta, OutputChunk})

    def __init__(self) -> None:
        self._spoken = False
        self._gathered: list[str] = []

    def encode(self, event: Event) -> bytes:
        if self.wants is MODELS and isinstance(event, TextDelta):
            return _frame(event.text)  # the usual case, in the fewest steps
        text = self.said(event)
        return (_frame(text) if text else b"") + last_frames(event)

    def gather(self, event: Event) -> object:
        self._gathered.append(self.said(event))
        return "".join(self._gathered) if isinstance(event, RunFinished) else None

    def said(self, event: Event) -> str:
        """The event's part of the answer."""
        match event:
            case TextDelta(text=text):
                self._spoken = True
                self.wants = MODELS
                return text
            case OutputChunk(text=text) if text and OutputChunk in self.wants:
                self._spoken = True
                return text
            case RunFinished(output=output, text=text) if not self._spoken:
                return to_json(output).decode() if text is None else text
        return ""


def _frame(text: str) -> bytes:
    return f'data: {{"token": {encode_basestring_ascii(text)}}}\n\n'.encode()
