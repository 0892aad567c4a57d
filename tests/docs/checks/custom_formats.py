"""Checks of docs/pages/custom-formats.md."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from asgi_stream import StreamApp, StreamRoute

from ...asgi import post
from ...models import chain_of
from ..python_blocks import Ran


async def a_format_of_your_own_works(ran: Ran) -> None:
    code = ran.block.code
    assert len([line for line in code.splitlines() if line.strip()]) <= 20
    module = ModuleType("my_formats")
    module.Lines = ran.names["Lines"]  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "my_formats", module)
        app = StreamApp(
            [
                StreamRoute("/chat", chain_of("Hel", "lo")),
                StreamRoute("/fails", chain_of("Hel", ValueError("secret"))),
            ],
            format="my_formats:Lines",
        )
    response = await post(app, "/chat", {"question": "Hi?"})
    assert response.headers["content-type"].startswith("application/x-ndjson")
    assert response.body == b'{"say":"Hel"}\n{"say":"lo"}\n{"done":true}\n'
    response = await post(app, "/fails", {"question": "Hi?"})
    assert response.body == b'{"say":"Hel"}\n{"error":"The run failed."}\n'
