"""Reads a docstring's "Example:" as "Examples:", whose doctests are shown as code."""

from __future__ import annotations

import re
from typing import Any

import griffe


class SingleExamples(griffe.Extension):
    """Applies to every object of a package when it is loaded."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = re.sub(
                r"^( *)Example:$", r"\1Examples:", obj.docstring.value, flags=re.MULTILINE
            )
