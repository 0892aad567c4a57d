"""What an answer in one piece is made of."""

from __future__ import annotations

from typing import Any

from ..events import ReasoningDelta, TextDelta, TextDiscarded


class Gathered:
    """Pieces of an answer, without those that failed calls of models have said.

    Attributes:
        pieces: The events that were taken, in order; each is of a model's step or of the run's.
    """

    def __init__(self) -> None:
        self.pieces: list[Any] = []

    def take(self, event: Any) -> None:
        """Take a piece, or take back those of a model."""
        if isinstance(event, TextDiscarded):
            failed = event.step.run_id
            self.pieces = [piece for piece in self.pieces if piece.step.run_id != failed]
        else:
            self.pieces.append(event)

    def text(self, kind: type[TextDelta | ReasoningDelta] = TextDelta) -> str:
        """The text of all pieces of a kind."""
        return "".join(piece.text for piece in self.pieces if isinstance(piece, kind))
