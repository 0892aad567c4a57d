"""LangGraph's SDK with an API key, and what a page of another origin needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import NotFoundError

from ..servers import Server, serving

pytestmark = pytest.mark.anyio

ASK = {"messages": [{"type": "human", "content": "I want to go to Paris."}]}
PAGE = "http://localhost:3000"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    name = "examples.recipes.langgraph_api:app"
    with serving(name, tmp_path_factory.mktemp("langgraph_api")) as running:
        yield running


def client_of(server: Server, user: str) -> LangGraphClient:
    return get_client(url=f"{server.url}/api", api_key=f"secret-of-{user}")


async def run(client: LangGraphClient, thread: str, **what: Any) -> Any:
    """The last state that a run streams."""
    *_, last = [
        part.data
        async for part in client.runs.stream(thread, "agent", stream_mode="values", **what)
        if part.event == "values"
    ]
    return last


async def test_each_key_has_threads_of_its_own(server: Server) -> None:
    async with client_of(server, "ann") as ann, client_of(server, "bob") as bob:
        thread = (await ann.threads.create())["thread_id"]
        state = await run(ann, thread, input=ASK)
        assert state["__interrupt__"][0]["value"]["action_requests"][0]["name"] == "book_train"
        found_by_graph = await ann.threads.search(metadata={"graph_id": "agent"})
        assert [each["status"] for each in found_by_graph] == ["interrupted"]
        assert await bob.threads.search() == []
        with pytest.raises(NotFoundError, match="no such thread"):
            await bob.threads.get_state(thread)
        command: Any = {"resume": {"decisions": [{"type": "approve"}]}}
        state = await run(ann, thread, command=command)
        assert state["messages"][-1]["content"].startswith("The train to Paris is booked.")


async def test_a_page_of_another_origin_can_find_its_run(server: Server) -> None:
    url = f"{server.url}/api/threads"
    preflight = {
        "origin": PAGE,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,x-api-key",
    }
    answer = httpx.options(f"{url}/search", headers=preflight, timeout=30)
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "x-api-key" in answer.headers["access-control-allow-headers"]
    headers = {"origin": PAGE, "x-api-key": "secret-of-ann"}
    thread = httpx.post(url, json={}, headers=headers).json()["thread_id"]
    body = {"assistant_id": "agent", "input": ASK, "stream_resumable": True}
    answer = httpx.post(f"{url}/{thread}/runs/stream", json=body, headers=headers, timeout=30)
    location = answer.headers["content-location"]
    assert location.startswith(f"/threads/{thread}/runs/")
    exposed = answer.headers["access-control-expose-headers"].lower()
    assert {"content-location", "location"} <= {*exposed.split(", ")}
    stored = httpx.get(f"{server.url}/api{location}", headers=headers).json()
    assert stored["run_id"] == answer.headers["x-run-id"]


@pytest.mark.parametrize("origin", ["https://other.example", None])
def test_other_origins_and_wrong_keys_are_refused(server: Server, origin: str | None) -> None:
    headers = {"x-api-key": "secret"} | ({"origin": origin} if origin else {})
    answer = httpx.get(f"{server.url}/api/info", headers=headers, timeout=30)
    assert answer.status_code == 401
    assert "access-control-allow-origin" not in answer.headers
