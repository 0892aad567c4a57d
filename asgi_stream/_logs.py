"""The package's logger."""

from __future__ import annotations

import logging
import traceback

from .errors import one_line

INDENT = "    "


class IndentedTracebacks(logging.Filter):
    """Indents the traceback of a record, line by line, and escapes control characters in it.

    The text of an exception may hold what a client has sent. With a line break in it, it would
    begin what looks like a line of the log. Formatters that make text of ``exc_info`` themselves,
    for JSON say, are not concerned.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and record.exc_info[1] is not None and not record.exc_text:
            lines = "".join(traceback.format_exception(*record.exc_info)).splitlines()
            record.exc_text = "\n".join(INDENT + one_line(line) for line in lines)
        return True


logger = logging.getLogger("asgi_stream")
logger.addFilter(IndentedTracebacks())
