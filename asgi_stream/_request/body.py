"""A request's body: JSON, and declared as that."""

from __future__ import annotations

import re
from typing import Any

from ..errors import UnsupportedMediaType
from ..requests import StreamRequest


async def read_body(request: StreamRequest) -> Any:
    """Return the JSON in the request's body.

    Raises:
        UnsupportedMediaType: The body is not declared as JSON in UTF-8, or it is compressed.
        StreamError: Anything that `StreamRequest.json` raises.
        ClientDisconnect: The client disconnected.
    """
    content_type = request.headers.get("content-type", "")
    # A missing type is refused too: other origins can send it without a CORS preflight.
    if not is_json(content_type):
        raise UnsupportedMediaType
    charset = re.search(r'charset="?([^\s;"]+)', content_type.lower().partition(";")[2])
    if charset and charset[1] not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedMediaType("Send the JSON in UTF-8.")
    return await request.json()


def is_json(content_type: str) -> bool:
    """Return whether a ``Content-Type`` is JSON's, or one based on it."""
    media_type = content_type.lower().partition(";")[0].strip()
    return bool(re.fullmatch(r"application/([\w.-]+\+)?json", media_type))
