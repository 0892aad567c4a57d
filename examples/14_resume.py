# uvicorn examples.14_resume:app
"""An answer that continues after a page reload, and a button that stops its run.

Open http://localhost:8000, ask, and reload the page in the middle of the answer. If REDIS is the
URL of a Redis, ``redis://localhost:6379/0``, the page may reconnect to another worker:
``uvicorn examples.14_resume:app --workers 2``.
"""

import os
from pathlib import Path

from langchain_core.prompts import ChatPromptTemplate
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Mount, Route

from asgi_stream import Resume, StreamApp, StreamRoute

from .scripted import ScriptedModel

chain = ChatPromptTemplate.from_template("{question}") | ScriptedModel(seconds=0.1)
resume = Resume(store=os.environ.get("REDIS", "memory"), unread_timeout=60)


async def page(request: Request) -> FileResponse:
    return FileResponse(Path(__file__).with_name("resume.html"))


app = Starlette(
    routes=[
        Route("/", page),
        Mount("/ai", StreamApp([StreamRoute("/chat", chain, resume=resume)], client_js=True)),
    ]
)
