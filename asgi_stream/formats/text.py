"""``text/plain``: the answer's text as it is made, and nothing else.

What ``TextStreamChatTransport`` of the AI SDK reads (npm ``ai`` 7.0.173), and curl.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from .._json import joined
from ..events import Event, RunError, RunFinished, TextDelta
from . import tokens, vercel
from ._decoded import MODEL
from ._frame import Frame
from ._plain_request import plain_spec
from ._spec import FormatRequest, RunSpec
from ._vercel.request import chat_spec


class TextFormat(tokens.TokensFormat):
    """The text of ``tokens`` without frames. Takes an input, or the chat of the AI SDK.

    Plain text cannot express an error, so a run that fails after its first output aborts the
    connection; nor a ping, so nothing is sent while the run is silent.
    """

    media_type = "text/plain"
    system_messages = False
    ping = b""
    breaks_on_error = True
    answers_with_resume = False
    runs: ClassVar[Mapping[tuple[str, str], str]] = {}

    def __init__(self) -> None:
        super().__init__()
        self._halves: dict[str, str] = {}

    def parse(self, request: FormatRequest) -> RunSpec:
        body = request.body
        if isinstance(body, dict) and isinstance(body.get("trigger"), str):
            spec, _ = chat_spec(request)
            return spec
        return plain_spec(request)

    @classmethod
    def refusal(cls, error: RunError) -> tuple[bytes, str]:
        return vercel.VercelFormat.refusal(error)

    def encode(self, event: Event) -> bytes:
        if isinstance(event, TextDelta):
            text = self._halves.pop(event.step.run_id, "") + event.text
            if "\ud800" <= text[-1:] <= "\udbff":
                # Half of a character; the other half is in the model's next token.
                self._halves[event.step.run_id] = text[-1]
                text = text[:-1]
            return _utf8(text)
        return _utf8("".join(self._halves.values())) if isinstance(event, RunFinished) else b""

    def decode(self, frame: Frame) -> Iterable[Event]:
        return [TextDelta(MODEL, frame.data)] if frame.data else []

    @classmethod
    def recognizes(cls, frame: Frame) -> bool:
        return False


def _utf8(text: str) -> bytes:
    """Return `text` in UTF-8, with surrogate pairs joined and U+FFFD for lone surrogates."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return joined(text).encode()
