"""``data: {"token": "..."}`` for each piece of the answer's text, then ``data: [DONE]``."""

from __future__ import annotations

import json
from typing import ClassVar

from ..events import Event, OutputChunk, RunError, RunFinished, TextDelta
from ..serialize import to_json
from ..wire import DONE, error_frame
from . import Wanted


class Format:
    """The text that the run's models make.

    While no model has spoken, text that the run itself yields is the answer: so a plain Runnable
    has tokens too, and a chain that repeats its model's chunks does not double them.
    """

    wants: ClassVar[frozenset[Wanted]] = frozenset({TextDelta, OutputChunk})

    def __init__(self) -> None:
        self._model_spoke = False
        self._said: list[str] = []

    def encode(self, event: Event) -> bytes:
        match event:
            case TextDelta(text=text):
                self._model_spoke = True
                return _frame(text)
            case OutputChunk(text=text) if text and not self._model_spoke:
                self._said.append(text)
                return _frame(text)
            case RunFinished():
                silent = not (self._model_spoke or self._said)
                text = _text(event) if silent else ""
                return (_frame(text) if text else b"") + DONE
            case RunError():
                return error_frame(event) + DONE
        return b""

    def gather(self, event: Event) -> object:
        match event:
            case TextDelta(text=text):
                self._model_spoke = True
                self._said.append(text)
            case OutputChunk(text=text) if text and not self._model_spoke:
                self._said.append(text)
            case RunFinished():
                return "".join(self._said) or _text(event)
        return None


def _frame(text: str) -> bytes:
    return f'data: {{"token": {json.dumps(text)}}}\n\n'.encode()


def _text(end: RunFinished) -> str:
    return to_json(end.output).decode() if end.text is None else end.text
