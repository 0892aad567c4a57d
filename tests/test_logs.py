"""What a client sends cannot begin a line of the log, in the text of an exception either."""

from __future__ import annotations

import logging

import pytest
from langchain_core.runnables import RunnableLambda

from asgi_stream import StreamApp, StreamRoute
from asgi_stream._logs import logger

from .asgi import post

pytestmark = pytest.mark.anyio

FORGED = "ERROR root: all is lost"


def rude(text: str) -> str:
    try:
        raise KeyError(text)
    except KeyError as error:
        raise ValueError(f"not good: {text}") from error


@pytest.mark.parametrize("break_", ["\n", "\r\n", "\r", "\x0b", "\x0c", "\x85", "\u2028", "\n\n"])
async def test_the_text_of_an_exception_begins_no_line(
    break_: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = StreamApp([StreamRoute("/", RunnableLambda(rude))])
    assert (await post(app, "/", f"x{break_}{FORGED}")).status == 500
    [record] = [each for each in caplog.records if each.exc_info]
    text = logging.Formatter("%(levelname)s %(name)s: %(message)s").format(record)
    assert not any(line.startswith(FORGED) for line in text.splitlines())
    first, *traceback = text.splitlines()
    assert first.startswith("ERROR asgi_stream: run ")
    assert traceback[0] == "    Traceback (most recent call last):"
    assert all(line.startswith("    ") for line in traceback)
    assert "    ValueError: not good: x" in traceback
    assert any("in rude" in line for line in traceback)


async def test_a_terminal_is_told_nothing(caplog: pytest.LogCaptureFixture) -> None:
    app = StreamApp([StreamRoute("/", RunnableLambda(rude))])
    await post(app, "/", "x\x1b[2J\x1b[31m\u202e")
    [record] = [each for each in caplog.records if each.exc_info]
    text = logging.Formatter().format(record)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert r"ValueError: not good: x\x1b[2J\x1b[31m\u202e" in text


def test_a_record_without_an_exception_is_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    logger.error("nothing", exc_info=(None, None, None))
    logger.error("nothing")
    assert [record.exc_text for record in caplog.records] == [
        "NoneType: None",
        None,
    ]  # logging's own
