"""The site builds without a warning, loads nothing from elsewhere, and has each page as text."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from .blocks import DOCS, ROOT

SITE = DOCS / "site"


@pytest.fixture(scope="module")
def site() -> Path:
    command = [sys.executable, str(DOCS / "make.py")]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=120)
    assert built.returncode == 0, (built.stdout + built.stderr).decode()
    return SITE


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    loads = re.compile(r"<(?:script|img|iframe)\b[^>]*\bsrc=\"?(?:https?:)?//|<link\b[^>]*\bhref=")
    for page in site.rglob("*.html"):
        text = page.read_text()
        for match in loads.finditer(text):
            tag = text[match.start() : text.index(">", match.start())]
            assert "://" not in tag, (page, tag)
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(?:@import|url\()[\"' ]*(?:https?:)?//", sheet.read_text()), sheet


def test_each_page_has_its_text_beside_it(site: Path) -> None:
    sources = sorted((DOCS / "pages").rglob("*.md"))
    listed = (site / "llms.txt").read_text()
    whole = (site / "llms-full.txt").read_text()
    for source in sources:
        path = source.relative_to(DOCS / "pages").as_posix()
        text = (site / path).read_text()
        page = (site / path).with_suffix(".html").read_text()
        assert f'<link rel="alternate" type="text/markdown" href="{source.name}">' in page
        assert not re.search(r"^(:::|--8<--)", text, re.MULTILINE), path
        assert f"]({path}): " in listed
        assert text.strip() in whole


def test_the_api_pages_have_every_public_name(site: Path) -> None:
    text = "".join(page.read_text() for page in (site / "api").glob("*.html"))
    for name in ("StreamRoute", "client.RemoteRunnable", "errors.RunTimeout", "stores.EventStore"):
        assert f'id="asgi_stream.{name}"' in text, name


def test_the_search_index_has_the_pages(site: Path) -> None:
    index = (site / "search.json").read_text()
    for words in ("StreamRoute", "RemoteRunnable"):
        assert words in index, words
