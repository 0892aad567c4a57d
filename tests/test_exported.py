from __future__ import annotations

import inspect

import asgi_stream


def test_these_are_the_public_names() -> None:
    assert asgi_stream.__all__ == [
        "EventFilter",
        "Limits",
        "Resume",
        "StreamApp",
        "StreamError",
        "StreamMiddleware",
        "StreamRoute",
        "TableError",
        "Threads",
    ]
    assert all(hasattr(asgi_stream, name) for name in asgi_stream.__all__)


def test_public_names_are_documented() -> None:
    for name in asgi_stream.__all__:
        documented = inspect.getdoc(getattr(asgi_stream, name)) or ""
        assert len(documented) > 40, name
    options = inspect.getdoc(asgi_stream.StreamRoute) or ""
    for field in inspect.signature(asgi_stream.StreamRoute).parameters:
        assert f"    {field}: " in options, field
