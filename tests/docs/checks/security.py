"""Checks of docs/pages/security.md."""

from __future__ import annotations

from ...asgi import post, tokens
from ..python_blocks import Ran


async def a_stranger_is_refused(ran: Ran) -> None:
    app, ask = ran.names["app"], {"question": "Hi?"}
    response = await post(app, "/chat", ask)
    assert response.status == 401
    assert response.json()["error"]["code"] == "unauthorized"
    ann = {"authorization": "Bearer s3cret"}
    assert tokens((await post(app, "/chat", ask, headers=ann)).body) == ["Hel", "lo"]
