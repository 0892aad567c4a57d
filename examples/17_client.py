# uvicorn examples.17_client:app
"""A chain with a served chain as a step. Here one process serves both.

    curl -N localhost:8000/events -H 'content-type: application/json' -d '{"question": "Hi?"}'

``/events`` has the events of both chains: the model runs in ``/inner``.
"""

import os

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda

from asgi_stream import StreamApp, StreamRoute
from asgi_stream.client import RemoteRunnable

from .scripted import ScriptedModel

inner = ChatPromptTemplate.from_template("{question}") | ScriptedModel()
remote: RemoteRunnable[dict[str, str], str] = RemoteRunnable(
    f"http://127.0.0.1:{os.environ.get('PORT', 8000)}/inner"
)


async def politely(inputs: dict[str, str]) -> dict[str, str]:
    return {"question": f"{inputs['question']} Please."}


outer = RunnableLambda(politely) | remote | StrOutputParser()

app = StreamApp(
    routes=[
        StreamRoute("/inner", inner, format="events"),
        StreamRoute("/events", outer, format="events"),
        StreamRoute("/chat", outer),
    ]
)
