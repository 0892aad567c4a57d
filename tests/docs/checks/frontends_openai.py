"""Checks of docs/pages/frontends/openai.md."""

from __future__ import annotations

from ..javascript import Script


async def the_client_streams(script: Script) -> None:
    assert (await script.in_node()).split() == ["Hel", "lo"]
