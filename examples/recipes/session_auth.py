# uvicorn examples.recipes.session_auth:app
"""A login with a session cookie, and chats that belong to the user who is logged in.

    curl -c jar localhost:8000/login -H 'content-type: application/json' \\
        -d '{"name": "ann", "password": "secret-of-ann"}'
    curl -b jar -N localhost:8000/ai/agent/threads/mine -H 'content-type: application/json' \\
        -d '{"messages": [["human", "Hi?"]]}'
"""

import os
import secrets

from langchain.agents import create_agent
from langgraph.checkpoint.memory import InMemorySaver
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from asgi_stream import StreamApp, StreamRoute

from ..scripted import ScriptedModel

PASSWORDS = {"ann": "secret-of-ann", "bob": "secret-of-bob"}  # yours are hashed, in a database
HTTPS = os.environ.get("HTTPS") == "1"


async def login(request: Request) -> Response:
    # A form of another site cannot send JSON, so nobody is logged in as someone else unnoticed.
    if request.headers.get("content-type") != "application/json":
        raise HTTPException(415, "Send JSON.")
    data = await request.json()
    name = str(data["name"])
    if not secrets.compare_digest(PASSWORDS.get(name, ""), str(data["password"])):
        raise HTTPException(401, "The name or the password is wrong.")
    request.session.clear()
    request.session["user"] = name
    return JSONResponse({"user": name})


async def logout(request: Request) -> Response:
    request.session.clear()
    return Response(status_code=204)


def user_of(request: Request) -> str:
    """Return the user of the session: the middleware has read the cookie."""
    user = request.session.get("user")
    if user is None:
        raise HTTPException(401, "Log in first.")
    return str(user)


# Or ChatOpenAI(model="gpt-5-mini"), of langchain-openai.
model = ScriptedModel(answer="{question} That was question number {turn}.")
agent = create_agent(model, tools=[], checkpointer=InMemorySaver())

streams = StreamApp(
    routes=[StreamRoute("/agent", agent, threads=True, resume=True)],
    authorize=user_of,
)

sessions = Middleware(
    SessionMiddleware,
    secret_key=os.environ.get("SESSION_KEY") or secrets.token_hex(32),
    session_cookie="__Host-session" if HTTPS else "session",
    same_site="lax",  # "strict" if no other site links to yours
    https_only=HTTPS,
    max_age=8 * 3600,
)
app = Starlette(
    routes=[
        Route("/login", login, methods=["POST"]),
        Route("/logout", logout, methods=["POST"]),
        Mount("/ai", streams),
    ],
    middleware=[sessions],
)
