"""The public names of a source: its title and its URL, but no path on the server."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

WEB = re.compile(r"https?://", re.IGNORECASE)
PATH = re.compile(r"[/\\]|~\w*[/\\]|[a-z]:\S|file:|(?!https?:)[a-z][\w+.-]*://", re.IGNORECASE)
"""How a title starts that is a path on the server; a relative path may be just a title."""


def public_source(title: Any, location: str) -> tuple[str, str | None]:
    """Return the title of a source, which is never empty, and its URL, if it is on the web.

    Args:
        title: The source's title, if it has one.
        location: A URL, or a path on the server, of which only the file name is returned.
    """
    title, url = str(title or ""), location if WEB.match(location) else None
    if PATH.match(title) or title == location != url:
        title = file_name(title)
    return title or url or file_name(location) or "Source", url


def file_name(location: str) -> str:
    """Return the last part of a path on the server, in the notation of any operating system."""
    if "://" in location:
        location = re.split(r"[?#]", location, maxsplit=1)[0]  # a signed URL holds a secret there
    if location[:5].lower() == "file:":
        location = unquote(location[5:])
    name = re.split(r"[/\\]", location.rstrip("/\\"))[-1]
    return re.sub(r"^[A-Za-z]:", "", name)
