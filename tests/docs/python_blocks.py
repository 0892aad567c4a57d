"""Runs the Python blocks of a page one after the other, as a reader pastes them."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from .blocks import Block, blocks
from .names import check_of, page_names, stand_in


@dataclass(frozen=True)
class Ran:
    """What a check is called with: the names after its block, the block, and a folder for files."""

    names: dict[str, Any]
    block: Block
    folder: Path


async def run_blocks(
    page: str, folder: Path, patch: pytest.MonkeyPatch, names: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Run the Python blocks of `page` and their checks; return the names that they leave.

    A block with a title, ``title="bot.py"``, is also a module that later blocks may import, or a
    file, ``title="asgi_stream.toml"``.
    """
    provide(page, folder, patch)
    names = {**page_names(page), **(names or {})}
    for block in blocks(page, "python"):
        await run_block(block, names, patch)
        if block.check:
            result = check_of(page, block.check)(Ran(names, block, folder))
            if inspect.isawaitable(result):
                await result
    return names


def provide(page: str, folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Write the files of a page, and stand in for the modules and variables that tables name."""
    patch.chdir(folder)
    modules = {module_name(block) for block in blocks(page, "python")}
    for block in blocks(page, "toml"):
        if block.title:
            (folder / block.title).write_text(block.code)
        for name in {*re.findall(r'"([\w.]+):\w+"', block.code)} - modules:
            patch.setitem(sys.modules, name, stand_in(name, page))
        for name in re.findall(r'from_env *= *"(\w+)"', block.code):
            patch.setenv(name, "redis://127.0.0.1:6379/0")


async def run_block(block: Block, names: dict[str, Any], patch: pytest.MonkeyPatch) -> None:
    coroutine = eval(block.compiled(ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
    if inspect.isawaitable(coroutine):
        await coroutine
    if name := module_name(block):
        module = ModuleType(name)
        vars(module).update(names, __name__=name)
        patch.setitem(sys.modules, name, module)


def module_name(block: Block) -> str:
    """The module that a block is by its title; "" if it is none."""
    is_module = block.language == "python" and block.title.endswith(".py")
    return block.title.removesuffix(".py").replace("/", ".") if is_module else ""
