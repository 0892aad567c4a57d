"""What a Runnable is, and what is made of one before it is run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable, RunnableBinding, RunnableConfig, RunnableLambda
from langchain_core.runnables.config import merge_configs

from .errors import InvalidRequest

__all__ = [
    "is_runnable",
    "many",
    "merge_configs",
    "with_response_format",
    "with_tools",
]

BATCH_SLICE = 100
"""How many inputs of a batch are handed to LangChain together."""


def is_runnable(value: object) -> bool:
    return isinstance(value, Runnable)


def many(runnable: Runnable[Any, Any], *concurrency: int | None) -> Runnable[Any, Any]:
    """What takes a list of inputs and runs `runnable` with each, side by side.

    Args:
        runnable: What to run.
        concurrency: How many inputs may run at once; the lowest of these, and of the config's
            ``max_concurrency``, applies.
    """

    async def each(inputs: list[Any], config: RunnableConfig, **options: Any) -> list[Any]:
        # The rest says what astream() yields, and a batch has its outputs only.
        kept = {name: options[name] for name in ("context",) if name in options}
        bounds = [bound for bound in (*concurrency, config.get("max_concurrency")) if bound]
        config = {**config, "max_concurrency": min(bounds, default=None)}
        outputs: list[Any] = []
        # abatch() makes a config, a coroutine and a task of every input before the first one runs.
        for start in range(0, len(inputs), BATCH_SLICE):
            outputs += await runnable.abatch(inputs[start : start + BATCH_SLICE], config, **kept)
        return outputs

    return RunnableLambda(each).with_config(run_name=runnable.get_name())


def with_tools(
    runnable: Runnable[Any, Any], tools: Sequence[Mapping[str, Any]], choice: Any = None
) -> Runnable[Any, Any]:
    """`runnable`, a chat model, with the client's own tools bound to it.

    Raises:
        InvalidRequest: It is not a chat model, cannot call tools, or has tools of its own.
    """
    if isinstance(runnable, RunnableBinding) and "tools" not in runnable.kwargs:
        inner = with_tools(runnable.bound, tools, choice)
        bound: Runnable[Any, Any] = runnable.model_copy(update={"bound": inner})
        return bound
    if not isinstance(runnable, BaseChatModel):
        raise InvalidRequest("This route runs its own tools, and takes none of the client's.")
    chosen = {} if choice is None else {"tool_choice": choice}
    try:
        return runnable.bind_tools([dict(tool) for tool in tools], **chosen)
    except NotImplementedError:
        raise InvalidRequest("This route's model cannot call tools.") from None


def with_response_format(
    runnable: Runnable[Any, Any], form: Mapping[str, Any]
) -> Runnable[Any, Any]:
    """`runnable`, a chat model, that answers in the form that the client asks for.

    Its provider sees to the form: what is bound is OpenAI's own parameter, which LangChain's models
    of OpenAI, of Anthropic and of those that follow them take.

    Raises:
        InvalidRequest: It is not a chat model.
    """
    model: Any = runnable
    while isinstance(model, RunnableBinding):
        model = model.bound
    if not isinstance(model, BaseChatModel):
        what = (
            f"only a chat model that is served alone takes {form['type']!r}, and this is"
            f" {runnable.get_name()}: leave response_format out, or ask another model of this API"
        )
        raise InvalidRequest(f"response_format: {what}", fields={"response_format": what})
    return runnable.bind(response_format=dict(form))
