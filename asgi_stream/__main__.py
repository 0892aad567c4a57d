"""``python -m asgi_stream``, which is ``asgi-stream``."""

from __future__ import annotations

import io
import sys


def main() -> None:
    """Run the command, or say which extra is missing."""
    try:
        from .cli.commands import main as command
    except ImportError as missing:
        if (missing.name or "").startswith("asgi_stream"):
            raise
        sys.exit(f'asgi-stream: {missing}. Install it: pip install "asgi_stream[serve]"')
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # of a terminal without Unicode
    command(prog_name="asgi-stream")


if __name__ == "__main__":  # pragma: no cover - in a process of its own
    main()
