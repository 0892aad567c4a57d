"""What a run's models say and use, as LangChain tells of it, whatever is passed on to a client."""

from __future__ import annotations

from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.outputs import LLMResult

from .messages import text_of_content


class Usage(BaseCallbackHandler):
    """Counts while a run goes on.

    Attributes:
        tokens: Pieces of text that models have streamed.
        counts: The ``input_tokens`` and ``output_tokens`` of models that have ended.
    """

    run_inline = True

    def __init__(self) -> None:
        self.tokens = 0
        self.counts = {"input_tokens": 0, "output_tokens": 0}

    def on_llm_new_token(self, token: Any, **about: Any) -> None:
        self.tokens += bool(text_of_content(token))

    def on_llm_end(self, response: LLMResult, **about: Any) -> None:
        for generation in (each for batch in response.generations for each in batch):
            message = getattr(generation, "message", None)
            used = getattr(message, "usage_metadata", None) or {}
            for name in self.counts:
                self.counts[name] += used.get(name) or 0
