"""Every stream ends with a terminal frame and a clean end of the body, whatever failed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ..apps import FAILURES
from ..asgi import frames
from ..servers import ALL_SERVERS, Server, serving


@pytest.fixture(scope="module", params=ALL_SERVERS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("ending")
    env = {"PROBE_LOG": str(folder / "notes")}
    with serving("tests.apps:app", folder, request.param, env) as running:
        yield running


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_in_the_middle_is_a_frame_before_a_clean_end(server: Server, name: str) -> None:
    # httpx raises when a chunked body ends without its last chunk.
    answer = httpx.post(f"{server.url}/stream/fails/{name}", json={"question": "q"}, timeout=10)
    assert answer.status_code == 200
    *_, error, done = frames(answer.content)
    assert (error["error"]["code"], done) == (FAILURES[name][1], "[DONE]")
    assert b"secret" not in answer.content
    assert error["error"]["id"] in server.log()
    assert httpx.get(f"{server.url}/health").text == "ok"


@pytest.mark.parametrize("accept", ["text/event-stream", "application/json"])
@pytest.mark.parametrize("name", FAILURES)
def test_a_call_of_a_tool_that_fails_has_a_result(server: Server, name: str, accept: str) -> None:
    arguments = {"question": "q"} if name == "middle" else {"input": "q"}
    params = {"name": name, "arguments": arguments, "_meta": {"progressToken": 1}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = {"accept": accept}
    answer = httpx.post(f"{server.url}/stream/tools", json=body, headers=headers, timeout=10)
    assert answer.status_code == 200
    streams = accept == "text/event-stream"
    messages = frames(answer.content) if streams else [answer.json()]
    result = messages[-1]["result"]
    error = result["_meta"]["asgi-stream/error"]
    assert (result["isError"], error["code"]) == (True, FAILURES[name][1])
    assert b"secret" not in answer.content
    assert error["id"] in server.log()


def test_a_failure_before_the_first_frame_has_its_status(server: Server) -> None:
    answer = httpx.post(f"{server.url}/stream/first", json=1)
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "run_failed"


def test_what_json_has_no_form_for_is_marked(server: Server) -> None:
    answer = httpx.post(f"{server.url}/stream/odd", json=1)
    mark = {"__unserializable__": "Unserializable"}
    assert frames(answer.content) == [{"thing": mark, "n": None}, "[DONE]"]


def test_an_error_as_json_has_its_status(server: Server) -> None:
    for name, (_, code) in FAILURES.items():
        answer = httpx.post(
            f"{server.url}/stream/fails/{name}",
            json={"question": "q"},
            headers={"accept": "application/json"},
            timeout=10,
        )
        assert answer.status_code == (504 if code == "timeout" else 500)
        assert answer.json()["error"]["code"] == code


def test_plain_text_ends_cleanly_or_with_a_broken_connection(server: Server) -> None:
    whole = httpx.post(f"{server.url}/stream/text/whole", json={"question": "q"})
    assert whole.headers["content-type"] == "text/plain; charset=utf-8"
    assert whole.text == "Hello"
    texts: list[str] = []
    with (
        httpx.stream("POST", f"{server.url}/stream/text/fails", json={"question": "q"}) as answer,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        texts.extend(answer.iter_text())
    assert texts == ["word"]
    assert httpx.get(f"{server.url}/health").text == "ok"
