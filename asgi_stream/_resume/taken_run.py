"""A run between its workers: taken over, and not yet prepared to go on."""

from __future__ import annotations

from ..stores import RunRecord
from .recorder import RunRecorder


class TakenRun:
    """A run that has been taken over. To the store it is a `Producer`.

    Args:
        record: Its record.
        frames: The frames that it is taken over with.

    Attributes:
        record: Its record.
        frames: The frames that it is taken over with.
        lost: Whether nothing more can be written.
    """

    def __init__(self, record: RunRecord, frames: list[bytes]) -> None:
        self.frames = frames
        self.lost = False
        self._record = record
        self._recorder: RunRecorder | None = None
        self._stopped = False
        self._readers = 0

    def go_on_with(self, recorder: RunRecorder) -> None:
        """Pass to a recorder what the store calls, from now on."""
        self._recorder = recorder
        if self._stopped:
            recorder.stop()
        recorder.read_by(self._readers)

    @property
    def record(self) -> RunRecord:
        return self._record if self._recorder is None else self._recorder.record

    @record.setter
    def record(self, record: RunRecord) -> None:
        self._record = record

    def stop(self) -> None:
        if self._recorder is None:
            self._stopped = True
        else:
            self._recorder.stop()

    def written(self, error: Exception | None = None) -> None:
        if self._recorder is not None:
            self._recorder.written(error)
        elif error is not None:
            self.lost = True

    def read_by(self, readers: int) -> None:
        if self._recorder is None:
            self._readers = readers
        else:
            self._recorder.read_by(readers)
