"""Right and wrong calls of the public API. A type checker has to refuse those marked as wrong."""

from __future__ import annotations

from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableLambda
from starlette.applications import Starlette
from starlette.middleware import Middleware

from asgi_stream import EventFilter, Limits, Resume, StreamApp, StreamMiddleware, StreamRoute
from asgi_stream.requests import StreamRequest

runnable = RunnableLambda(str.upper)


def per_request(request: StreamRequest) -> dict[str, object]:
    return {"metadata": {"path": request.url.path}}


async def user_of(request: StreamRequest) -> str | None:
    return request.headers.get("x-user")


def last(messages: list[BaseMessage]) -> str:
    return str(messages[-1].content)


# Right.
StreamRoute("/a", runnable)
StreamRoute("/b", lambda request: runnable, format="vercel", conversation=last)
StreamRoute("/c", {"fast": runnable, "deep": "bot:chain"}, format="openai")
StreamRoute("/d", runnable, format="my.module:Format", methods=["GET", "POST"], debug=True)
StreamRoute("/e", runnable, limits=Limits(run=None), resume=Resume(keep=60), configure=per_request)
StreamRoute("/f", runnable, authorize=user_of, filter=EventFilter(include=["on_tool_*"]))
StreamRoute("/g", runnable, astream_kwargs={"stream_mode": ["updates"]}, answer=["writer"])
StreamApp([StreamRoute("/h", runnable)], title="Mine", format="events", playground=True)
StreamMiddleware(Starlette(), [StreamRoute("/i", runnable)], health=True, format="text")
Starlette(middleware=[Middleware(StreamMiddleware, routes=[StreamRoute("/j", runnable)])])
limits: Limits = StreamRoute("/k", runnable).limits

# Wrong.
StreamRoute("/a", runnable, "vercel")  # wrong
StreamRoute("/a", runnable, fromat="vercel")  # wrong
StreamRoute("/a", runnable, format=5)  # wrong
StreamRoute("/a", runnable, limits={"run": 5})  # wrong
StreamRoute("/a", runnable, methods=["PUT"])  # wrong
StreamRoute("/a", runnable, debug="yes")  # wrong
StreamRoute("/a", runnable, resume="redis://")  # wrong
StreamRoute("/a", runnable, stream={})  # wrong
StreamRoute("/a", runnable, inline_parser=True)  # wrong
StreamRoute("/a")  # wrong
StreamApp([StreamRoute("/a", runnable)], formatt="events")  # wrong
StreamApp([StreamRoute("/a", runnable)], limits=5)  # wrong
StreamApp([StreamRoute("/a", runnable)], title=5)  # wrong
StreamApp([runnable])  # wrong
StreamMiddleware(Starlette(), [StreamRoute("/a", runnable)], healht=True)  # wrong
StreamMiddleware(Starlette(), [StreamRoute("/a", runnable)], debug=None)  # wrong
Limits(runs=5)  # wrong
Limits(run="5")  # wrong
Resume(on_disconnect="stop")  # wrong
count: int = StreamRoute("/k", runnable).limits  # wrong
