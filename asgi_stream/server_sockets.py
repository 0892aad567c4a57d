"""Sees that the server has closed the sockets on which it listens.

A server that recycles its worker after so many requests, or that is stopped by its own API, gets
no signal, and waits for its streams before it tells the app of its end. Each of them stops
listening first, whatever its event loop is and whatever it is written in.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator

MAX_ADDRESSES = 16
"""Addresses that are looked for. A server has one or two; none of them comes from a client."""

DESCRIPTORS = next(
    (folder for folder in ("/proc/self/fd", "/dev/fd") if os.path.isdir(folder)), None
)
"""Where a process finds its open files: Linux, and the BSDs and macOS."""


class ServerSockets:
    """The sockets of this process that listen at the addresses where requests have come in.

    Where they cannot be found, as on Windows, they are never closed.
    """

    def __init__(self) -> None:
        self._addresses: set[str | int] = set()
        self._found: dict[int, set[int]] = {}
        """Of each socket, by its inode, the descriptors."""
        self._ended: set[int] = set()

    def note(self, server: tuple[str, int | None] | None) -> None:
        """A request has come in at `server`, as the ASGI scope names it."""
        if server is None:
            return
        path, port = server
        address = path if port is None else port
        if address not in self._addresses and len(self._addresses) < MAX_ADDRESSES:
            self._addresses.add(address)
            self.look()

    def look(self) -> bool:
        """Look for them again; whether there are any."""
        self._found = {}
        for fd, inode in _listening(self._addresses):
            if inode not in self._ended:
                self._found.setdefault(inode, set()).add(fd)
        return bool(self._found)

    @property
    def closed(self) -> bool:
        """Whether there have been some and now there are none.

        A server that was given a socket closes its own descriptor only (``uvicorn --fd``).
        """
        if not self._found or any(
            all(_inode(fd) == inode for fd in fds) for inode, fds in self._found.items()
        ):
            return False
        self._ended.update(self._found)
        return not self.look()


def _listening(addresses: set[str | int]) -> Iterator[tuple[int, int]]:
    """The descriptor and the inode of each socket that listens at a port or path of `addresses`."""
    for fd in _descriptors():
        inode = _inode(fd)
        if inode is not None and _listens_at(fd) in addresses:
            yield fd, inode


def _descriptors() -> list[int]:
    return [] if DESCRIPTORS is None else [int(name) for name in os.listdir(DESCRIPTORS)]


def _inode(fd: int) -> int | None:
    """The inode of the socket that is open as `fd`; ``None`` if none is."""
    try:
        status = os.fstat(fd)
    except OSError:
        return None
    return status.st_ino if stat.S_ISSOCK(status.st_mode) else None


def _listens_at(fd: int) -> str | int | None:
    """The port or path at which the socket listens that is open as `fd`."""
    try:
        found = socket.socket(fileno=fd)
    except OSError:
        return None
    try:
        if not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return None
        name = found.getsockname()
    except OSError:
        return None
    finally:
        found.detach()
    return name[1] if isinstance(name, tuple) else os.fsdecode(name)
