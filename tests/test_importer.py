from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from asgi_stream._importer import ImportFailed, import_from_string, kind_of


def test_nested_attributes_are_resolved() -> None:
    assert import_from_string("json:JSONDecoder.decode") is json.JSONDecoder.decode


@pytest.mark.parametrize("name", ["json", "json:", ":dumps", ""])
def test_another_form_is_refused(name: str) -> None:
    with pytest.raises(ImportFailed, match='expected "module:attribute"'):
        import_from_string(name)


def test_a_missing_module_and_a_missing_attribute_have_their_own_message() -> None:
    with pytest.raises(ImportFailed, match="cannot import the module 'no_such_module'"):
        import_from_string("no_such_module:x")
    with pytest.raises(ImportFailed, match=r"the module 'json' has no attribute 'x\.y'"):
        import_from_string("json:x.y")


def test_an_error_at_import_is_chained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "breaks_at_import.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportFailed, match="ZeroDivisionError") as raised:
        import_from_string("breaks_at_import:x")
    assert isinstance(raised.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize(
    ("value", "kind"),
    [("", "a str"), (1, "an int"), (object(), "an object"), (None, "None"), (int, "the class int")],
)
def test_the_kind_of_a_value_has_its_article(value: Any, kind: str) -> None:
    assert kind_of(value) == kind
