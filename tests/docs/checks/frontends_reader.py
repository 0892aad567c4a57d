"""Checks of docs/pages/frontends/reader.md."""

from __future__ import annotations

from ..javascript import Script


async def the_page_shows_the_answer(script: Script) -> None:
    outcome = await script.in_chromium(("click", "button"), ("wait", "Hello"))
    assert outcome["errors"] == []
    assert outcome["requests"][-1] == "POST /chat"


async def the_script_prints_the_answer(script: Script) -> None:
    assert await script.in_node() == "Hello\n"
