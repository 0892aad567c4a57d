"""What a page has of another file of the repository is as it is there."""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any

import pytest

from .blocks import DOCS, pages, source

PAGES = [page for page in pages() if "\n<!-- from " in source(page)]


@pytest.fixture(scope="module")
def make() -> Any:
    spec = spec_from_file_location("make", DOCS / "make.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES)
def test_copies_are_up_to_date(make: Any, page: str) -> None:
    text = source(page)
    assert len(make.COPIED.findall(text)) == text.count("\n<!-- from ")
    assert make.renewed(text) == text, "run scripts/docs"


def test_an_old_copy_is_renewed(make: Any) -> None:
    [page, *_] = PAGES
    text = source(page)
    old = re.sub(r"(<!-- from .*\n\n```.*\n)", r"\1old\n", text)
    assert old != text
    assert make.renewed(old) == text
