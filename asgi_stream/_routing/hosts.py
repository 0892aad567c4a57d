"""The ``Host`` headers that the playground accepts, and the origins that MCP does.

A page of another site can have its own name resolved to 127.0.0.1 (DNS rebinding), and can then
read whatever is served there as its own origin. Its requests still carry its name as ``Host``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from ipaddress import IPv6Address
from typing import Any

from starlette.datastructures import Headers
from starlette.types import Scope

from ..errors import TableError

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


class AllowedHosts:
    """Host names, compared without their port.

    Args:
        hosts: ``"localhost"``, ``"*.example.com"`` for all its subdomains, ``"[::1]"``, or ``"*"``.

    Raises:
        TableError: They are not host names.
    """

    def __init__(self, hosts: Collection[str]) -> None:
        problems = tuple(_problems(hosts))
        if problems:
            raise TableError(*problems)
        self._hosts = tuple(_bracketed(host.lower()) for host in hosts)

    def allow(self, scope: Scope) -> bool:
        """Return whether the request's ``Host`` is one of them."""
        return self.allow_name(Headers(scope=scope).get("host", ""))

    def allow_name(self, authority: str) -> bool:
        """Return whether a host, perhaps with a port, is one of them."""
        match = _authority.fullmatch(authority.lower())
        host = match[1] if match else ""
        return any(
            pattern in ("*", host) or (pattern[0] == "*" and host.endswith(pattern[1:]))
            for pattern in self._hosts
        )


def _problems(hosts: Any) -> Iterator[str]:
    if isinstance(hosts, str) or not isinstance(hosts, Collection):
        yield f"allowed_hosts must be a sequence of host names, not {hosts!r}"
        return
    for host in hosts:
        if not isinstance(host, str) or not _pattern.fullmatch(_bracketed(host)):
            example = '"localhost" or "*.example.com"'
            yield f"allowed_hosts: expected a name without a port, like {example}, not {host!r}"


_authority = re.compile(r"(\[[^\]]*\]|[^:@\[\]]*)(?::[0-9]*)?")
_pattern = re.compile(r"\*|(\*\.)?[^\s:/*@\[\]]+|\[[^\s\]]+\]")


def _bracketed(host: str) -> str:
    """Return a host as the ``Host`` header has it: an IPv6 address in brackets."""
    try:
        return f"[{IPv6Address(host.removeprefix('[').removesuffix(']'))}]"
    except ValueError:
        return host
