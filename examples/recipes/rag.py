# uvicorn examples.recipes.rag:app
"""Answers from documents, with their sources below the answer, in ``useChat``.

Open http://localhost:8000 in a browser. npm bundles the page, ../web/rag.jsx, at startup.
"""

from operator import itemgetter
from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.messages import BaseMessage
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnablePassthrough
from starlette.applications import Starlette
from starlette.routing import Mount

from asgi_stream import StreamApp, StreamRoute

from ..pages import page_of
from ..scripted import ScriptedModel

# `title`, `url` and `source` reach the page. The text does not, nor does the folder of a file.
DOCUMENTS = [
    Document(
        "Trains to Paris leave at 7:05 and at 9:40.",
        metadata={"title": "Trains of the week", "url": "https://example.com/trains"},
    ),
    Document(
        "Refunds for trains are paid within ten days.",
        metadata={"source": "/srv/documents/refunds.pdf", "page": 3},
    ),
    Document("The canteen is closed on Mondays.", metadata={"title": "Canteen"}),
]


class Words(BaseRetriever):
    """Finds documents that have a word of the question; yours is a vector store's retriever."""

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        words = {word.strip("?!.,").lower() for word in query.split() if len(word) > 3}
        return [each for each in DOCUMENTS if words & {*each.page_content.lower().split()}]


def as_text(documents: list[Document]) -> str:
    return "\n\n".join(document.page_content for document in documents)


prompt = ChatPromptTemplate.from_messages(
    [
        ("system", "Answer from these documents only:\n\n{documents}"),
        MessagesPlaceholder("history"),
        ("human", "{question}"),
    ]
)
# Or ChatOpenAI(model="gpt-5-mini") of langchain-openai.
model = ScriptedModel(answer="You asked: {question} The answer is in the documents below.")
documents = itemgetter("question") | Words() | as_text
chain = RunnablePassthrough.assign(documents=documents) | prompt | model


def as_input(messages: list[BaseMessage]) -> dict[str, Any]:
    """Convert the conversation of the page to the input of the chain."""
    *history, question = messages
    return {"question": question.text, "history": history}


streams = StreamApp(routes=[StreamRoute("/chat", chain, format="vercel", conversation=as_input)])
app = Starlette(routes=[*page_of("rag"), Mount("/", streams)])
