"""The sources of a run's answer: retrieved documents and citations."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote

from langchain_core.documents import Document

from ...events import Event, SourceFound, Step

WEB = re.compile(r"https?://", re.IGNORECASE)
PATH = re.compile(r"[/\\]|~\w*[/\\]|[a-z]:\S|file:|(?!https?:)[a-z][\w+.-]*://", re.IGNORECASE)
"""How a title starts that is a path on the server; a relative path may be just a title."""


class Sources:
    """Emits each source of a run once, without revealing paths on the server.

    Args:
        emit: Takes the events, from any thread.
    """

    def __init__(self, emit: Callable[[Event], None]) -> None:
        self._emit = emit
        self._known: set[tuple[str, str | None]] = set()

    def add_documents(self, step: Step, documents: Iterable[Document]) -> None:
        """Emit the documents that a retriever returned."""
        for document in documents:
            metadata = document.metadata
            location = str(metadata.get("url") or metadata.get("source") or "")
            self.add(step, metadata.get("title") or _file_name(location), location)

    def add(self, step: Step, title: Any, location: str) -> None:
        """Emit a source, unless it is known.

        Args:
            step: The retriever, or the model that cites.
            title: The source's title, if it has one.
            location: A URL, or a path on the server, of which only the file name is emitted.
        """
        title, url = str(title or ""), location if WEB.match(location) else None
        if PATH.match(title) or title == location != url:
            title = _file_name(title)
        source = title or url or _file_name(location) or "Source", url
        if source not in self._known:
            self._known.add(source)
            self._emit(SourceFound(step, f"source-{len(self._known)}", *source))


def _file_name(location: str) -> str:
    """Return the last part of a path on the server, in the notation of any operating system."""
    if "://" in location:
        location = re.split(r"[?#]", location, maxsplit=1)[0]  # a signed URL holds a secret there
    if location[:5].lower() == "file:":
        location = unquote(location[5:])
    name = re.split(r"[/\\]", location.rstrip("/\\"))[-1]
    return re.sub(r"^[A-Za-z]:", "", name)
