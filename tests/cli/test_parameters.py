"""The values of the options of ``asgi-stream call``, and what the terminal can show."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from asgi_stream import __main__
from asgi_stream.cli import commands
from asgi_stream.cli.answers import answering_options
from asgi_stream.events import Interrupt

URL = "http://127.0.0.1:1/x"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["http://["], "expected http://..., not 'http://['"),
        (["localhost:8000/chat"], "expected http://..., not 'localhost:8000/chat'"),
        (["ftp://a:secret@host/x"], "expected http://..., not 'ftp://a:***@host/x'"),
        ([URL, "--timeout", "-1"], "expected more than 0 seconds, not -1.0"),
        ([URL, "--timeout", "nan"], "expected more than 0 seconds, not nan"),
        ([URL, "-H", "X: é"], "'X: é' is not ASCII"),
        ([URL, "-H", "X"], "expected name:value, not 'X'"),
        ([URL, "-p", "X"], "expected name=value, not 'X'"),
        ([URL, "--input", "{"], "invalid JSON: "),
        ([URL, "--input", "[" * 100_000], "invalid JSON: "),
    ],
)
def test_a_value_that_is_wrong(arguments: list[str], problem: str) -> None:
    done = CliRunner().invoke(commands.main, ["call", *arguments])
    assert done.exit_code == 2
    assert problem in done.stderr


@pytest.mark.parametrize("format", ["langgraph", "agui", "openai", "langserve", "text", None])
def test_answers_of_another_form_are_not_suggested(format: str | None) -> None:
    assert answering_options(format, "t", [Interrupt("a", 1)]) == ""


@pytest.mark.parametrize("format", ["tokens", "chunks", "events", "vercel"])
def test_answers_are_suggested_where_they_are_a_field_of_the_body(format: str) -> None:
    assert "--input" in answering_options(format, "t", [Interrupt("a", 1)])


@pytest.mark.parametrize(("value", "colors"), [("1", False), ("", None)])
def test_colors_can_be_off(monkeypatch: pytest.MonkeyPatch, value: str, colors: Any) -> None:
    monkeypatch.setenv("NO_COLOR", value)
    seen: list[Any] = []

    @click.command()
    def look() -> None:
        seen.append(click.get_current_context().color)

    monkeypatch.setitem(commands.main.commands, "look", look)
    assert CliRunner().invoke(commands.main, ["look"]).exit_code == 0
    assert seen == [colors]


def test_an_output_without_unicode_has_escapes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "latin-1"))
    monkeypatch.setattr(sys, "argv", ["asgi-stream", "new", str(tmp_path / "ł")])
    with pytest.raises(SystemExit) as ended:
        __main__.main()
    sys.stdout.flush()
    assert ended.value.code == 0
    assert rb"\u0142/bot.py" in written.getvalue()


def test_an_output_may_be_closed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "argv", ["asgi-stream", "new", str(tmp_path / "a")])
    with pytest.raises(SystemExit) as ended:
        __main__.main()
    assert ended.value.code == 0
