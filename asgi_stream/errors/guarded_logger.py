"""A logger that never raises into the code that logs."""

from __future__ import annotations

import logging
from typing import Any

_to_stderr = logging.Handler()


class GuardedLogger(logging.LoggerAdapter[logging.Logger]):
    """Logs as its logger does, but raises nothing that handlers, filters or a record factory raise.

    An app's handler may fail, for example if it sends records to a server that is down; a run must
    end all the same. The failure and the record are printed to stderr, as logging itself does it.
    """

    def log(self, level: int, msg: object, *args: Any, **kwargs: Any) -> None:
        try:
            self.logger.log(level, msg, *args, stacklevel=2, **kwargs)
        except Exception:
            _to_stderr.handleError(logging.makeLogRecord({"msg": msg, "args": args}))
