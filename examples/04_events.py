# uvicorn examples.04_events:app
"""LangChain's events, filtered by the route. Clients may narrow the filter, never widen it.

    curl -N 'localhost:8000/events?include=*_stream' \\
        -H 'content-type: application/json' -d '{"question": "Hi?"}'
"""

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate

from asgi_stream import EventFilter, StreamApp, StreamRoute

from .scripted import ScriptedModel

chain = ChatPromptTemplate.from_template("{question}") | ScriptedModel() | StrOutputParser()

app = StreamApp(
    routes=[
        StreamRoute(
            "/events",
            chain,
            format="events",
            filter=EventFilter(include=("on_chat_model_*",)),
        )
    ]
)
