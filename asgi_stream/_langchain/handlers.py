"""The choice of a run's handler of steps, by the events that its format takes."""

from __future__ import annotations

from ..events import BlockStarted, TextDelta
from .callbacks.answer import Answer
from .callbacks.emitter import Emitter
from .callbacks.event_handler import EventHandler
from .callbacks.sink import Sink
from .callbacks.step_handler import RawHandler, StepHandler
from .callbacks.text_handler import TextHandler
from .graph_fields import PrivateFields
from .run_request import RunRequest


def answer_of(request: RunRequest, sink: Sink) -> Answer:
    """Return what decides which text of a run is part of its answer."""
    private = PrivateFields(request.plan.current_graphs)
    in_one_piece = request.gathered or request.format.replies
    return Answer(sink, private, revises=in_one_piece)


def handler_of(request: RunRequest, answer: Answer, emitter: Emitter, sink: Sink) -> StepHandler:
    """Return the handler for a run.

    Args:
        request: The run.
        answer: Decides which text is part of its answer.
        emitter: Emits events from threads.
        sink: Takes events on the event loop.
    """
    if BlockStarted in sink.wants:
        return EventHandler(answer, emitter, sink, request.input, request.client_tools)
    return TextHandler(answer, emitter, sink) if TextDelta in sink.wants else RawHandler()
