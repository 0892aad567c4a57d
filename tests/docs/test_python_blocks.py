"""Every Python block of the documentation runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .blocks import blocks, pages
from .python_blocks import run_blocks
from .served import serving_page

pytestmark = pytest.mark.anyio

WITH_PYTHON = [page for page in pages() if blocks(page, "python")]
WITH_CLIENTS = [
    page
    for page in WITH_PYTHON
    if any("RemoteRunnable(" in each.code for each in blocks(page, "python"))
]


@pytest.mark.parametrize("page", [each for each in WITH_PYTHON if each not in WITH_CLIENTS])
async def test_python_blocks_run(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run_blocks(page, tmp_path, monkeypatch)


@pytest.mark.server
@pytest.mark.parametrize("page", WITH_CLIENTS)
async def test_python_blocks_with_a_client_run(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving_page(page, tmp_path) as server:
        names: dict[str, Any] = {"url": f"{server.url}/chat"}
        await run_blocks(page, tmp_path, monkeypatch, names)
