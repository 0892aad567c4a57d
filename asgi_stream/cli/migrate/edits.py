"""Changes of a source text at the positions of its syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from io import StringIO
from textwrap import indent


class Edits:
    """Collects changes of whole lines, and makes them at once.

    Args:
        text: The source.
    """

    def __init__(self, text: str) -> None:
        self._lines = StringIO(text, newline="").readlines()  # the lines that Python counts
        self._inserted: dict[int, list[str]] = {}
        self._removed: set[int] = set()

    def is_alone(self, node: ast.stmt) -> bool:
        """Return whether no other code is on the lines of a statement."""
        after = self._lines[lines_of(node)[1]].encode()[node.end_col_offset :].strip()
        return not self._before(node).strip() and (not after or after.startswith(b"#"))

    def empty_lines(self, line: int) -> int:
        """Return how many lines are empty from a line (from 0) on, or 2 at the end of the file."""
        rest = self._lines[line:]
        return next((n for n, text in enumerate(rest) if text.strip()), 2)

    def remove(self, node: ast.stmt) -> None:
        """Remove a statement that is alone on its lines."""
        first, last = lines_of(node)
        self._removed.update(range(first, last + 1))

    def insert(self, line: int, lines: Iterable[str], beside: ast.stmt | None = None) -> None:
        """Insert lines before a line (from 0), indented as this statement is."""
        text = "".join(f"{each}\n" for each in lines)
        margin = "" if beside is None else self._before(beside)
        self._inserted.setdefault(line, []).append(indent(text, margin if margin.isspace() else ""))

    def _before(self, node: ast.stmt) -> str:
        return self._lines[node.lineno - 1].encode()[: node.col_offset].decode()

    def text(self) -> str:
        """Return the changed source."""
        parts: list[str] = []
        for number, line in enumerate([*self._lines, ""]):
            if number in self._inserted and parts and not parts[-1].endswith("\n"):
                parts.append("\n")
            parts += self._inserted.get(number, ())
            if number not in self._removed:
                parts.append(line)
        return "".join(parts)


def lines_of(node: ast.stmt) -> tuple[int, int]:
    """Return the numbers of the first and the last line of a statement, from 0."""
    decorators: Sequence[ast.expr] = getattr(node, "decorator_list", ())
    first = min([node.lineno, *(each.lineno for each in decorators)])
    return first - 1, (node.end_lineno or node.lineno) - 1
