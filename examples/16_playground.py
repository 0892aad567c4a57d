# uvicorn examples.16_playground:app
"""The playground, and the routes in FastAPI's own OpenAPI document.

Open http://localhost:8000/ai/playground, and http://localhost:8000/docs.
"""

from fastapi import FastAPI
from langchain_core.prompts import ChatPromptTemplate

from asgi_stream import StreamApp, StreamRoute
from asgi_stream.openapi import add_to_openapi

from .agent import agent
from .scripted import ScriptedModel

chain = ChatPromptTemplate.from_template("{question}") | ScriptedModel()

streams = StreamApp(
    routes=[
        StreamRoute("/chat", chain, resume=True),
        StreamRoute("/agent", agent),
        StreamRoute("/useChat", agent, format="vercel"),
    ],
    playground=True,  # off by default, because it shows the inputs of all routes
)

app = FastAPI()
app.mount("/ai", streams)
add_to_openapi(app)
