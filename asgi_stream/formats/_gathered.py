"""The pieces of an answer that is sent as one JSON document."""

from __future__ import annotations

from typing import Any

from ..events import ReasoningDelta, TextDelta, TextDiscarded


class Gathered:
    """The pieces of an answer, without those of model calls that failed.

    Attributes:
        pieces: Events in order; each has the step of a model or of the run.
    """

    def __init__(self) -> None:
        self.pieces: list[Any] = []

    def take(self, event: Any) -> None:
        """Add a piece, or discard what a `TextDiscarded` names."""
        if not isinstance(event, TextDiscarded):
            self.pieces.append(event)
            return
        model, revised = event.step.run_id, event.revised
        kept: list[Any] = []
        for piece in self.pieces:
            if piece.step.run_id != model or not (revised is None or isinstance(piece, TextDelta)):
                kept.append(piece)
            elif revised:
                kept.append(TextDelta(event.step, revised))
                revised = ""
        self.pieces = kept

    def text(self, kind: type[TextDelta | ReasoningDelta] = TextDelta) -> str:
        """Return the text of all pieces of a kind."""
        return "".join(piece.text for piece in self.pieces if isinstance(piece, kind))
