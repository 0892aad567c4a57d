# uvicorn examples.01_route_table:app
"""A route table, which maps paths to Runnables.

curl -N localhost:8000/chat -H 'content-type: application/json' -d '{"question": "Hi?"}'
"""

from langchain_core.output_parsers import JsonOutputParser, StrOutputParser
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import RunnableLambda

from asgi_stream import StreamApp, StreamRoute

from .scripted import ScriptedModel

prompt = ChatPromptTemplate.from_messages(
    [MessagesPlaceholder("chat_history", optional=True), ("human", "{question}")]
)
chain = prompt | ScriptedModel() | StrOutputParser()
shopping = prompt | ScriptedModel(answer='{{"buy": ["bread", "butter"]}}') | JsonOutputParser()

app = StreamApp(
    routes=[
        StreamRoute("/chat", chain),
        StreamRoute("/shopping", shopping, format="chunks"),
        StreamRoute("/shout", RunnableLambda(str.upper)),
    ]
)
