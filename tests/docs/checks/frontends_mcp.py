"""Checks of docs/pages/frontends/mcp.md."""

from __future__ import annotations

from ..javascript import Script


async def the_sdk_calls_a_tool(script: Script) -> None:
    printed = await script.in_node()
    assert printed.splitlines() == ["Hel", "lo", "{ output: 'Hello' }"], printed
