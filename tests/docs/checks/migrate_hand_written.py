"""What docs/pages/migrate/hand-written.md calls, and its checks."""

from __future__ import annotations

from typing import Any

from langchain_core.language_models import FakeListChatModel
from langchain_core.prompts import ChatPromptTemplate

from ...asgi import post, tokens
from ..python_blocks import Ran

model = FakeListChatModel(responses=["Hi!"])
NAMES: dict[str, Any] = {"chain": ChatPromptTemplate.from_template("{question}") | model}


async def the_loop_streams(ran: Ran) -> None:
    answer = await post(ran.names["app"], "/ai/chat", {"question": "Hi?"})
    assert tokens(answer.body) == [*"Hi!"]


the_route_streams_the_same = the_loop_streams
