"""Checks of docs/pages/frontends/agui.md."""

from __future__ import annotations

from ..javascript import Script


async def the_agent_answers(script: Script) -> None:
    assert (await script.in_node()).split() == ["Hel", "lo", "Hello"]
