"""The text of an exception cannot forge a line of the log."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda

from asgi_stream import Limits, StreamApp, StreamRoute
from asgi_stream._logs import logger
from asgi_stream.errors.guarded_logger import GuardedLogger
from asgi_stream.stores._redis import errors

from .asgi import post

pytestmark = pytest.mark.anyio

FORGED = "ERROR root: all is lost"


def rude(text: str) -> str:
    try:
        raise KeyError(text)
    except KeyError as error:
        raise ValueError(f"not good: {text}") from error


@pytest.mark.parametrize("break_", ["\n", "\r\n", "\r", "\x0b", "\x0c", "\x85", "\u2028", "\n\n"])
async def test_every_line_of_a_traceback_is_indented(
    break_: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = StreamApp([StreamRoute("/", RunnableLambda(rude))])
    assert (await post(app, "/", f"x{break_}{FORGED}")).status == 500
    [record] = [record for record in caplog.records if record.exc_info]
    text = logging.Formatter("%(levelname)s %(name)s: %(message)s").format(record)
    assert not any(line.startswith(FORGED) for line in text.splitlines())
    first, *traceback = text.splitlines()
    assert first.startswith("ERROR asgi_stream: run ")
    assert traceback[0] == "    Traceback (most recent call last):"
    assert all(line.startswith("    ") for line in traceback)
    assert "    ValueError: not good: x" in traceback
    assert any("in rude" in line for line in traceback)


async def test_escape_sequences_are_escaped(caplog: pytest.LogCaptureFixture) -> None:
    app = StreamApp([StreamRoute("/", RunnableLambda(rude))])
    await post(app, "/", "x\x1b[2J\x1b[31m\u202e")
    [record] = [record for record in caplog.records if record.exc_info]
    text = logging.Formatter().format(record)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert r"ValueError: not good: x\x1b[2J\x1b[31m\u202e" in text


def test_a_record_without_an_exception_is_unchanged(caplog: pytest.LogCaptureFixture) -> None:
    logger.error("nothing", exc_info=(None, None, None))
    logger.error("nothing")
    assert [record.exc_text for record in caplog.records] == [
        "NoneType: None",
        None,
    ]  # logging's own


def raises(*_: Any) -> Any:
    raise ConnectionError("the collector of logs is down")


class FailingHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        raises()


def failing_factory() -> None:
    factory = logging.getLogRecordFactory()
    logging.setLogRecordFactory(
        lambda name, *args, **kwargs: (
            raises() if name == logger.name else factory(name, *args, **kwargs)
        )
    )


BROKEN: list[Callable[[], None]] = [
    lambda: logger.logger.addHandler(FailingHandler()),
    lambda: logger.logger.addFilter(raises),
    failing_factory,
]


@pytest.fixture(params=BROKEN, ids=["handler", "filter", "factory"])
def broken_log(request: pytest.FixtureRequest) -> Iterator[None]:
    own, factory = logger.logger, logging.getLogRecordFactory()
    handlers, filters, level = [*own.handlers], [*own.filters], own.level
    own.setLevel(logging.DEBUG)
    request.param()
    yield
    own.handlers, own.filters = handlers, filters
    own.setLevel(level)
    logging.setLogRecordFactory(factory)


async def fails_late(_: Any) -> AsyncIterator[str]:
    yield "a"
    raise ValueError


async def forbids(_: Any) -> str:
    raise ValueError


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.usefixtures("broken_log")
async def test_a_log_that_raises_keeps_no_end_from_a_reader(
    resume: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    steps: dict[str, Any] = {"/early": rude, "/late": fails_late, "/fine": str}
    limits = Limits(run=5)
    routes = [
        StreamRoute(path, RunnableLambda(step), resume=resume, limits=limits)
        for path, step in steps.items()
    ]
    app = StreamApp([*routes, StreamRoute("/secret", RunnableLambda(str), authorize=forbids)])
    early, late, fine, missing, secret = [
        await post(app, path, "x") for path in (*steps, "/missing", "/secret")
    ]
    assert (early.status, missing.status, secret.status) == (500, 404, 500)
    assert all(b'"code"' in each.body for each in (early, missing, secret))
    assert b"run_failed" in late.body
    assert fine.body.endswith(b"data: [DONE]\n\n")
    printed = capsys.readouterr().err
    assert "the collector of logs is down" in printed
    assert "Message: '%s: %s (%s, error id %s)'" in printed


def test_a_record_says_where_it_was_logged(caplog: pytest.LogCaptureFixture) -> None:
    logger.warning("one")
    logger.log(logging.WARNING, "two")
    assert {record.filename for record in caplog.records} == {"test_logs.py"}


def test_the_stores_log_in_the_same_way() -> None:
    assert isinstance(errors.logger, GuardedLogger)
    assert errors.logger.logger is logger.logger
