"""Checks of README.md."""

from __future__ import annotations

from typing import Any

from ..javascript import Script
from ..python_blocks import Ran
from .get_started import SECOND, remembers


async def the_agent_remembers(ran: Ran) -> None:
    await remembers(ran.names["app"])


async def the_page_remembers(script: Script) -> None:
    steps: list[Any] = []
    for number, question in ((1, "I am Ann."), (2, "Who am I?")):
        steps += [("fill", "input", question), ("click", "button")]
        steps += [("wait", f"question {number}."), ("wait", "form > button:enabled", "Send")]
    outcome = await script.in_chromium(*steps)
    assert outcome["errors"] == []
    assert SECOND.strip() in outcome["text"]
    assert outcome["requests"].count("POST /api/chat") == 2
