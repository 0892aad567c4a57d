"""Who sends a request. A real app verifies a token here, or reads a session."""

from starlette.requests import Request

from asgi_stream import StreamError

TOKENS = {"secret-of-ann": "ann", "secret-of-ben": "ben"}


async def user_of(request: Request) -> str:
    """Return the user, who owns the threads and runs that the request starts."""
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    if token not in TOKENS:
        raise StreamError("Log in first.", code="unauthorized", status=401)
    return TOKENS[token]
