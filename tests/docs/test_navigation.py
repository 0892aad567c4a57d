"""Every page is in the navigation, and every link leads somewhere."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from functools import cache
from os.path import normpath
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from .blocks import CONFIG, DOCS, ROOT, pages, prose, source

LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^)\s]+)(?: \"[^\"]*\")?\)")
REFERENCE = re.compile(r"^\[[^\]]+\]: (\S+)", re.MULTILINE)
ATTRIBUTE = re.compile(r"\b(?:href|src)=\"([^\"]+)\"")


def paths(entries: list[dict[str, Any]]) -> Iterator[str]:
    for entry in entries:
        for target in entry.values():
            yield from [target] if isinstance(target, str) else paths(target)


def test_every_page_is_in_the_navigation_once() -> None:
    folder = DOCS / "pages"
    there = [path.relative_to(folder).as_posix() for path in folder.rglob("*.md")]
    assert sorted(paths(CONFIG["nav"])) == sorted(there)


@cache
def anchors(page: str) -> frozenset[str]:
    text = re.sub(
        r'^--8<-- "([^":]+).*"$', lambda m: (ROOT / m[1]).read_text(), source(page), flags=re.M
    )
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    names: list[str] = []
    for heading in re.findall(r"^#{1,6} (.+)$", text, re.MULTILINE):
        own = re.search(r"\{ *#([\w.-]+) *\}$", heading)
        slug = own[1] if own else slug_of(heading)
        names.append(f"{slug}_{names.count(slug)}" if slug in names else slug)
    names += re.findall(r"<a id=\"([^\"]+)\"", text)
    for module in re.findall(r"^::: ([\w.]+)$", text, re.MULTILINE):
        public = importlib.import_module(module)
        names.append(module)
        for name in public.__all__:
            value = getattr(public, name)
            names += [f"{module}.{name}", *(f"{module}.{name}.{each}" for each in dir(value))]
    return frozenset(names)


def slug_of(heading: str) -> str:
    """As Python-Markdown and GitHub make it."""
    text = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", heading).replace("`", "")
    return re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", text).strip().lower())


@pytest.mark.parametrize("page", pages())
def test_links_lead_somewhere(page: str) -> None:
    text = prose(page)
    for target in {*LINK.findall(text), *REFERENCE.findall(text), *ATTRIBUTE.findall(text)}:
        parts = urlsplit(target)
        if parts.scheme:
            assert parts.scheme in ("https", "mailto"), f"{page}: {target}"
            assert parts.scheme == "mailto" or "." in parts.netloc, f"{page}: {target}"
            continue
        path = (ROOT / page).parent / parts.path if parts.path else ROOT / page
        assert path.is_file() or not parts.path.endswith((".md", ".svg")), f"{page}: {target}"
        assert path.exists(), f"{page}: {target}"
        inside = Path(normpath(path)).is_relative_to(DOCS / "pages") or not page.startswith("docs/")
        assert inside, f"{page}: {target} is not on the site"
        if parts.fragment:
            name = path.resolve().relative_to(ROOT).as_posix()
            assert parts.fragment in anchors(name), f"{page}: {target}"
