"""Copies of threads, what is left of pruned ones, and threads of several graphs in one list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from asgi_stream import StreamApp, StreamRoute

from ..asgi import Exchange, call, get, post
from ..formats.langgraph_app import Echo, app_of, ask_graph, chat_graph, said, user_of

pytestmark = pytest.mark.anyio

OTHER = {"x-user": "other"}
QUESTION = {"question": "Shall I?", "log": []}


@pytest.fixture
def app() -> StreamApp:
    return app_of()


async def run(app: Any, thread: str, assistant: str, status: int = 200, **body: Any) -> Any:
    body = {"assistant_id": assistant, "if_not_exists": "create", **body}
    exchange = await post(app, f"/lg/threads/{thread}/runs/wait", body)
    assert exchange.status == status, exchange.body
    return exchange.json()


async def history(app: Any, thread: str) -> Any:
    return (await post(app, f"/lg/threads/{thread}/history", {"limit": 100})).json()


async def copied(app: Any, thread: str, **options: Any) -> Exchange:
    """The SDKs send no body."""
    return await call(app, "POST", f"/lg/threads/{thread}/copy", **options)


async def prune(app: Any, ids: Any, **body: Any) -> Exchange:
    headers = body.pop("headers", {})
    return await post(app, "/lg/threads/prune", {"thread_ids": ids, **body}, headers=headers)


def without_ids(states: Sequence[Any]) -> list[Any]:
    return [(each["values"], each["next"], each["metadata"].get("step")) for each in states]


async def test_a_copy_has_the_history_of_its_thread_and_goes_its_own_way(app: StreamApp) -> None:
    await run(app, "t1", "chat", input=said("a"), metadata={"title": "one"})
    await run(app, "t1", "chat", input=said("b"))
    copy = (await copied(app, "t1")).json()
    assert copy["thread_id"] != "t1"
    assert (copy["status"], copy["metadata"]["title"]) == ("idle", "one")
    before = await history(app, "t1")
    assert without_ids(await history(app, copy["thread_id"])) == without_ids(before)
    await run(app, copy["thread_id"], "chat", input=said("c"))
    assert (
        len((await get(app, f"/lg/threads/{copy['thread_id']}")).json()["values"]["messages"]) == 6
    )
    assert await history(app, "t1") == before
    threads = (await post(app, "/lg/threads/search", {"metadata": {"title": "one"}})).json()
    assert len(threads) == 2


async def test_a_copy_of_a_thread_that_asks_can_be_answered(app: StreamApp) -> None:
    await run(app, "t1", "nested", input=QUESTION)
    copy = (await copied(app, "t1")).json()
    assert copy["status"] == "interrupted"
    [interrupts] = copy["interrupts"].values()
    assert interrupts[0]["value"] == {"question": "Shall I?"}
    values = await run(app, copy["thread_id"], "nested", command={"resume": "yes"})
    assert values["log"] == ["prepared", "answered yes", "concluded"]
    assert (await get(app, "/lg/threads/t1")).json()["status"] == "interrupted"


async def test_a_thread_without_a_state_can_be_copied(app: StreamApp) -> None:
    await post(app, "/lg/threads", {"thread_id": "t1", "metadata": {"a": 1}})
    copy = (await copied(app, "t1")).json()
    assert (copy["metadata"], copy["status"]) == ({"a": 1}, "idle")


async def test_a_thread_is_copied_while_a_run_is_in_progress(app: StreamApp) -> None:
    body = {"assistant_id": "slow", "input": said("a"), "if_not_exists": "create"}
    path = "/lg/threads/t1/runs/stream"
    headers = {"content-type": "application/json"}
    async with Exchange(app, "POST", path, body, headers=headers) as exchange:
        await exchange.started()
        assert (await get(app, "/lg/threads/t1")).json()["status"] == "busy"
        assert (await copied(app, "t1")).json()["status"] == "idle"


async def test_another_owner_s_thread_cannot_be_copied(app: StreamApp) -> None:
    await run(app, "t1", "chat", input=said("a"))
    assert (await copied(app, "t1", headers=OTHER)).status == 404
    assert (await copied(app, "nothing")).status == 404
    assert (await post(app, "/lg/threads/search", {}, headers=OTHER)).json() == []


async def test_a_page_of_another_origin_cannot_copy_a_thread(app: StreamApp) -> None:
    await run(app, "t1", "chat", input=said("a"))
    foreign = {"sec-fetch-site": "cross-site"}
    assert (await copied(app, "t1", headers=foreign)).status == 415


async def test_pruned_threads_are_gone_and_those_of_others_are_not(app: StreamApp) -> None:
    for thread in ("t1", "t2", "t3"):
        await run(app, thread, "chat", input=said("a"))
    theirs = await prune(app, ["t1", "t2"], headers=OTHER)
    assert theirs.json() == {"pruned_count": 0}
    assert (await prune(app, ["t1", "t2", "t2", "nothing"])).json() == {"pruned_count": 2}
    assert [(await get(app, f"/lg/threads/t{n}")).status for n in (1, 2, 3)] == [404, 404, 200]


@pytest.mark.parametrize(
    "body",
    [
        {"thread_ids": []},
        {"thread_ids": None},
        {"thread_ids": "t1"},
        {"thread_ids": [""]},
        {"thread_ids": ["t"] * 1001},
        {"thread_ids": ["t1"], "strategy": "some"},
    ],
)
async def test_what_cannot_be_pruned_is_refused(app: StreamApp, body: Any) -> None:
    assert (await post(app, "/lg/threads/prune", body)).status == 422


class Pruning(InMemorySaver):
    """Keeps the latest checkpoint, as the checkpointer for PostgreSQL does."""

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        for thread_id in thread_ids:
            for checkpoints in self.storage[thread_id].values():
                for each in sorted(checkpoints)[:-1]:
                    del checkpoints[each]


async def test_only_the_latest_state_is_kept_if_the_checkpointer_can_do_that() -> None:
    keeps, keeps_not = chat_graph(Echo(), Pruning()), chat_graph(Echo(), InMemorySaver())
    graphs = {"keeps": keeps, "not": keeps_not}
    route = StreamRoute("/lg", graphs, format="langgraph", threads=True, authorize=user_of)
    app = StreamApp([route])
    await run(app, "t1", "keeps", input=said("a"))
    await run(app, "t2", "not", input=said("a"))
    [newest, *_] = await history(app, "t1")
    theirs = await prune(app, ["t1"], strategy="keep_latest", headers=OTHER)
    assert theirs.json() == {"pruned_count": 0}
    assert len(await history(app, "t1")) > 1
    pruned = await prune(app, ["t1"], strategy="keep_latest")
    assert pruned.json() == {"pruned_count": 1}
    [kept] = await history(app, "t1")
    assert kept["values"] == newest["values"]
    refused = await prune(app, ["t2"], strategy="keep_latest")
    assert refused.status == 422
    assert "checkpointer" in refused.json()["detail"]


async def test_a_list_reads_each_thread_with_its_own_graph() -> None:
    graphs = {
        "chat": chat_graph(Echo(), InMemorySaver()),
        "ask": ask_graph(InMemorySaver()),
    }
    route = StreamRoute("/lg", graphs, format="langgraph", threads=True, authorize=user_of)
    app = StreamApp([route])
    await run(app, "t1", "chat", input=said("a"))
    await run(app, "t2", "ask", input=QUESTION)
    asks, chat = (await post(app, "/lg/threads/search", {})).json()
    assert (asks["thread_id"], asks["status"], asks["values"]["log"]) == (
        *("t2", "interrupted"),
        ["prepared"],
    )
    assert len(chat["values"]["messages"]) == 2
