from __future__ import annotations

import json

from asgi_stream.events import LangChainEvent, RunError, RunFinished, RunStarted, Step
from asgi_stream.formats.events import EventsFormat

STEP = Step("r", "Tool\r\nevent: forged", "tool", ["a"])
EVENT = LangChainEvent(STEP, "on_tool_end", {"output": "x"}, {"k": 1}, ["p"])
OBJECT = {
    "event": "on_tool_end",
    "name": "Tool\r\nevent: forged",
    "run_id": "r",
    "parent_ids": ["p"],
    "tags": ["a"],
    "metadata": {"k": 1},
    "data": {"output": "x"},
}


def test_an_event_is_one_line_of_json_with_the_published_keys() -> None:
    frame = EventsFormat().encode(EVENT)
    assert frame.startswith(b"data: {")
    assert frame.count(b"\n") == 2
    assert json.loads(frame[6:]) == OBJECT


def test_start_is_silent_and_the_end_is_done() -> None:
    assert EventsFormat().encode(RunStarted("r")) == b""
    assert EventsFormat().encode(RunFinished(STEP, 1)) == b"data: [DONE]\n\n"
    assert EventsFormat().encode(RunError("c", "m", "i")).endswith(b"}}\n\ndata: [DONE]\n\n")


def test_a_json_answer_is_the_list_of_events() -> None:
    gatherer = EventsFormat()
    for event in (RunStarted("r"), EVENT, EVENT):
        gatherer.gather(event)
    assert gatherer.gather(RunFinished(STEP, 1)) == [OBJECT, OBJECT]
