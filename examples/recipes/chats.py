# uvicorn examples.recipes.chats:app
"""Chats with a login: a list of chats, approvals, a stop, and answers that survive a reload.

Open http://localhost:8000 in a browser and log in: ann has the password secret-of-ann. npm bundles
the page, ../web/chats.jsx, at startup.
"""

from starlette.applications import Starlette
from starlette.routing import Mount, Route

from asgi_stream import StreamApp, StreamRoute

from ..pages import page_of
from ..travel import agent  # has a checkpointer, and asks before it books a train
from .session_auth import login, logout, sessions, user_of

streams = StreamApp(
    routes=[StreamRoute("/chats", agent, format="vercel")],
    threads=True,  # a chat is a thread of the agent, and belongs to its user
    resume=True,  # an answer goes on while the page is loaded again
    multitask="interrupt",  # a new message ends the answer before it
    authorize=user_of,  # nobody else gets in
)
app = Starlette(
    routes=[
        *page_of("chats"),
        Route("/login", login, methods=["POST"]),
        Route("/logout", logout, methods=["POST"]),
        Mount("/ai", streams),
    ],
    middleware=[sessions],
)
