"""Clients that can leave in every way there is, and a reader of the probes' notes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4


class Notes:
    """What probes have written down, read as it grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self._notes: dict[str, list[dict[str, Any]]] = {}

    def of(self, key: str, what: str | None = None) -> list[dict[str, Any]]:
        if self._path.exists():
            with self._path.open("rb") as log:
                log.seek(self._read)
                whole, newline, _ = log.read().rpartition(b"\n")
            self._read += len(whole) + len(newline)
            for line in whole.splitlines():
                note = json.loads(line)
                self._notes.setdefault(note["key"], []).append(note)
        return [note for note in self._notes.get(key, []) if what in (None, note["what"])]


async def until(happened: Callable[[], Any], seconds: float = 20) -> Any:
    """Wait for `happened` to return something true, and return that."""
    async with asyncio.timeout(seconds):
        while not (result := happened()):
            await asyncio.sleep(0.01)
    return result


class Connection:
    """One HTTP/1.1 request on a socket of its own."""

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.received = b""

    @classmethod
    async def post(
        cls, port: int, path: str, body: Any, *headers: str, more: bytes = b""
    ) -> Connection:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        data = json.dumps(body).encode()
        lines = [
            f"POST {path} HTTP/1.1",
            "Host: localhost",
            "Content-Type: application/json",
            f"Content-Length: {len(data)}",
            *headers,
        ]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + data + more)
        return cls(reader, writer)

    async def read_until(self, wanted: bytes, seconds: float = 10) -> bytes:
        async with asyncio.timeout(seconds):
            while wanted not in self.received:
                part = await self.reader.read(65536)
                if not part:
                    raise EOFError(self.received)
                self.received += part
        return self.received

    async def read_to_end(self, seconds: float = 10) -> bytes:
        async with asyncio.timeout(seconds):
            while part := await self.reader.read(65536):
                self.received += part
        return self.received

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    def leave(self, how: str = "fin") -> None:
        if how == "half-close":
            self.writer.write_eof()
            return
        if how == "rst":
            held: socket.socket = self.writer.get_extra_info("socket")
            held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.writer.transport.abort()
        else:
            self.writer.close()


def new_key(name: str = "run") -> str:
    return f"{name}-{uuid4().hex[:8]}"


def now() -> float:
    """The clock of the notes."""
    return time.monotonic()
