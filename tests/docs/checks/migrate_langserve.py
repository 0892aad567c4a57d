"""Checks of docs/pages/migrate/langserve.md."""

from __future__ import annotations

import re

from asgi_stream.cli.migrate.command import EVERY_ROUTE
from asgi_stream.cli.migrate.rewrite import rewrite

from ...asgi import get, post
from ..blocks import blocks, source
from ..python_blocks import Ran

QUESTION = {"input": {"question": "Hi?"}}


async def langserve_s_paths_are_served(ran: Ran) -> None:
    app = ran.names["app"]
    for path, headers in (("/chat", {}), ("/paid", {"x-key": "s3cret"})):
        answer = await post(app, f"{path}/invoke", QUESTION, headers=headers)
        assert answer.json()["output"] == "Hello!"
        assert f"{path}/invoke" in (await get(app, "/openapi.json")).json()["paths"]
    assert (await get(app, "/chat/input_schema")).json()["title"] == "Question"
    assert (await post(app, "/paid/invoke", QUESTION)).status == 401
    what_the_command_prints_is_on_the_page(ran.block.page)


def what_the_command_prints_is_on_the_page(page: str) -> None:
    before, after = (each for each in blocks(page) if each.title and not each.language)
    done = rewrite(before.code)
    assert after.code == done.text
    text = re.sub(r"\s+", " ", source(page))
    [(line, note)] = done.todo
    every_route = re.sub(r"\s+", " ", EVERY_ROUTE)
    summary = f"{done.count} calls rewritten, 1 to do."
    assert f"server.py:{line}: TODO: {note} {every_route} {summary}" in text
