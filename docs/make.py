"""Builds the documentation's site into docs/site. Run it with ``scripts/docs``.

Zensical makes the pages. Beside each page is its Markdown, and ``llms.txt`` lists those;
``llms-full.txt`` has them all.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import re
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
ROOT = DOCS.parent
PAGES = DOCS / "pages"
SITE = DOCS / "site"
CONFIG = tomllib.loads((DOCS / "zensical.toml").read_text())["project"]

COPIED = re.compile(
    r"(^<!-- from ([^:\s]+)(?::([\w-]+))? -->\n\n```[^\n]*\n)(?:.*?)^```$", re.MULTILINE | re.DOTALL
)
"""A block, as copied from a file of the repository: readers of the Markdown see it, too."""


def navigation(entries: list[dict[str, Any]] | None = None) -> Iterator[tuple[str, str, list[str]]]:
    """Yield the title and path of each page in the navigation, with the titles above it."""
    for entry in CONFIG["nav"] if entries is None else entries:
        for title, target in entry.items():
            if isinstance(target, str):
                yield title, target, []
            else:
                for name, path, above in navigation(target):
                    yield name, path, [title, *above]


def text_of(path: str) -> str:
    """Return the Markdown of a page, with what it includes of other files and of docstrings."""
    text = (PAGES / path).read_text()
    text = re.sub(r'^--8<-- "([^":]+):(\d+):"$', _included, text, flags=re.MULTILINE)
    return re.sub(r"^::: ([\w.]+)\n(?:    .*\n)*", _documented, text, flags=re.MULTILINE)


def _included(match: re.Match[str]) -> str:
    lines = (ROOT / match[1]).read_text().splitlines()
    return "\n".join(lines[int(match[2]) - 1 :])


def renewed(text: str) -> str:
    """Return the Markdown of a page, whose blocks are as the files that they are from."""
    return COPIED.sub(lambda match: f"{match[1]}{copied(match[2], match[3])}```", text)


def copied(name: str, part: str | None) -> str:
    """Return the lines of a file from a line on, or those between the two marks of a section."""
    lines = (ROOT / name).read_text().splitlines()
    if part and part.isdecimal():
        lines = lines[int(part) - 1 :]
    elif part:
        start, end = (
            next(n for n, line in enumerate(lines) if f"--8<-- [{side}:{part}]" in line)
            for side in ("start", "end")
        )
        lines = lines[start + 1 : end]
    lines = [line for line in lines if "--8<-- [" not in line]
    return textwrap.dedent("\n".join(lines)).strip("\n") + "\n"


def _documented(match: re.Match[str]) -> str:
    """Return the docstrings of a module's public names."""
    module = importlib.import_module(match[1])
    parts = [f"## {match[1]}", inspect.getdoc(module) or ""]
    for name in getattr(module, "__all__", ()):
        value = getattr(module, name)
        if not (inspect.isclass(value) or inspect.isroutine(value)):
            continue
        parts += [f"### {name}", f"```python\n{name}{_signature(value)}\n```"]
        parts.append(f"```text\n{inspect.getdoc(value) or ''}\n```")
    return "\n\n".join(filter(None, parts)) + "\n"


def _signature(value: Any) -> str:
    try:
        return str(inspect.signature(value))
    except (TypeError, ValueError):  # some classes of protocols have none
        return ""


def summary(text: str) -> str:
    """Return the first sentence of a page."""
    paragraphs = re.split(r"\n\s*\n", text)
    prose = (each for each in paragraphs if re.match(r"[\w`\[*]", each))
    line = " ".join(next(prose, "").split())
    line = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", line)
    return re.split(r"(?<=[.:?]) (?=[A-Z`])", line)[0].rstrip(":")


def write_texts() -> None:
    """Write the Markdown of the pages, and the files that lead programs to it."""
    lines = [f"# {CONFIG['site_name']}", "", f"> {CONFIG['site_description']}"]
    whole, section = [], None
    for title, path, above in navigation():
        text = text_of(path)
        (SITE / path).parent.mkdir(parents=True, exist_ok=True)
        (SITE / path).write_text(text)
        if above[:1] != section or section is None:
            section = above[:1]
            lines += ["", f"## {section[0] if section else 'Start'}", ""] if section else [""]
        lines.append(f"- [{title}]({path}): {summary(text)}")
        whole.append(f"<!-- {path} -->\n\n{text.strip()}\n")
    (SITE / "llms.txt").write_text("\n".join(lines) + "\n")
    (SITE / "llms-full.txt").write_text("\n".join(whole))


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/docs")
    parser.add_argument("--serve", action="store_true", help="serve it, and build what changes")
    parser.add_argument("--port", type=int, default=8080, help="the port for --serve")
    options = parser.parse_args()
    for page in PAGES.rglob("*.md"):
        text = page.read_text()
        if renewed(text) != text:
            page.write_text(renewed(text))
    zensical = [sys.executable, "-m", "zensical"]
    config = ["--config-file", str(DOCS / "zensical.toml")]
    # Paths of included files are relative to the folder in which it runs.
    build = subprocess.run([*zensical, "build", "--strict", "--clean", *config], cwd=ROOT)
    if build.returncode:
        return build.returncode
    write_texts()
    print(f"The site is in {SITE.relative_to(ROOT)}.")
    if options.serve:
        serve = [*zensical, "serve", *config, "--dev-addr", f"127.0.0.1:{options.port}"]
        return subprocess.run(serve, cwd=ROOT).returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
