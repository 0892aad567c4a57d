"""Events for the tables of the front ends' formats, and how the tables are read."""

from __future__ import annotations

import json
from typing import Any

from asgi_stream.errors import StreamError
from asgi_stream.events import Event, Interrupt, ModelFinished, RunError, RunFinished, Step
from asgi_stream.formats import Format, FormatRequest

RUN = Step("r", "chain", "chain")
MODEL = Step("m", "model", "chat_model")
TOOL = Step("m", "add", "tool")
NODE = Step("n", "plan", "chain", node="plan")
USAGE = {
    "input_tokens": 3,
    "output_tokens": 2,
    "total_tokens": 5,
    "input_token_details": {"cache_read": 1},
    "output_token_details": {"reasoning": 1},
}
FINISHED = RunFinished(RUN, {"x": 1})
WAITS = RunFinished(RUN, {"x": 1}, [Interrupt("i1", "Shall I?")])
FAILED = RunError("run_failed", "The run failed.", "e1")
ENDED = ModelFinished(MODEL, "stop", USAGE, "m-1", "openai")


def wire(format: Format, *events: Event) -> str:
    return b"".join(map(format.encode, events)).decode()


def data(*objects: Any, done: bool = False) -> str:
    """The frames that have these objects as their JSON, and ``[DONE]``."""
    frames = [f"data: {json.dumps(each, separators=(',', ':'))}\n\n" for each in objects]
    return "".join(frames) + ("data: [DONE]\n\n" if done else "")


def refused(format: Format, body: Any, **request: Any) -> str:
    """What a client is told of a body that is not taken: where, and what."""
    try:
        format.parse(FormatRequest(body=body, **request))
    except StreamError as error:
        return next(iter(error.fields), error.message)
    raise AssertionError("it was taken")
