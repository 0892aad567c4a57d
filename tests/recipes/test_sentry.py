"""Sentry's own SDK sends the errors of runs, with their ids, to a server in Sentry's place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import httpx
import pytest

from ..servers import Server, serving
from .collector import Collector, collecting

ASK = {"messages": [["human", "What is the weather in Paris?"]]}
ANN = {"x-user": "ann"}
AS_JSON = {**ANN, "accept": "application/json"}
"""The response waits for the run, and has its status, on a slow machine too."""


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.fixture(scope="module")
def server(collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    dsn = collector.url.replace("http://", "http://key@") + "/1"
    env = {"SENTRY_DSN": dsn, "SENTRY_TRACES": "1"}
    folder = tmp_path_factory.mktemp("sentry")
    with serving("examples.recipes.sentry:app", folder, env=env) as running:
        yield running


def items(collector: Collector, kind: str, path: str) -> list[Any]:
    """What has arrived of one kind (``event``, ``transaction``) of requests to a path."""
    lines = [json.loads(line) for each in collector.received for line in each.body.splitlines()]
    # A header, and what it is of.
    wanted = [item for header, item in pairwise(lines) if header.get("type") == kind]
    return [item for item in wanted if item.get("transaction") == path]


def test_an_error_arrives_once_with_its_id_and_its_user(
    server: Server, collector: Collector
) -> None:
    answer = httpx.post(f"{server.url}/ai/agent", json=ASK, headers=AS_JSON, timeout=30)
    error = answer.json()["error"]
    collector.wait_for(lambda: items(collector, "transaction", "/ai/agent"))
    [event] = items(collector, "event", "/ai/agent")
    assert event["tags"]["error_id"] == error["id"]
    assert event["tags"]["run_id"] == answer.headers["x-run-id"]
    assert event["tags"]["code"] == error["code"] == "run_failed"
    assert event["user"]["id"] == "ann"
    value = event["exception"]["values"][-1]
    assert value["value"].startswith("The weather service does not know Paris.")
    assert value["stacktrace"]["frames"][-1]["function"] == "weather"
    assert "What is the weather" not in json.dumps(event)


def test_what_a_client_brings_about_is_no_error(server: Server, collector: Collector) -> None:
    assert httpx.post(f"{server.url}/ai/agent", json=ASK, timeout=30).status_code == 401
    answer = httpx.post(f"{server.url}/ai/patient", json=ASK, headers=AS_JSON, timeout=30)
    assert answer.status_code == 429
    url = f"{server.url}/ai/helpful/chat"
    with httpx.stream("POST", url, json=ASK, headers=ANN, timeout=30) as response:
        next(response.iter_raw())  # then it leaves
    for path in ("/ai/patient", "/ai/{bot}/chat"):
        collector.wait_for(partial(items, collector, "transaction", path))
        assert items(collector, "event", path) == []
