"""The package's logger."""

from __future__ import annotations

import logging
import traceback

from .errors.guarded_logger import GuardedLogger
from .errors.text import one_line

INDENT = "    "


class IndentedTracebacks(logging.Filter):
    """Indents every line of a record's traceback and escapes its control characters.

    The text of an exception may contain what a client sent, so a line break in it could forge a
    line of the log. Formatters that render ``exc_info`` themselves, as JSON for example, are not
    affected.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and record.exc_info[1] is not None and not record.exc_text:
            lines = "".join(traceback.format_exception(*record.exc_info)).splitlines()
            record.exc_text = "\n".join(INDENT + one_line(line) for line in lines)
        return True


logger = GuardedLogger(logging.getLogger("asgi_stream"))
logger.logger.addFilter(IndentedTracebacks())
