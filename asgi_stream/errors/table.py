"""The error of a route table that cannot work."""

from __future__ import annotations

from .text import mask_passwords


class TableError(ValueError):
    """An invalid route table. Each line of the message is a problem, with passwords masked.

    Attributes:
        problems: The lines of the message.

    Example:
        >>> TableError("route '/a': no format 'x'", "route '/b': no format 'y'").problems[1]
        "route '/b': no format 'y'"
    """

    def __init__(self, *problems: str) -> None:
        self.problems = tuple(map(mask_passwords, problems))
        super().__init__("\n".join(self.problems))
