"""A server in the place of a service that takes telemetry: it keeps what clients post."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple

SECONDS = 20
"""How long `Collector.wait_for` waits."""


class Received(NamedTuple):
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Collector:
    """What has been posted so far.

    Args:
        replies: The JSON to answer a path with; ``{}`` for any other.
    """

    def __init__(self, replies: dict[str, Any]) -> None:
        self.received: list[Received] = []
        self.url = ""
        self._replies = replies

    def reply(self, request: Received) -> bytes:
        if request.body:
            self.received.append(request)
        return json.dumps(self._replies.get(request.path, {})).encode()

    def wait_for(self, look: Callable[[], Any]) -> Any:
        """What `look` returns as soon as that is true."""
        deadline = time.monotonic() + SECONDS
        while not (result := look()):
            assert time.monotonic() < deadline, [each.path for each in self.received]
            time.sleep(0.05)
        return result


@contextmanager
def collecting(replies: dict[str, Any] | None = None) -> Iterator[Collector]:
    """A collector on a free port, until the block ends."""
    collector = Collector(replies or {})

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = collector.reply(Received(self.path.partition("?")[0], headers, body))
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        do_GET = do_POST = do_PATCH = _answer

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    collector.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
