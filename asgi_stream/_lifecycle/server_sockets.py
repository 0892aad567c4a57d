"""Notices that a server has closed its listening socket.

A server that recycles its workers after a number of requests, or that is stopped through its own
API, gets no signal, and waits for its streams before it tells the app. But every server closes its
listening socket first, whatever its event loop and its language.

On Linux, ``/proc`` shows which sockets listen, and which of them this process polls
(https://man7.org/linux/man-pages/man5/proc_pid_fdinfo.5.html): those are the servers'. A descriptor
that is merely open, such as that of ``uvicorn --fd``, does not count. No socket is touched.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address

from starlette.types import Scope

Address = tuple[str, int | None] | None
"""A host and a port; a path and ``None``; or ``None``, which hypercorn sends for a Unix socket."""

UNKNOWN: Address = ("", 0)
"""The address of a request without a server, as in a test."""

MAX_ADDRESSES = 16
"""The most addresses that are watched. A server has one or two."""

AVAILABLE = os.path.isdir("/proc/self/fdinfo")
LISTENS = "0A"
ACCEPTS = 0x10000

UNIX_SOCKETS = "/proc/self/net/unix"
UNIX_SOCKET = re.compile(r"\S+: \S+ \S+ (\S{8}) \S+ \S+ +(\d+)(?: (.*))?\n", re.DOTALL)
"""A line of that file, with its flags, its inode, which is padded, and its path.

A name may have a line break, so not every line is one (``unix_seq_show`` in the kernel's
https://github.com/torvalds/linux/blob/master/net/unix/af_unix.c).
"""


def address_of(scope: Scope) -> Address:
    """Return the server's address from an ASGI scope."""
    server = scope.get("server", UNKNOWN)
    return None if server is None else (server[0], server[1])


class ServerSockets:
    """The listening sockets at the addresses where requests have come in.

    Sockets that cannot be found, as on systems other than Linux, count as open.
    """

    def __init__(self) -> None:
        self._held: dict[Address, set[tuple[int, int]]] = {}
        """The listening sockets of each address, as pairs of descriptor and inode."""

    def note(self, address: Address) -> None:
        """Find the sockets that listen at `address`, unless they are known."""
        known = address in self._held
        if address == UNKNOWN or not AVAILABLE:
            return
        if not known and len(self._held) >= MAX_ADDRESSES:
            return
        if not known or self.gone(address):
            with suppress(OSError):  # perhaps out of descriptors; the next request tries again
                self._held[address] = _sockets_at(address) or self._held.get(address, set())

    def gone(self, address: Address) -> bool:
        """Return whether a server listened at `address` and has closed its sockets."""
        held = self._held.get(address, set())
        return bool(held) and not any(map(_is_open, held))

    @property
    def all_gone(self) -> bool:
        """Whether there were servers, and all have closed their sockets."""
        watched = [address for address, held in self._held.items() if held]
        return bool(watched) and all(map(self.gone, watched))


def _sockets_at(address: Address) -> set[tuple[int, int]]:
    """Return the sockets that listen at `address` and that this process polls."""
    inodes = set(_listening(address))
    polled = {(fd, _inode(fd)) for fd in _polled()} if inodes else set()
    return {(fd, inode) for fd, inode in polled if inode in inodes}


def _is_open(socket: tuple[int, int]) -> bool:
    fd, inode = socket
    return _inode(fd) == inode


def _inode(fd: int) -> int:
    """Return the inode of the socket with the descriptor `fd`; 0 if there is none."""
    try:
        status = os.fstat(fd)
    except OSError:
        return 0
    return status.st_ino if stat.S_ISSOCK(status.st_mode) else 0


def _polled() -> Iterator[int]:
    """Yield the descriptors that are registered with an epoll instance of this process."""
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{name}") != "anon_inode:[eventpoll]":
                continue
        except FileNotFoundError:
            continue  # closed in the meantime
        with open(f"/proc/self/fdinfo/{name}") as lines:
            for line in lines:
                if line.startswith("tfd:"):
                    yield int(line.split()[1])


def _listening(address: Address) -> Iterator[int]:
    """Return the inodes of all sockets that listen at `address`."""
    if address is None or address[1] is None:
        path = None if address is None else address[0]
        return _unix(path)
    return _tcp(address[0], address[1])


def _unix(path: str | None) -> Iterator[int]:
    with open(UNIX_SOCKETS, errors="surrogateescape", newline="\n") as lines:
        for flags, inode, name in filter(None, map(_unix_socket, lines)):
            if flags & ACCEPTS and path in (None, name):
                yield inode


def _unix_socket(line: str) -> tuple[int, int, str | None] | None:
    """Return the flags, the inode and the path of a socket; None if the line is none."""
    match = UNIX_SOCKET.fullmatch(line)
    return match and (int(match[1], 16), int(match[2]), match[3])


def _tcp(host: str, port: int) -> Iterator[int]:
    """Return the inodes of sockets bound to `host`, or else of those bound to any host."""
    at_port = [(ip, inode) for ip, at, inode in _tcp_listeners() if at == port]
    try:
        wanted = _plain(ip_address(host))
    except ValueError:  # a name
        return (inode for _, inode in at_port)
    exact = [inode for ip, inode in at_port if ip == wanted]
    return iter(exact or [inode for ip, inode in at_port if ip.is_unspecified])


def _tcp_listeners() -> Iterator[tuple[IPv4Address | IPv6Address, int, int]]:
    """Yield the host, the port and the inode of each listening socket."""
    for name in ("tcp", "tcp6"):
        if not os.path.exists(f"/proc/self/net/{name}"):
            continue
        with open(f"/proc/self/net/{name}") as lines:
            next(lines)
            for line in lines:
                _, local, _, state, *rest = line.split()
                if state != LISTENS:
                    break  # listening sockets come first
                host, _, port = local.rpartition(":")
                words = (int(host[n : n + 8], 16) for n in range(0, len(host), 8))
                packed = b"".join(word.to_bytes(4, sys.byteorder) for word in words)
                yield _plain(ip_address(packed)), int(port, 16), int(rest[5])


def _plain(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    return getattr(ip, "ipv4_mapped", None) or ip
