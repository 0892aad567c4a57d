"""A run that cannot begin before another run on its thread has ended."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

from .._langchain.run_request import RunRequest
from .._langchain.tasks import RunTasks
from .._langchain.threads.turn import ThreadTurn
from ..errors import ShuttingDown


class WaitingRun:
    """Waits for a run's turn on its thread, and then begins the run.

    Args:
        request: The run. What it holds is closed at its end, or if it never begins.
        turn: Its turn on its thread.
        tasks: Keeps the waiting task alive.
        begin: Called with the request once the thread is free.
        fail: Called with the error if the request does not fit the thread as it is then.
    """

    def __init__(
        self,
        request: RunRequest,
        turn: ThreadTurn,
        tasks: RunTasks,
        begin: Callable[[RunRequest], None],
        fail: Callable[[BaseException], None],
    ) -> None:
        self._request = replace(request, held=request.held.pop_all())
        self._turn = turn
        self._begin = begin
        self._fail = fail
        self._task = tasks.spawn(self._wait(self._request.held))

    def settle(self) -> None:
        """Do nothing: there are no events yet."""

    def leave(self) -> None:
        """Stop waiting. Returns at once."""
        self._task.cancel()

    async def _wait(self, held: ExitStack) -> None:
        with held:
            try:
                start = await self._turn.begin(wait=True)
                if start is None:  # its claim has been withdrawn: the store is being closed
                    raise ShuttingDown
            except Exception as error:
                self._fail(error)
            else:
                self._begin(self._request.started(start))
