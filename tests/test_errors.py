from __future__ import annotations

import inspect
import logging
import re
from typing import Any
from urllib.parse import quote

import pytest
from pydantic import BaseModel, ConfigDict

from asgi_stream import StreamApp, StreamError, StreamRoute, errors
from asgi_stream._delivery.observability import reported
from asgi_stream.errors import RunFailed, RunTimeout
from asgi_stream.errors.mapping import kinds_of, public_error, statuses
from asgi_stream.errors.text import listed, one_line

from .asgi import post
from .bound import bound
from .models import chain_of

pytestmark = pytest.mark.anyio


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")
    question: str


class Limited(Exception):
    pass


class Worse(Limited):
    pass


LIMITED = StreamError("Slow down.", code="rate_limited", status=429)
WORSE = StreamError("Stop.", code="stop", status=403)


def test_the_text_of_another_exception_is_not_sent() -> None:
    error = public_error(ValueError("secret"), {})
    assert (error.code, error.status, error.message) == ("run_failed", 500, "The run failed.")


def test_the_most_specific_class_wins() -> None:
    table: dict[type[BaseException], StreamError] = {Limited: LIMITED, Worse: WORSE}
    assert public_error(Limited(), table) is LIMITED
    assert public_error(Worse(), table) is WORSE
    assert public_error(Worse(), {Limited: LIMITED}) is LIMITED


def test_a_group_stands_for_its_first_mapped_member() -> None:
    group = ExceptionGroup("g", [ValueError(), ExceptionGroup("h", [Limited()])])
    assert public_error(group, {Limited: LIMITED}) is LIMITED
    assert isinstance(public_error(group, {}), RunFailed)


def test_a_stream_error_is_sent_unchanged_unless_the_route_maps_it() -> None:
    late = RunTimeout()
    assert public_error(late, {}) is late
    assert public_error(late, {RunTimeout: LIMITED}) is LIMITED


@pytest.mark.parametrize("header", [("a b", "c"), ("", "c"), ("a", "b\nc"), ("a", "é")])
def test_an_error_s_headers_can_be_sent(header: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="is no HTTP header"):
        StreamError("No.", headers=dict([header]))
    assert StreamError("No.", headers={"Retry-After": "5"}).headers == {"Retry-After": "5"}


def test_the_docstring_draws_the_tree() -> None:
    drawn = dict(re.findall(r"── (\w+) +(\d{3} +\w+)", inspect.getdoc(errors) or ""))
    built = {
        name: f"{kind.status}  {kind.code}"
        for name, kind in vars(errors).items()
        if inspect.isclass(kind) and issubclass(kind, StreamError) and kind is not StreamError
    }
    assert drawn == built


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain, with 'quotes' and ü", "plain, with 'quotes' and ü"),
        ("a\r\nFAKE", "a\\r\\nFAKE"),
        ("\x00\x1b[31m\x7f\x85", "\\x00\\x1b[31m\\x7f\\x85"),
        ("a\u2028b\u2029c", "a\\u2028b\\u2029c"),
        ("\u202egnp\u2066", "\\u202egnp\\u2066"),
        ("cut \ud83d", "cut \\ud83d"),
    ],
)
def test_control_characters_are_escaped(text: str, line: str) -> None:
    assert one_line(text) == line


def test_the_middle_of_a_long_text_is_left_out() -> None:
    assert one_line("x" * 2000) == "x" * 2000
    line = one_line("key" + "x" * 900_000 + ": this route does not accept it", 60)
    assert len(line) == 60
    assert line.startswith("keyxx")
    assert line.endswith("does not accept it")


FORGED = "a\r\nFAKE ERROR root: admin logged in"


@pytest.mark.parametrize(
    ("format", "path", "body"),
    [
        ("tokens", "", {"question": "q", FORGED: 1}),
        ("tokens", f"?{quote(FORGED)}=1", {"question": "q"}),
        ("langserve", "/invoke", {"input": "x", "config": {"configurable": {FORGED: 1}}}),
        ("langserve", "/invoke", {"input": "x", "kwargs": {FORGED: 1}}),
        ("openai", "/chat/completions", {"model": FORGED, "messages": []}),
        ("openai", "/chat/completions", {"model": "m" * 900_000, "messages": []}),
        (
            "openai",
            "/responses",
            {"model": "x", "input": [{"type": "item_reference", "id": FORGED}]},
        ),
        ("openai", "/responses", {"model": "x", "input": "", "tools": [{"type": FORGED}]}),
        ("vercel", "", {"messages": [{"role": FORGED, "parts": []}]}),
    ],
)
async def test_a_request_cannot_forge_a_log_line(
    format: str, path: str, body: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "asgi_stream")
    strict = {"input": Strict} if format == "tokens" else {"conversation": str}
    options: Any = {} if format == "langserve" else strict
    app = StreamApp([StreamRoute("/x", chain_of("a"), format=format, **options)])
    response = await post(app, f"/x{path}", body)
    assert 400 <= response.status < 500
    assert len(response.body) < 10_000
    messages = [record.getMessage() for record in caplog.records]
    assert messages
    for message in messages:
        assert len(message.splitlines()) == 1
        assert len(message) < 3000


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["a"], "a"),
        (["a", "b"], "a and b"),
        (["a", "b", "c"], "a, b and c"),
        ([*"abcd", "e\n", "f", "g"], "a, b, c, d, e\\n and 2 more"),
    ],
)
def test_names_are_enumerated(names: list[str], text: str) -> None:
    assert listed(names) == text


LEVELS = {
    errors.InvalidRequest: "INFO",
    errors.InvalidInput: "INFO",
    errors.Refused: "INFO",
    errors.ForeignHost: "INFO",
    errors.ForeignOrigin: "INFO",
    errors.NotFound: "INFO",
    errors.RunNotFound: "INFO",
    errors.MethodNotAllowed: "INFO",
    errors.BodyTimeout: "INFO",
    errors.NotOffered: "INFO",
    errors.ThreadNotFound: "INFO",
    errors.NotPending: "INFO",
    errors.RunCancelled: "INFO",
    errors.RunReplaced: "INFO",
    errors.ThreadBusy: "INFO",
    errors.ThreadExists: "INFO",
    errors.FramesGone: "INFO",
    errors.BodyTooLarge: "INFO",
    errors.UnsupportedMediaType: "INFO",
    errors.TooManyOwned: "INFO",
    errors.ShuttingDown: "INFO",
    errors.TooManyRuns: "WARNING",
    errors.ReaderTooSlow: "WARNING",
    errors.RunTimeout: "WARNING",
    errors.RunFailed: "ERROR",
    errors.RunIncomplete: "ERROR",
    errors.StoreUnavailable: "WARNING",
    errors.WorkerLost: "ERROR",
}


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("run_failed", errors.RunFailed),
        ("timeout", errors.RunTimeout),
        ("too_many_runs", errors.TooManyRuns),
        ("worker_lost", errors.WorkerLost),
        ("of_a_route", StreamError),
    ],
)
def test_the_last_error_with_a_code_is_that_of_a_run(code: str, kind: type[StreamError]) -> None:
    assert kinds_of(code)[-1] is kind


def test_every_error_has_a_log_level() -> None:
    assert set(LEVELS) == {kind for kinds in statuses().values() for kind in kinds}


@pytest.mark.parametrize("kind", LEVELS)
def test_each_error_is_logged_at_its_level(
    kind: type[StreamError], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    error = reported(kind())
    [record] = caplog.records
    assert record.levelname == LEVELS[kind]
    assert record.exc_info is None
    message = f"unrouted request: {kind.message} ({kind.code}, error id {error.id})"
    assert record.getMessage() == message


def test_the_log_names_the_route_and_the_run(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    route = bound(StreamRoute("/chat", chain_of("a")))
    reported(LIMITED, route)
    reported(LIMITED, route, "r1")
    starts = [record.getMessage().partition(":")[0] for record in caplog.records]
    assert starts == ["request to /chat", "run r1 of /chat"]


@pytest.mark.parametrize(
    ("mapped", "level"),
    [
        (None, "ERROR"),
        (StreamError("Later.", code="timeout", status=504), "ERROR"),
        (errors.ShuttingDown(), "ERROR"),
        (LIMITED, "INFO"),
    ],
)
def test_other_exceptions_are_logged_with_their_traceback(
    mapped: StreamError | None, level: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    table = {} if mapped is None else {Limited: mapped}
    reported(Limited("secret"), bound(StreamRoute("/", chain_of("a"), errors=table)))
    [record] = caplog.records
    assert record.levelname == level
    assert "Limited: secret" in caplog.text
