# uvicorn examples.13_langserve:app
"""A chain for clients with LangServe's ``RemoteRunnable``, served without LangServe.

from langserve import RemoteRunnable
for text in RemoteRunnable("http://localhost:8000/chat").stream({"question": "Hi?"}):
    print(text, end="")
"""

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate

from asgi_stream import StreamApp, StreamRoute

from .scripted import ScriptedModel

chain = ChatPromptTemplate.from_template("{question}") | ScriptedModel() | StrOutputParser()

app = StreamApp(routes=[StreamRoute("/chat", chain, format="langserve")])
