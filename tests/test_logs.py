"""The text of an exception cannot forge a line of the log."""

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
