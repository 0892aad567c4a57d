# uvicorn examples.02_fastapi:app
"""A route table mounted in a FastAPI app, next to the routes of the app.

curl -N localhost:8000/ai/chat -H 'content-type: application/json' -d '{"question": "Hi?"}'
"""

from fastapi import FastAPI
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate

from asgi_stream import StreamApp, StreamRoute

from .scripted import ScriptedModel

chain = ChatPromptTemplate.from_template("{question}") | ScriptedModel() | StrOutputParser()

app = FastAPI()
app.mount("/ai", StreamApp(routes=[StreamRoute("/chat", chain)]))


@app.get("/hello")
def hello() -> str:
    return "a route of FastAPI's own"
