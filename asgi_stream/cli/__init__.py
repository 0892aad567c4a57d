"""The command `asgi-stream`. Needs the extra ``serve``."""
