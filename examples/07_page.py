# uvicorn examples.07_page:app
"""A page that shows tokens as they arrive, with a stop button that cancels the run.

Open http://localhost:8000 in a browser.
"""

from pathlib import Path

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Mount, Route

from asgi_stream import StreamApp, StreamRoute

from .scripted import ScriptedModel

chain = ChatPromptTemplate.from_template("{question}") | ScriptedModel() | StrOutputParser()


async def page(request: Request) -> FileResponse:
    return FileResponse(Path(__file__).with_name("page.html"))


app = Starlette(
    routes=[
        Route("/", page),
        Mount("/ai", StreamApp(routes=[StreamRoute("/chat", chain)], client_js=True)),
    ]
)
