# uvicorn examples.recipes.plain_page:app
"""A chat of your own in plain JavaScript, without a framework: plain_page.html.

Open http://localhost:8000 in a browser. The server keeps the conversation, and the answer that is
being made: reload the page in the middle of one.
"""

from pathlib import Path

from langchain.agents import create_agent
from langgraph.checkpoint.memory import InMemorySaver
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Mount, Route

from asgi_stream import Resume, StreamApp, StreamRoute

from ..scripted import ScriptedModel

model = ScriptedModel(
    answer="You said: {question} That was message number {turn}. I remember all of them, and I go"
    " on with what I say if you reload the page.",
    seconds=0.1,
)
agent = create_agent(model, checkpointer=InMemorySaver())
resume = Resume(unread_timeout=60)


async def page(request: Request) -> FileResponse:
    return FileResponse(Path(__file__).with_name("plain_page.html"))


chat = StreamRoute("/chat", agent, threads=True, resume=resume)
app = Starlette(routes=[Route("/", page), Mount("/ai", StreamApp([chat], client_js=True))])
