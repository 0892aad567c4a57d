"""Each recipe says how it is started, is on a page of the documentation, and is tested."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ..servers import HERE

RECIPES = HERE.parent / "examples" / "recipes"
FILES = sorted(path for path in RECIPES.glob("*.py") if path.name != "__init__.py")


def text_of(folder: Path, pattern: str) -> str:
    return "".join(path.read_text() for path in folder.glob(pattern))


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_a_recipe_says_how_it_is_started(file: Path) -> None:
    module = f"examples.recipes.{file.stem}"
    first = file.read_text().splitlines()[0]
    assert re.fullmatch(rf"# (uvicorn {module}:app( --\w+ \d+)?|python -m {module})", first)


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_a_recipe_is_on_a_page_and_tested(file: Path) -> None:
    pages = text_of(HERE.parent / "docs" / "pages", "**/*.md")
    assert f"<!-- from examples/recipes/{file.name} -->" in pages
    tests = text_of(HERE / "recipes", "test_*.py")
    assert re.search(rf"\b{file.stem}\b", tests)
