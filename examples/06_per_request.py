# uvicorn examples.06_per_request:app
"""A config for each request: checks the user, and passes metadata to a tracing handler.

    curl -N 'localhost:8000/chat?thread_id=7' -H 'x-user: ada' \\
        -H 'content-type: application/json' -d '{"question": "Hi?"}'
"""

import logging
from typing import Any

from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableConfig
from pydantic import BaseModel
from starlette.requests import Request

from asgi_stream import Limits, StreamApp, StreamError, StreamRoute

from .scripted import ScriptedModel

logger = logging.getLogger("uvicorn.error")


class Tracer(AsyncCallbackHandler):
    """A stand-in for the callback handler of a tracing service."""

    async def on_chain_start(self, serialized: Any, inputs: Any, **kwargs: Any) -> None:
        if kwargs.get("parent_run_id") is None:
            user, thread = kwargs["metadata"]["user"], kwargs["metadata"]["thread"]
            logger.info("run %s for %s in thread %s", kwargs["run_id"], user, thread)


class Question(BaseModel):
    question: str


def per_request(request: Request) -> RunnableConfig:
    user = request.headers.get("x-user")
    if user is None:
        raise StreamError("Send your name in the header X-User.", code="unknown_user", status=401)
    thread = request.query_params.get("thread_id")
    return {"metadata": {"user": user, "thread": thread}, "tags": ["web"]}


app = StreamApp(
    routes=[
        StreamRoute(
            "/chat",
            ChatPromptTemplate.from_template("{question}") | ScriptedModel(),
            input=Question,
            config={"callbacks": [Tracer()]},
            configure=per_request,
            configurable=("thread_id",),
            limits=Limits(run=60, idle=10, concurrent=100),
        )
    ]
)
