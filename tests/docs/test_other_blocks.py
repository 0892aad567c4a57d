"""Blocks of TOML, JSON and servers' configurations are valid; every language is checked."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from asgi_stream import StreamApp

from ..servers import free_port
from .blocks import Block, blocks, pages
from .python_blocks import module_name, provide, run_blocks

pytestmark = pytest.mark.anyio

BLOCKS = [block for page in pages() for block in blocks(page)]
CHECKED = {"python", "sh", "toml", "json", "nginx", "haproxy", "js", "jsx", "ts", "tsx", "html"}
SHOWN = {"", "text", "http", "dockerfile", "yaml", "ini", "diff"}
"""What a program has printed, or reads, for which there is no check here."""


def of(*languages: str) -> list[Block]:
    return [each for each in BLOCKS if each.language in languages]


def test_every_language_is_known() -> None:
    unknown = {str(each): each.language for each in BLOCKS if each.language not in CHECKED | SHOWN}
    assert not unknown


def test_every_check_is_one_of_a_block_that_is_run() -> None:
    checked = {"python", "toml", "js", "jsx", "ts", "tsx", "html"}
    assert {each.language for each in BLOCKS if each.check} <= checked
    for page in pages():
        comments = re.findall(r"<!-- check: ", (Path(__file__).parents[2] / page).read_text())
        if page != "CONTRIBUTING.md":
            assert len(comments) == sum(bool(each.check) for each in blocks(page)), page


@pytest.mark.parametrize("block", of("toml"), ids=str)
async def test_toml_blocks_load(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tomllib.loads(block.code)
    in_project = "asgi-stream" in table.get("tool", {})
    if not in_project and not {"app", "defaults", "route"} & table.keys():
        return
    if any(module_name(each) for each in blocks(block.page, "python")):
        await run_blocks(block.page, tmp_path, monkeypatch)
    else:
        provide(block.page, tmp_path, monkeypatch)
    path = tmp_path / ("pyproject.toml" if in_project else "asgi_stream.toml")
    path.write_text(block.code)
    assert StreamApp.from_toml(path).table or not table.get("route")


@pytest.mark.parametrize("block", of("json"), ids=str)
def test_json_blocks_are_json(block: Block) -> None:
    json.loads(block.code)


@pytest.mark.parametrize("block", of("nginx"), ids=str)
def test_nginx_blocks_are_accepted_by_nginx(block: Block, tmp_path: Path) -> None:
    config = tmp_path / "nginx.conf"
    server = f"server {{ listen 127.0.0.1:{free_port()}; {block.code} }}"
    config.write_text(f"pid {tmp_path}/pid; events {{ }} http {{ access_log off; {server} }}")
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    command = [nginx, "-t", "-e", "stderr", "-c", str(config)]
    checked = subprocess.run(command, capture_output=True, timeout=20)
    assert checked.returncode == 0, checked.stderr.decode()


@pytest.mark.parametrize("block", of("haproxy"), ids=str)
def test_haproxy_blocks_are_accepted_by_haproxy(block: Block, tmp_path: Path) -> None:
    config = tmp_path / "haproxy.cfg"
    config.write_text(block.code)
    haproxy = shutil.which("haproxy") or "/usr/sbin/haproxy"
    checked = subprocess.run([haproxy, "-c", "-f", config], capture_output=True, timeout=20)
    assert checked.returncode == 0, checked.stderr.decode()
