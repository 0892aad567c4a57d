"""The callback handlers of a run, put together as `Run` does, without a run."""

from __future__ import annotations

from uuid import uuid4

from asgi_stream._langchain.callbacks.answer import Answer
from asgi_stream._langchain.callbacks.emitter import Emitter
from asgi_stream._langchain.callbacks.event_handler import EventHandler
from asgi_stream._langchain.callbacks.pacing import Pacer
from asgi_stream._langchain.callbacks.run_callbacks import RunCallbacks, StreamingCallbacks
from asgi_stream._langchain.callbacks.step_handler import RawHandler
from asgi_stream._langchain.callbacks.text_handler import TextHandler
from asgi_stream._langchain.callbacks.tracker import RunTracker
from asgi_stream._langchain.graph_fields import PrivateFields

from ..corpus import Recording


def callbacks_for(
    sink: Recording, kind: type[TextHandler | EventHandler] | None = TextHandler
) -> tuple[RunCallbacks, RunTracker]:
    """Return the callbacks that emit into `sink`, and their tracker; None stands for raw chunks."""
    pacer, tracker = Pacer(sink), RunTracker(uuid4())
    emitter = Emitter(sink, pacer)
    if kind is None:
        return RunCallbacks(tracker, RawHandler(), emitter, sink, pacer), tracker
    handler = kind(Answer(sink, PrivateFields(tuple)), emitter, sink)
    return StreamingCallbacks(tracker, handler, emitter, sink, pacer), tracker
