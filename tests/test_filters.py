from __future__ import annotations

from typing import Any

import pytest

from asgi_stream import EventFilter
from asgi_stream.events import Step
from asgi_stream.filters import speaks

MODEL = Step("1", "gpt", "chat_model", ["answer", "fast"], "writer")
TOOL = Step("2", "search", "tool")

CASES: list[tuple[dict[str, Any], str, Step, bool]] = [
    ({}, "on_tool_start", TOOL, True),
    ({"include": ["on_tool_*"]}, "on_tool_start", TOOL, True),
    ({"include": ["on_tool_*"]}, "on_chat_model_stream", MODEL, False),
    ({"include": ["on_tool_*", "*_stream"]}, "on_chat_model_stream", MODEL, True),
    ({"exclude": ["on_chain_*"]}, "on_chain_start", TOOL, False),
    ({"include": ["on_*"], "exclude": ["*_end"]}, "on_tool_end", TOOL, False),
    ({"include": ["on_tool"]}, "on_tool_start", TOOL, False),
    ({"names": ["search"]}, "on_tool_start", TOOL, True),
    ({"names": ["search"]}, "on_chat_model_end", MODEL, False),
    ({"types": ["tool"], "tags": ["answer"]}, "on_chat_model_end", MODEL, True),
    ({"types": ["tool"], "tags": ["answer"]}, "on_tool_end", TOOL, True),
    ({"tags": ["answer"]}, "on_tool_end", TOOL, False),
    ({"exclude_names": ["gpt"]}, "on_chat_model_end", MODEL, False),
    ({"exclude_types": ["tool"]}, "on_tool_end", TOOL, False),
    ({"exclude_tags": ["fast"]}, "on_chat_model_end", MODEL, False),
    ({"exclude_tags": ["fast"]}, "on_tool_end", TOOL, True),
]


@pytest.mark.parametrize(("options", "event", "step", "admitted"), CASES)
def test_an_event_is_admitted_or_not(
    options: dict[str, Any], event: str, step: Step, admitted: bool
) -> None:
    assert EventFilter(**options).admits(event, step) is admitted


def test_what_langchain_can_filter_is_pushed_down() -> None:
    asked = EventFilter(names=["a"], exclude_types=["b"], include=["on_*"])
    assert asked.pushed_down() == {"include_names": ["a"], "exclude_types": ["b"]}


def test_nothing_is_pushed_down_when_inputs_are_sent() -> None:
    assert EventFilter(names=["a"], inputs=True).pushed_down() == {}


@pytest.mark.parametrize("words", ["on_tool_*", [1]])
def test_patterns_are_sequences_of_strings(words: Any) -> None:
    with pytest.raises(TypeError, match="include must be a sequence of strings"):
        EventFilter(include=words)


@pytest.mark.parametrize("answer", [["gpt"], ["answer"], ["writer"], ["x", "fast"]])
def test_a_step_speaks_by_name_tag_or_node(answer: list[str]) -> None:
    assert speaks(MODEL, answer)
    assert not speaks(TOOL, answer)
