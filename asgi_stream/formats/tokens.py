"""``data: {"token": "..."}`` for each piece of the answer's text, then ``data: [DONE]``."""

from __future__ import annotations

from collections.abc import Iterable
from json.encoder import encode_basestring_ascii

from ..events import Event, RunFinished, TextDelta, TextDiscarded
from ._decoded import MODEL, object_in, plain_events
from ._format import Format
from ._frame import Frame
from ._gathered import Gathered
from ._resumable_format import RUNS
from ._sse import LastFrames, last_frames
from ._threads import THREADS


class TokensFormat(Format):
    """The text of the answer."""

    carries_output = answers_with_resume = True
    runs = RUNS
    threads = THREADS
    wants = frozenset({TextDelta, TextDiscarded})

    def __init__(self) -> None:
        self._gathered = Gathered()
        self._last_frames = LastFrames()

    def encode(self, event: Event) -> bytes:
        if isinstance(event, TextDelta):
            return f'data: {{"token": {encode_basestring_ascii(event.text)}}}\n\n'.encode()
        return last_frames(event)

    def decode(self, frame: Frame) -> Iterable[Event]:
        events = self._last_frames.decode(frame)
        if events is not None:
            return events
        match frame.json():
            case {"token": str(text)}:
                return [TextDelta(MODEL, text)]
        return plain_events(frame)

    @classmethod
    def recognizes(cls, frame: Frame) -> bool:
        return object_in(frame).keys() == {"token"}

    def gather(self, event: Event) -> object:
        if isinstance(event, TextDelta | TextDiscarded):
            self._gathered.take(event)
        return self._gathered.text() if isinstance(event, RunFinished) else None
