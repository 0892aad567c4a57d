"""The stored runs of a route, as the clients of a format name and see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

from ..stores import RunRecord
from ._frame import Frame
from ._sse import run_object


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A stored run.

    Attributes:
        record: Its record.
        first: Its first frame; None if there is none yet, or it is no longer stored.
        last: Its last frame; None while it goes on.
    """

    record: RunRecord
    first: Frame | None = None
    last: Frame | None = None


class RunReading(Protocol):
    """Reads a stored run from its first frame to its last, for its document."""

    skips: bool
    """Whether it can go on without frames that are no longer stored."""

    def read(self, frame: Frame) -> object:
        """Read the next frame."""

    def document(self, record: RunRecord) -> object:
        """Return the run's JSON, once it has ended."""


class LastFrame:
    """Reads a run whose last frame has all of its document.

    Args:
        resource: What makes the document.
    """

    skips = True

    def __init__(self, resource: RunResource) -> None:
        self._resource = resource
        self._last: Frame | None = None

    def read(self, frame: Frame) -> None:
        """Keep the frame in place of the one before."""
        self._last = frame

    def document(self, record: RunRecord) -> object:
        """Return the run's JSON, once it has ended."""
        return self._resource.document(StoredRun(record, last=self._last))


class RunResource:
    """A stored run as a resource of the route: by its id, and as its record."""

    uuids: ClassVar[bool] = True
    """Whether clients name a run by its id as it is."""

    returns: ClassVar[bool] = False
    """Whether a client that waits for a run's document comes back for it after a lost connection.

    The headers say where, so they leave at once, and the document is waited for with pings.
    """

    def path(self, run_id: str) -> str:
        """Return the path of a run, below that of the route."""
        return f"runs/{run_id}"

    def run_id(self, name: str) -> str:
        """Return the id of the run that a client names so in a path."""
        return name

    def position(self, query: Mapping[str, str]) -> int | None:
        """Return after which frame a GET request wants to read a run; None: it wants its document.

        Raises:
            StreamError: The query is not valid.
        """
        return None

    def document(self, run: StoredRun) -> object:
        """Return the JSON of a run: what it has resulted in, if it has ended."""
        return run_object(run.record)

    def reading(self) -> RunReading:
        """Return what reads a run for its document, where a request waits for its end."""
        return LastFrame(self)

    def deleted(self, run_id: str) -> object:
        """Return the JSON that says that a run has been deleted."""
        return {"run_id": run_id, "deleted": True}
