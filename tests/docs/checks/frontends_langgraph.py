"""Checks of docs/pages/frontends/langgraph.md."""

from __future__ import annotations

from ..javascript import Script


async def the_page_shows_the_answer(script: Script) -> None:
    steps = (("fill", "input", "Hi?"), ("click", "button"), ("wait", "Hello"), ("wait", "ready"))
    assert (await script.in_chromium(*steps))["errors"] == []
