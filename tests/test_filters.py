from __future__ import annotations

from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda

from asgi_stream import EventFilter, StreamApp, StreamRoute, TableError
from asgi_stream.events import Step
from asgi_stream.filters import is_answer_step

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
def test_events_are_admitted_by_name_and_step(
    options: dict[str, Any], event: str, step: Step, admitted: bool
) -> None:
    assert EventFilter(**options).admits(event, step) is admitted


def test_types_are_those_that_langchain_has() -> None:
    chosen = EventFilter(types=["chat_model"], exclude_types=["chat-model", "tool"])
    [problem] = chosen.problems()
    assert problem.startswith("filter: exclude_types: 'chat-model' is none of chat_model, llm, ")
    with pytest.raises(TableError, match="exclude_types: 'chat-model' is none of"):
        StreamApp([StreamRoute("/x", RunnableLambda(str), format="events", filter=chosen)])


def test_what_langchain_can_filter_is_pushed_down() -> None:
    filter = EventFilter(names=["a"], exclude_types=["b"], include=["on_*"])
    assert filter.pushed_down() == {"include_names": ["a"], "exclude_types": ["b"]}


def test_nothing_is_pushed_down_when_inputs_are_sent() -> None:
    assert EventFilter(names=["a"], inputs=True).pushed_down() == {}


@pytest.mark.parametrize("words", ["on_tool_*", [1], iter([1]), b"on", 5, None])
def test_patterns_are_sequences_of_strings(words: Any) -> None:
    with pytest.raises(TypeError, match="include must be a sequence of strings"):
        EventFilter(include=words)


def test_an_iterator_excludes_what_it_yields() -> None:
    hidden = EventFilter(exclude_names=(name for name in ["search"]))  # type: ignore[arg-type]
    assert hidden == EventFilter(exclude_names=["search"])
    assert not hidden.admits("on_tool_end", TOOL)


@pytest.mark.parametrize("answer", [["gpt"], ["answer"], ["writer"], ["x", "fast"]])
def test_an_answer_lists_names_tags_or_nodes(answer: list[str]) -> None:
    assert is_answer_step(MODEL, answer)
    assert not is_answer_step(TOOL, answer)
