from __future__ import annotations

from typing import Any

from asgi_stream import StreamRoute
from asgi_stream._routing.bound import BoundRoute
from asgi_stream._routing.table import Table


def bound(route: StreamRoute, **defaults: Any) -> BoundRoute:
    """Return `route` as an app with these defaults has it."""
    [only] = Table([route], defaults).routes
    return only
