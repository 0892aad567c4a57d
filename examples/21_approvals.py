# uvicorn examples.21_approvals:app
"""A chat with ``useChat`` that is still there after a reload, and asks before it books a train.

Open http://localhost:8000 in a browser. npm bundles the page, web/approvals.jsx, at startup. The
page may be on another origin, such as a development server: see ``CORSMiddleware`` below.
"""

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langgraph.checkpoint.memory import InMemorySaver
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount

from asgi_stream import StreamApp, StreamRoute

from .pages import page_of
from .scripted import ScriptedModel
from .travel import book_train, user_of

agent = create_agent(
    ScriptedModel(answer="{question} That was wish number {turn}."),
    tools=[book_train],
    middleware=[HumanInTheLoopMiddleware({"book_train": True})],
    checkpointer=InMemorySaver(),
)

# With `resume`, an answer goes on without the page; DELETE /chat/{id}/stream stops it.
streams = StreamApp(
    routes=[StreamRoute("/chat", agent, format="vercel")],
    threads=True,
    resume=True,
    multitask="interrupt",
    authorize=user_of,
)
origins = Middleware(
    CORSMiddleware,
    allow_origins=["http://localhost:5173"],
    allow_methods=["GET", "POST", "DELETE"],
    allow_headers=["authorization", "content-type"],
)
app = Starlette(routes=[*page_of("approvals"), Mount("/", streams)], middleware=[origins])
