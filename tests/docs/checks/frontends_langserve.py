"""Checks of docs/pages/frontends/langserve.md."""

from __future__ import annotations

from ..javascript import Script


async def javascript_clients_read_it(script: Script) -> None:
    printed = await script.in_node()
    assert printed.split() == ["Hel", "lo"], printed
