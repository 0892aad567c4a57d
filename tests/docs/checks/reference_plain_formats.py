"""Checks of docs/pages/reference/plain-formats.md."""

from __future__ import annotations

from ...asgi import frames, post, tokens
from ..python_blocks import Ran

ASK = {"question": "Hi?"}


async def each_format_streams(ran: Ran) -> None:
    app = ran.names["app"]
    assert tokens((await post(app, "/tokens", ASK)).body) == ["Hel", "lo"]
    assert frames((await post(app, "/chunks", ASK)).body) == ["Hel", "lo", "", "[DONE]"]
    *events, _ = frames((await post(app, "/events", ASK)).body)
    assert "on_chat_model_stream" in {each["event"] for each in events}
    assert (await post(app, "/text", ASK)).body == b"Hello"
