# uvicorn examples.03_middleware:app
"""A route table in front of another ASGI app, which gets the requests that no route matches.

curl -N localhost:8000/ai/chat -H 'content-type: application/json' -d '{"question": "Hi?"}'
"""

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from asgi_stream import StreamMiddleware, StreamRoute

from .scripted import ScriptedModel

chain = ChatPromptTemplate.from_template("{question}") | ScriptedModel() | StrOutputParser()


async def hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse("the app behind")


behind = Starlette(routes=[Route("/{path:path}", hello)])
app = StreamMiddleware(behind, routes=[StreamRoute("/ai/chat", chain)])
