"""Sees that a server has closed the socket on which it listens.

A server that recycles its worker after so many requests, or that is stopped by its own API, gets
no signal, and waits for its streams before it tells the app of its end. Each of them closes the
socket first, whatever its event loop is and whatever it is written in.

Linux tells in ``/proc`` which sockets listen, and which of them this process waits for
(https://man7.org/linux/man-pages/man5/proc_pid_fdinfo.5.html): those are the servers'. A
descriptor that is only kept, as that of ``uvicorn --fd``, does not count, and no socket is touched.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address

from starlette.types import Scope

Address = tuple[str, int | None] | None
"""A host and a port; a path and None; None, as hypercorn tells of a Unix socket."""

UNKNOWN: Address = ("", 0)
"""That of a request that no server has taken, as in a test."""

MAX_ADDRESSES = 16
"""How many addresses are watched. A server has one or two."""

AVAILABLE = os.path.isdir("/proc/self/fdinfo")
LISTENS = "0A"
ACCEPTS = 0x10000


def address_of(scope: Scope) -> Address:
    """Where the server has taken a request, as its ASGI scope says."""
    server = scope.get("server", UNKNOWN)
    return None if server is None else (server[0], server[1])


class ServerSockets:
    """The sockets that listen at the addresses where requests have come in.

    Those that cannot be found, as on other systems than Linux, are never gone.
    """

    def __init__(self) -> None:
        self._held: dict[Address, set[tuple[int, int]]] = {}
        """The listening sockets of each address, as descriptors with their inodes."""

    def note(self, address: Address) -> None:
        """Look who listens at `address`, where a request has come in, if that is not known."""
        known = address in self._held
        if address == UNKNOWN or not AVAILABLE:
            return
        if not known and len(self._held) >= MAX_ADDRESSES:
            return
        if not known or self.gone(address):
            with suppress(OSError):  # out of descriptors, perhaps; the next request looks again
                self._held[address] = _sockets_at(address) or self._held.get(address, set())

    def gone(self, address: Address) -> bool:
        """Whether a server has listened at `address`, and has closed its sockets."""
        held = self._held.get(address, set())
        return bool(held) and not any(map(_is_open, held))

    @property
    def all_gone(self) -> bool:
        """Whether no server is left."""
        watched = [address for address, held in self._held.items() if held]
        return bool(watched) and all(map(self.gone, watched))


def _sockets_at(address: Address) -> set[tuple[int, int]]:
    """The sockets that listen at `address` and that an event loop of this process waits for."""
    inodes = set(_listening(address))
    found = {(fd, _inode(fd)) for fd in _waited_for()} if inodes else set()
    return {(fd, inode) for fd, inode in found if inode in inodes}


def _is_open(socket: tuple[int, int]) -> bool:
    fd, inode = socket
    return _inode(fd) == inode


def _inode(fd: int) -> int:
    """The inode of the socket that is open as `fd`; 0 if none is."""
    try:
        status = os.fstat(fd)
    except OSError:
        return 0
    return status.st_ino if stat.S_ISSOCK(status.st_mode) else 0


def _waited_for() -> Iterator[int]:
    """The descriptors that are registered with an epoll instance of this process."""
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{name}") != "anon_inode:[eventpoll]":
                continue
        except FileNotFoundError:
            continue  # closed meanwhile
        with open(f"/proc/self/fdinfo/{name}") as lines:
            for line in lines:
                if line.startswith("tfd:"):
                    yield int(line.split()[1])


def _listening(address: Address) -> Iterator[int]:
    """The inodes of the system's sockets that listen at `address`."""
    if address is None or address[1] is None:
        path = None if address is None else address[0]
        return _unix(path)
    return _tcp(address[0], address[1])


def _unix(path: str | None) -> Iterator[int]:
    with open("/proc/self/net/unix", errors="surrogateescape") as lines:
        next(lines)
        for line in lines:
            _, _, _, flags, _, _, inode, *name = line.rstrip("\n").split(" ", 7)
            if int(flags, 16) & ACCEPTS and (path is None or name == [path]):
                yield int(inode)


def _tcp(host: str, port: int) -> Iterator[int]:
    """Those of the very `host`, or else those of any host."""
    at_port = [(ip, inode) for ip, at, inode in _tcp_listeners() if at == port]
    try:
        wanted = _plain(ip_address(host))
    except ValueError:  # a name
        return (inode for _, inode in at_port)
    exact = [inode for ip, inode in at_port if ip == wanted]
    return iter(exact or [inode for ip, inode in at_port if ip.is_unspecified])


def _tcp_listeners() -> Iterator[tuple[IPv4Address | IPv6Address, int, int]]:
    """Host, port and inode of each."""
    for name in ("tcp", "tcp6"):
        if not os.path.exists(f"/proc/self/net/{name}"):
            continue
        with open(f"/proc/self/net/{name}") as lines:
            next(lines)
            for line in lines:
                _, local, _, state, *rest = line.split()
                if state != LISTENS:
                    break  # they come first
                host, _, port = local.rpartition(":")
                words = (int(host[n : n + 8], 16) for n in range(0, len(host), 8))
                packed = b"".join(word.to_bytes(4, sys.byteorder) for word in words)
                yield _plain(ip_address(packed)), int(port, 16), int(rest[5])


def _plain(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    return getattr(ip, "ipv4_mapped", None) or ip
