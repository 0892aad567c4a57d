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
        """Add a piece, or discard all pieces of the model that a `TextDiscarded` names."""
        if isinstance(event, TextDiscarded):
            failed = event.step.run_id
            self.pieces = [piece for piece in self.pieces if piece.step.run_id != failed]
        else:
            self.pieces.append(event)

    def text(self, kind: type[TextDelta | ReasoningDelta] = TextDelta) -> str:
        """Return the text of all pieces of a kind."""
        return "".join(piece.text for piece in self.pieces if isinstance(piece, kind))
