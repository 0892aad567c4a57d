"""Commands that go to Redis together, and who waits for their replies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .._logs import logger
from .redis_errors import unavailable

Command = tuple[Any, ...]
Answered = Callable[[list[Any] | Exception], None]

TRIES = 2
"""At least: the first finds out what Redis has closed meanwhile."""


class WrongReply(Exception):
    """A reply is not one to the commands that were sent: it must be that of others."""


class Request:
    """Commands that go together.

    Args:
        commands: Of Redis, each with its arguments.
        until: When it is given up, by the loop's clock.
        answered: Called with the replies, or with why there are none.
    """

    __slots__ = ("_answered", "commands", "tries", "until")

    def __init__(self, commands: Sequence[Command], until: float, answered: Answered) -> None:
        self.commands = commands
        self.until = until
        self.tries = 0
        self._answered = answered

    def answer(self, answer: list[Any] | Exception) -> bool:
        """Answer who waits. What goes wrong there is logged and harms no other request.

        Returns:
            Whether it is a reply to these commands.
        """
        try:
            self._answered(answer)
        except WrongReply:
            return False
        except Exception:
            logger.exception("a reply of the store could not be used")
        return True

    def gives_up(self, now: float, error: BaseException) -> bool:
        """Count a try that has failed. Whether it was the last, of which who waits is told."""
        self.tries += 1
        if now < self.until or self.tries < TRIES:
            return False
        self.answer(unavailable(error))
        return True
