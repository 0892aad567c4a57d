# uvicorn examples.recipes.jwt_auth:app
"""FastAPI with JSON Web Tokens: the function behind ``Depends`` also serves as ``authorize``.

    TOKEN=$(curl -s localhost:8000/token -H 'content-type: application/json' \\
        -d '{"name": "ann", "password": "secret-of-ann"}' | tr -d '"')
    curl -N localhost:8000/ai/agent/threads/mine -H "authorization: Bearer $TOKEN" \\
        -H 'content-type: application/json' -d '{"messages": [["human", "Hi?"]]}'
    curl localhost:8000/ai/agent/threads -H "authorization: Bearer $TOKEN"
"""

import os
import secrets
from datetime import UTC, datetime, timedelta
from typing import Annotated

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from langchain.agents import create_agent
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import BaseModel
from starlette.requests import Request

from asgi_stream import StreamApp, StreamRoute

from ..scripted import ScriptedModel

KEY = os.environ.get("JWT_KEY") or secrets.token_hex(32)
CLAIMS = {"aud": "my-chat", "iss": "my-login"}
PASSWORDS = {"ann": "secret-of-ann", "bob": "secret-of-bob"}  # yours are hashed, in a database

bearer = HTTPBearer()


def current_user(token: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]) -> str:
    """Return whose token it is. A dependency like any other of FastAPI's."""
    try:
        claims = jwt.decode(
            token.credentials,
            KEY,  # another service's keys: PyJWKClient(url).get_signing_key_from_jwt(...)
            algorithms=["HS256"],
            audience=CLAIMS["aud"],
            issuer=CLAIMS["iss"],
            options={"require": ["exp", "sub"]},
        )
    except jwt.InvalidTokenError:
        headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
        raise HTTPException(401, "The token is not valid.", headers) from None
    return str(claims["sub"])


async def authorize(request: Request) -> str:
    """Do for the route table what ``Depends(current_user)`` does for an endpoint."""
    token = await bearer(request)  # raises a 401 if there is none
    assert token is not None  # it may be None with HTTPBearer(auto_error=False) only
    return current_user(token)


# Or ChatOpenAI(model="gpt-5-mini") of langchain-openai.
model = ScriptedModel(answer="{question} That was question number {turn}.")
agent = create_agent(model, tools=[], checkpointer=InMemorySaver())

app = FastAPI()
app.mount(
    "/ai",
    StreamApp(
        routes=[StreamRoute("/agent", agent, threads=True, resume=True)],
        authorize=authorize,
    ),
)


class Login(BaseModel):
    name: str
    password: str


@app.post("/token")
def login(data: Login) -> str:
    if not secrets.compare_digest(PASSWORDS.get(data.name, ""), data.password):
        raise HTTPException(401, "The name or the password is wrong.")
    ends = datetime.now(UTC) + timedelta(minutes=15)
    return jwt.encode({**CLAIMS, "sub": data.name, "exp": ends}, KEY, "HS256")


@app.get("/me")
def me(user: Annotated[str, Depends(current_user)]) -> str:
    return user
