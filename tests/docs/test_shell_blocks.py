"""Commands in shell blocks, and their options, exist."""

from __future__ import annotations

import importlib.util
import inspect
import re
import shlex
from collections.abc import Iterator
from functools import cache

import click
import gunicorn.config
import hypercorn.__main__
import pytest
from granian.cli import cli as granian
from uvicorn.main import main as uvicorn

from asgi_stream.cli.commands import main as asgi_stream

from .blocks import ROOT, Block, blocks, pages

COMMANDS: dict[str, click.Command] = {
    "asgi-stream": asgi_stream,
    "granian": granian,
    "uvicorn": uvicorn,
}
OPTIONS = {
    "gunicorn": {each for s in gunicorn.config.KNOWN_SETTINGS for each in s.cli or ()},
    "hypercorn": {*re.findall(r'"(--?[\w-]+)"', inspect.getsource(hypercorn.__main__))},
}
ELSEWHERE = {
    *("apt-get", "cd", "cp", "curl", "docker", "echo", "export", "git", "kill", "mkdir", "nginx"),
    *("node", "npm", "npx", "openssl", "pytest", "redis-server", "source"),
}
"""Programs that are not Python's, nor this project's."""
SHELL = [block for page in pages() for block in blocks(page, "sh")]


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_commands_and_options_exist(block: Block) -> None:
    for command in commands(block.code):
        check(command)


def commands(code: str) -> Iterator[list[str]]:
    """The words of each command of a script, without what it sets in the environment."""
    text = re.sub(r"\\\n", " ", code)
    for line in text.splitlines():
        lexer = shlex.shlex(line.removeprefix("$ "), posix=True, punctuation_chars="&|;")
        lexer.whitespace_split = True
        words = [*lexer]
        command: list[str] = []
        for word in [*words, ";"]:
            if re.fullmatch(r"[&|;]+", word):
                if command:
                    yield command
                command = []
            elif command or not re.match(r"\w+=", word):
                command.append(word)


def check(command: list[str]) -> None:
    name, *words = command
    if name in ("exec", "sudo"):
        check(words)
    elif name in COMMANDS:
        check_click(COMMANDS[name], words)
        check_app(words)
    elif name in OPTIONS:
        options = {each.partition("=")[0] for each in words if each.startswith("-")}
        assert options <= OPTIONS[name], command
        check_app(words)
    elif name in ("pip", "python", "python3"):
        check_python(words)
    elif name.startswith("scripts/"):
        assert (ROOT / name).stat().st_mode & 0o100, command
    else:
        assert name in ELSEWHERE, command


def check_click(command: click.Command, words: list[str]) -> None:
    """Have click read the words: an unknown command or option is an error."""
    _, rest, _ = command.make_parser(click.Context(command)).parse_args([*words])
    if isinstance(command, click.Group) and rest:
        name, *words = rest
        assert name in command.commands, name
        check_click(command.commands[name], words)


def check_app(words: list[str]) -> None:
    """An app of the examples is there."""
    for word in words:
        if match := re.fullmatch(r"(examples[.\w]+):(\w+)", word):
            path = ROOT / (match[1].replace(".", "/") + ".py")
            assert re.search(rf"^{match[2]}\b", path.read_text(), re.MULTILINE), word


def check_python(words: list[str]) -> None:
    if words[:2] == ["-m", "pip"]:
        words = words[2:]
    if words[:1] == ["install"]:
        for word in words[1:]:
            if match := re.fullmatch(r"asgi[_-]stream\[([\w,]+)\](?:\[.*)?", word):
                assert {*match[1].split(",")} <= extras(), word
    elif words[:1] == ["-m"]:
        assert importlib.util.find_spec(words[1]), words


@cache
def extras() -> frozenset[str]:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return frozenset(project["optional-dependencies"])


@pytest.mark.parametrize(
    "line",
    [
        "asgi-stream serv",
        "asgi-stream serve --portt 8000",
        "uvicorn app:app --no-such-option",
        "gunicorn app:app --no-such-option",
        "hypercorn app:app --no-such-option",
        "granian app:app --no-such-option",
        "uvicorn examples.99_missing:app",
        "python -m asgi_stream_missing",
        'pip install "asgi_stream[missing]"',
        "scripts/missing",
        "unknown-program",
    ],
)
def test_a_mistake_is_noticed(line: str) -> None:
    [command] = commands(line)
    with pytest.raises((AssertionError, click.UsageError, OSError)):
        check(command)
