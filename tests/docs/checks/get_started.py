"""Checks of docs/pages/get-started.md."""

from __future__ import annotations

import re
from typing import Any

from starlette.types import ASGIApp

from ...asgi import call, post, tokens
from ..javascript import Script
from ..python_blocks import Ran

SECOND = "This is question 2. Your first one was: I am Ann. "


async def remembers(app: ASGIApp, path: str = "/chat") -> None:
    """Check that an agent knows the first question when it gets the second."""
    await call(app, "DELETE", f"{path}/threads/mine")
    for question in ("I am Ann.", "Who am I?"):
        body = {"messages": [["human", question]]}
        answer = await post(app, f"{path}/threads/mine", body)
    assert "".join(tokens(answer.body)) == SECOND


async def the_agent_remembers(ran: Ran) -> None:
    await remembers(ran.names["app"])
    wanted = {"access-control-request-method": "POST", "origin": "http://localhost:5173"}
    wanted["access-control-request-headers"] = "content-type"
    assert (await call(ran.names["app"], "OPTIONS", "/api/chat", headers=wanted)).status == 200


async def the_mounted_agent_remembers(ran: Ran) -> None:
    site = ran.names["site"]
    await remembers(site, "/ai/chat")
    wanted = {"access-control-request-method": "DELETE", "origin": "http://localhost:5173"}
    assert (await call(site, "OPTIONS", "/ai/api/chat/mine", headers=wanted)).status == 200


async def the_page_remembers(script: Script) -> None:
    steps: list[Any] = []
    for number, question in ((1, "I am Ann."), (2, "Who am I?")):
        steps += [("fill", "input", question), ("click", "button"), ("wait", f"question {number}.")]
        steps += [("wait", "first one was: I am Ann."), ("wait", "button:enabled", "Ask")]
    steps += [("reload",), ("wait", SECOND.strip()), ("fill", "input", "And I?")]
    steps += [("click", "button"), ("wait", "question 3."), ("click", "button:has-text('Stop')")]
    steps += [("wait", "button:enabled", "Ask")]
    outcome = await script.in_chromium(*steps)
    assert outcome["errors"] == []
    assert re.sub(r"\s+", " ", outcome["text"]).count(SECOND.strip()) == 1
    assert "question 3. Your first one was: I am Ann." not in outcome["text"]
    assert outcome["requests"].count("POST /api/chat") == 3
