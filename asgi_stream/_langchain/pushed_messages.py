"""Messages that the code of nodes sends by LangGraph's ``push_message``, before it returns.

It looks among the callback handlers for those of LangGraph's stream mode ``messages``, read in
langgraph 1.2.24. LangGraph is not imported.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import BaseMessage

IGNORED = ("llm", "retry", "agent", "chain", "retriever", "chat_model", "custom_event")
"""What a handler is not called for if its ``ignore_`` attributes are set."""


def handlers_of_pushed(take: Callable[[BaseMessage], None]) -> list[BaseCallbackHandler]:
    """Return callback handlers with which a run's ``push_message`` calls a function.

    Args:
        take: Called with each message, from any thread.
    """
    module = sys.modules.get("langgraph.pregel._messages")
    kind = getattr(module, "StreamMessagesHandler", None)
    return [] if kind is None else [_taking(kind)(take)]


@cache
def _taking(kind: Any) -> Any:
    """Return a class of handlers like LangGraph's, which take nothing but what is pushed."""

    def init(self: Any, take: Callable[[BaseMessage], None]) -> None:
        self.take = take

    def emit(self: Any, meta: Any, message: BaseMessage, *, dedupe: bool = False) -> None:
        self.take(message)

    ignored = {f"ignore_{each}": True for each in IGNORED}
    methods = {"__init__": init, "_emit": emit}
    return type("PushedMessages", (kind,), {**ignored, **methods, "subgraphs": True})
