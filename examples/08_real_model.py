# uvicorn examples.08_real_model:app
"""A real model on any server with an OpenAI-compatible API.

``scripts/real-model`` installs a small model on this machine and starts this example with it.

    curl -N localhost:8000/chat -H 'content-type: application/json' \\
        -d '{"question": "Why is the sky blue?"}'
"""

import os

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from asgi_stream import StreamApp, StreamRoute

model = ChatOpenAI(
    model=os.environ.get("MODEL", "local"),
    base_url=os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:8080/v1"),
    api_key=SecretStr(os.environ.get("OPENAI_API_KEY", "none")),
)
prompt = ChatPromptTemplate.from_messages(
    [("system", "You are a helpful assistant."), ("human", "{question}")]
)

app = StreamApp(routes=[StreamRoute("/chat", prompt | model | StrOutputParser())])
