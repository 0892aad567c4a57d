# uvicorn examples.10_openai:app
"""Two Runnables as the models of an OpenAI-compatible API.

python examples/ask_openai.py
curl localhost:8000/v1/models
"""

from typing import Any

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable

from asgi_stream import StreamApp, StreamRoute

from .scripted import ScriptedModel

prompt = ChatPromptTemplate.from_messages([("system", "Be brief."), ("human", "{question}")])
models: dict[str, Runnable[Any, Any]] = {
    "script": ScriptedModel(),
    "brief": prompt | ScriptedModel(answer="No idea.") | StrOutputParser(),
}

app = StreamApp(routes=[StreamRoute("/v1", models, format="openai")])
