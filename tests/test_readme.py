"""The README's commands exist; its blocks are tried in tests/docs, and by the wheel's tests."""

from __future__ import annotations

import re

from .docs.blocks import blocks
from .servers import HERE


def code(language: str) -> list[str]:
    return [block.code for block in blocks("README.md", language)]


def test_it_begins_with_the_two_commands_that_set_everything_up() -> None:
    lines = code("sh")[0].splitlines()
    assert [line.split()[0] for line in lines] == ["scripts/demo", "scripts/test"]
    for line in lines:
        assert (HERE.parent / line.split()[0]).stat().st_mode & 0o100


def test_it_is_short() -> None:
    assert len((HERE.parent / "README.md").read_text().splitlines()) <= 150


def test_it_names_every_extra() -> None:
    project = (HERE.parent / "pyproject.toml").read_text()
    extras = project.partition("[project.optional-dependencies]\n")[2].partition("\n\n")[0]
    named = re.findall(r"^\| `(\w+)` \|", (HERE.parent / "README.md").read_text(), re.MULTILINE)
    assert set(re.findall(r"^(\w+) =", extras, re.MULTILINE)) <= set(named)
