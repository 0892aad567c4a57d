"""Counts the tokens of a run's models, whichever of them the client gets."""

from __future__ import annotations

from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.outputs import LLMResult

from .messages import text_of_content


class Usage(BaseCallbackHandler):
    """A callback handler that counts tokens.

    Attributes:
        tokens: The number of pieces of text that models have streamed.
        counts: The sums of ``input_tokens`` and ``output_tokens`` of models that have ended.
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
            usage = getattr(message, "usage_metadata", None) or {}
            for name in self.counts:
                self.counts[name] += usage.get(name) or 0
