"""The state that a client of AG-UI sends with each request: what is new in it, and what is not."""

from __future__ import annotations

import operator
from collections.abc import AsyncIterator
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, AnyMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.message import add_messages

from asgi_stream import StreamApp, StreamRoute

from .test_agui import Chat

pytestmark = pytest.mark.anyio

Messages = Annotated[list[AnyMessage], add_messages]


class Diary(MessagesState):
    """A state to which a graph adds, and a field that is the page's alone."""

    log: Annotated[list[str], operator.add]
    turns: int
    language: str


def note(state: Diary) -> dict[str, Any]:
    return {"log": [state["messages"][-1].text], "turns": (state.get("turns") or 0) + 1}


def reply(state: Diary) -> dict[str, Any]:
    if state["messages"][-1].text == "fail":
        raise ValueError
    return {"messages": [AIMessage(f"{state.get('language', 'en')} {state['turns']}")]}


@pytest.fixture(params=["memory", "sqlite"])
async def app(request: pytest.FixtureRequest) -> AsyncIterator[StreamApp]:
    graph: Any = StateGraph(Diary).add_sequence([note, reply]).add_edge(START, "note")
    async with AsyncSqliteSaver.from_conn_string(":memory:") as sqlite:
        saver = InMemorySaver() if request.param == "memory" else sqlite
        agent = graph.compile(checkpointer=saver)
        yield StreamApp([StreamRoute("/", agent, format="agui", threads=True)])


def tab_of(chat: Chat) -> Chat:
    """Another tab, with what the first one shows."""
    tab = Chat(chat.app, chat.path)
    tab.messages, tab.state = list(chat.messages), chat.state
    return tab


def is_at(chat: Chat, *log: str, **more: Any) -> bool:
    return bool(chat.state == {"log": list(log), "turns": len(log), **more})


async def test_what_comes_back_with_an_edited_message_is_not_added_to_the_branch(
    app: StreamApp,
) -> None:
    chat = Chat(app, "/")
    for each in ("a", "b", "c"):
        await chat.say(each)
    chat.messages = [*chat.messages[:2], {**chat.messages[2], "content": "B"}]
    await chat.run()
    assert is_at(chat, "a", "B")
    chat.messages = chat.messages[:3]
    await chat.run()
    assert is_at(chat, "a", "B")
    await chat.say("d")
    assert is_at(chat, "a", "B", "d")


async def test_what_comes_back_after_a_run_without_an_end_is_not_added_again(
    app: StreamApp,
) -> None:
    chat = Chat(app, "/")
    await chat.say("a")
    await chat.say("fail", status=500)
    assert is_at(chat, "a")
    await chat.say("c")
    assert is_at(chat, "a", "fail", "c")


async def test_another_tab_neither_adds_to_the_state_nor_takes_it_back(app: StreamApp) -> None:
    chat = Chat(app, "/")
    await chat.say("a")
    other, quiet = tab_of(chat), tab_of(chat)
    log = ["a", "b", "c", "d", "e", "f"]
    for each in log[1:]:
        await chat.say(each)  # more checkpoints than are read at first
    await quiet.run()
    assert (quiet.messages, quiet.state) == (chat.messages, chat.state)  # nothing has run
    await other.say("g")
    assert is_at(other, *log, "g")
    await quiet.say("h")
    assert is_at(quiet, *log, "g", "h")


async def test_a_state_that_is_older_than_what_is_read_counts_as_new(app: StreamApp) -> None:
    chat = Chat(app, "/")
    await chat.say("a")
    tab = tab_of(chat)
    for n in range(17):
        await chat.say(f"{n}")
    await tab.say("late")
    assert tab.state["turns"] == 2


async def test_a_change_reaches_the_graph_once_wherever_the_page_stands(app: StreamApp) -> None:
    chat = Chat(app, "/")
    await chat.say("a")
    tab = tab_of(chat)
    await chat.say("b")
    tab.state = {**tab.state, "language": "de"}
    await tab.say("c")
    assert is_at(tab, "a", "b", "c", language="de")
    assert tab.texts[-1] == ("assistant", "de 3")
    tab.state = {**tab.state, "language": "fr"}
    tab.messages = [*tab.messages[:2], {**tab.messages[2], "content": "B"}]
    await tab.run()
    assert is_at(tab, "a", "B", language="fr")
    tab.state = {**tab.state, "language": "nl"}
    await tab.say("fail", status=500)
    await tab.say("d")
    assert is_at(tab, "a", "B", "fail", "d", language="nl")


async def test_a_field_can_be_set_back_to_what_it_was(app: StreamApp) -> None:
    chat = Chat(app, "/")
    for language in ("de", "fr", "de"):
        chat.state = {"language": language}
        await chat.say("Hi")
        assert chat.state["language"] == language


async def test_another_answer_gets_what_the_first_one_got_from_the_page(app: StreamApp) -> None:
    chat = Chat(app, "/")
    chat.state = {"language": "de", "log": ["page"]}
    await chat.say("a")
    assert chat.state == {"log": ["page", "a"], "turns": 1, "language": "de"}
    chat.messages = chat.messages[:1]
    await chat.run()
    assert chat.state == {"log": ["page", "a"], "turns": 1, "language": "de"}
    assert chat.texts[-1] == ("assistant", "de 1")


Page = TypedDict(
    "Page", {"messages": Messages, "context": list[Any], "copilotkit": Any, "ag-ui": Any}
)
"""A state with what a page tells of itself."""


async def test_what_the_page_tells_of_itself_is_what_it_sent_last() -> None:
    seen: list[Any] = []

    def node(state: Page) -> None:
        seen.append([state["context"], state["copilotkit"]["context"], state["ag-ui"]["context"]])

    graph: Any = StateGraph(Page).add_node("node", node).add_edge(START, "node")
    agent = graph.compile(checkpointer=InMemorySaver())
    chat = Chat(StreamApp([StreamRoute("/", agent, format="agui", threads=True)]), "/")
    context = [{"description": "the open document", "value": "salaries"}]
    await chat.say("a", context=context)
    await chat.say("b", context=[])
    await chat.say("c", context=context)
    chat.state = {}
    await chat.say("d", context=[])
    assert seen == [[context] * 3, [[]] * 3] * 2
