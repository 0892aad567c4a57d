"""The sources of a run's answer: retrieved documents and citations."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from langchain_core.documents import Document

from ...events import Event, SourceFound, Step
from ..source_names import file_name, public_source


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
            self.add(step, metadata.get("title") or file_name(location), location)

    def add(self, step: Step, title: Any, location: str) -> None:
        """Emit a source, unless it is known.

        Args:
            step: The retriever, or the model that cites.
            title: The source's title, if it has one.
            location: A URL, or a path on the server, of which only the file name is emitted.
        """
        source = public_source(title, location)
        if source not in self._known:
            self._known.add(source)
            self._emit(SourceFound(step, f"source-{len(self._known)}", *source))
