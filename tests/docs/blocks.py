"""The documentation's pages and the blocks of code in them.

A comment in the line before a block, ``<!-- check: NAME -->``, names the function in the page's
module in ``checks/`` that tries what the block has made. CONTRIBUTING.md says more.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
CONFIG: dict[str, Any] = tomllib.loads((DOCS / "zensical.toml").read_text())["project"]

_FENCE = re.compile(
    r"^(?P<indent> *)(?P<ticks>```+)(?P<language>[\w+-]*)(?P<options>[^`\n]*)\n"
    r"(?P<code>.*?)^(?P=indent)(?P=ticks) *$",
    re.MULTILINE | re.DOTALL,
)
_COPIED = re.compile(r"<!-- from [^\n]+ -->\s*\Z")
_CHECK = re.compile(r"<!-- check: (\w+) -->\s*\Z")


@dataclass(frozen=True)
class Block:
    """A block of code: where it is, what it is in, its ``title="..."`` and its check."""

    page: str
    line: int
    language: str
    title: str
    check: str
    code: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    def compiled(self, flags: int = 0) -> Any:
        """The code of a Python block, whose tracebacks name the page and its line."""
        text = "\n" * self.line + self.code
        return compile(text, str(ROOT / self.page), "exec", flags=flags, dont_inherit=True)


def pages() -> list[str]:
    """The paths of all pages, relative to the repository's root."""
    own = sorted(path.relative_to(ROOT).as_posix() for path in (DOCS / "pages").rglob("*.md"))
    return ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", *own]


def source(page: str) -> str:
    """The Markdown of a page, without what it includes of other files."""
    return (ROOT / page).read_text()


def blocks(page: str, *languages: str) -> list[Block]:
    return [each for each in _blocks(page) if not languages or each.language in languages]


def _blocks(page: str) -> Iterator[Block]:
    text = source(page)
    for match in _FENCE.finditer(text):
        if _COPIED.search(text[: match.start()]):
            continue  # of a file of the repository, which has tests of its own
        title = re.search(r'title="([^"]+)"', match["options"])
        check = _CHECK.search(text[: match.start()])
        indent = re.compile(f"^{match['indent']}", re.MULTILINE)
        yield Block(
            page,
            text.count("\n", 0, match.start()) + 1,
            match["language"],
            title[1] if title else "",
            check[1] if check else "",
            indent.sub("", match["code"]),
        )


def prose(page: str) -> str:
    """The Markdown of a page without its blocks and other code."""
    return re.sub(r"``?[^`\n]+``?", "", _FENCE.sub("", source(page)))


def module_of(page: str) -> str:
    """The name of the page's module in ``checks/``: ``frontends_vercel``."""
    path = page.removeprefix("docs/pages/").removesuffix(".md")
    return re.sub(r"\W", "_", path).lower()
