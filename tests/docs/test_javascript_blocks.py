"""Every JavaScript block of the documentation bundles, and those with a check run."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from .blocks import Block, blocks, pages
from .javascript import LANGUAGES, Script, bundle, write_blocks
from .names import check_of
from .served import serving_page

pytestmark = pytest.mark.anyio

WITH_SCRIPTS = [page for page in pages() if blocks(page, *LANGUAGES)]
WITH_CHECKS = [each for page in WITH_SCRIPTS for each in blocks(page, *LANGUAGES) if each.check]


def test_scripts_bundle(tmp_path: Path) -> None:
    files = [
        file
        for number, page in enumerate(WITH_SCRIPTS)
        for file in write_blocks(page, tmp_path / str(number))
    ]
    if files:
        bundle(files, f"--outdir={tmp_path / 'out'}")


@pytest.mark.parametrize("code", ['import { no } from "ai"; no()', 'import "./missing.js"', "<"])
def test_a_mistake_is_noticed(code: str, tmp_path: Path) -> None:
    file = tmp_path / "page.jsx"
    file.write_text(code)
    with pytest.raises(AssertionError):
        bundle([file], f"--outfile={tmp_path / 'out.js'}")


@pytest.mark.parametrize("block", WITH_CHECKS, ids=str)
async def test_scripts_run(block: Block, tmp_path: Path, playwright: Path) -> None:
    write_blocks(block.page, tmp_path)
    with serving_page(block.page, tmp_path) as server:
        result = check_of(block.page, block.check)(Script(block, server, tmp_path, playwright))
        assert inspect.isawaitable(result), "a check of JavaScript is an async function"
        await result
