"""The reference of the command in docs/pages/reference/command.md, made of its ``--help``.

``python -m tests.config.table_schema`` writes it, with the other references.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import click

from asgi_stream.cli.commands import main

PAGE = Path(__file__).parents[2] / "docs/pages/reference/command.md"
MARK = "<!-- Made by python -m tests.config.table_schema: do not edit what follows. -->\n"


def page() -> str:
    """Return the page with its reference made anew."""
    commands = [*_commands(main, "asgi-stream")]
    summary = [f"| `{name}` | {_line(each)} |" for name, each in commands]
    lines = ["| command | description |", "|---|---|", *summary]
    lines += [line for name, each in commands for line in _section(name, each)]
    return PAGE.read_text().split(MARK)[0] + MARK + "\n" + "\n".join(lines) + "\n"


def _commands(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    for word in sorted(group.commands):
        command = group.commands[word]
        if isinstance(command, click.Group):
            yield from _commands(command, f"{name} {word}")
        else:
            yield f"{name} {word}", command


def _line(command: click.Command) -> str:
    """Return the first paragraph of a command's help."""
    return " ".join(inspect.cleandoc(command.help or "").split("\n\n")[0].split())


def _section(name: str, command: click.Command) -> Iterator[str]:
    arguments = [each for each in command.params if isinstance(each, click.Argument)]
    words = [each.make_metavar(click.Context(command)) for each in arguments]
    yield from ("", f"### `{name}`", "", f"`{' '.join([name, '[OPTIONS]', *words])}`", "")
    yield from inspect.cleandoc(command.help or "").splitlines()
    options = [each for each in command.params if isinstance(each, click.Option)]
    if options:
        yield from ("", "| option | | default |", "|---|---|---|")
    for option in options:
        names = ", ".join(f"`{each}`" for each in option.opts)
        default = f"`{option.default}`" if option.show_default else ""
        yield f"| {names}{_values(option)} | {option.help or ''} | {default} |"


def _values(option: click.Option) -> str:
    """Return what a value of the option may be."""
    if option.is_flag:
        return ""
    if isinstance(option.type, click.Choice):
        return " " + ", ".join(f"`{each}`" for each in option.type.choices)
    return f" `{option.make_metavar(click.Context(click.Command('')))}`"
