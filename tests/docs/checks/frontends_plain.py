"""Checks of docs/pages/frontends/plain.md."""

from __future__ import annotations

from ..javascript import Script


async def fetch_reads_the_tokens(script: Script) -> None:
    assert await script.in_node() == "Hel\nlo\n"


async def the_page_shows_the_answer(script: Script) -> None:
    outcome = await script.in_chromium(("click", "button"), ("wait", "Hello"))
    assert outcome["errors"] == []
    assert "GET /chat" in outcome["requests"]


async def the_page_follows_a_run(script: Script) -> None:
    outcome = await script.in_chromium(
        ("click", "button"), ("wait", "Hello"), ("reload",), ("wait", "Hello")
    )
    assert outcome["errors"] == []
    assert [each.split("/")[0] for each in outcome["requests"]].count("POST ") == 1
