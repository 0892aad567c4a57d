"""What a Runnable is, and what is made of one before it is run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import (
    Runnable,
    RunnableConfig,
    RunnableLambda,
    RunnableWithFallbacks,
)
from langchain_core.runnables.base import RunnableBindingBase
from langchain_core.runnables.config import merge_configs
from langchain_core.runnables.configurable import DynamicRunnable, RunnableConfigurableFields

from ..errors import InvalidRequest

__all__ = [
    "is_runnable",
    "many",
    "merge_configs",
    "rewrapped",
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


def rewrapped(
    runnable: Runnable[Any, Any], change: Callable[[Runnable[Any, Any]], Runnable[Any, Any]]
) -> Runnable[Any, Any]:
    """`runnable` with `change` made to what it runs, within its retries, fallbacks and bindings.

    A binding that has tools of its own is left whole.
    """
    wrapper: Any = runnable
    if isinstance(wrapper, RunnableBindingBase) and "tools" not in wrapper.kwargs:
        inner: dict[str, Any] = {"bound": rewrapped(wrapper.bound, change)}
    elif isinstance(wrapper, RunnableWithFallbacks):
        first, *others = (rewrapped(each, change) for each in wrapper.runnables)
        inner = {"runnable": first, "fallbacks": others}
    else:
        return change(runnable)
    copy: Runnable[Any, Any] = wrapper.model_copy(update=inner)
    return copy


def with_tools(
    runnable: Runnable[Any, Any], tools: Sequence[Mapping[str, Any]], choice: Any = None
) -> Runnable[Any, Any]:
    """`runnable`, a chat model, with the client's own tools bound to it.

    Raises:
        InvalidRequest: It is not a chat model, cannot call tools, or has tools of its own.
    """
    chosen = {} if choice is None else {"tool_choice": choice}

    def bind(model: Runnable[Any, Any]) -> Runnable[Any, Any]:
        known = model.default if isinstance(model, RunnableConfigurableFields) else model
        if not isinstance(known, BaseChatModel):
            raise InvalidRequest("This route runs its own tools, and takes none of the client's.")
        try:
            bound = known.bind_tools([dict(tool) for tool in tools], **chosen)
        except NotImplementedError:
            raise InvalidRequest("This route's model cannot call tools.") from None
        return bound if known is model else model.bind(**getattr(bound, "kwargs", {}))

    return rewrapped(runnable, bind)


def with_response_format(
    runnable: Runnable[Any, Any], form: Mapping[str, Any]
) -> Runnable[Any, Any]:
    """`runnable`, a chat model, that answers in the form that the client asks for.

    Its provider sees to the form: what is bound is OpenAI's own parameter, which LangChain's models
    of OpenAI, of Anthropic and of those that follow them take.

    Raises:
        InvalidRequest: It is not a chat model, nor has it only such for its fallbacks.
    """
    if not all(isinstance(model, BaseChatModel) for model in _run_by(runnable)):
        what = (
            f"only a chat model that is served alone takes {form['type']!r}, and this is"
            f" {runnable.get_name()}: leave response_format out, or ask another model of this API"
        )
        raise InvalidRequest(f"response_format: {what}", fields={"response_format": what})
    return runnable.bind(response_format=dict(form))


def _run_by(runnable: Any) -> Iterator[Runnable[Any, Any]]:
    """What a Runnable runs by itself or through what LangChain's ``with_...`` and the like make."""
    match runnable:
        case RunnableBindingBase():
            yield from _run_by(runnable.bound)
        case RunnableWithFallbacks():
            for each in runnable.runnables:
                yield from _run_by(each)
        case DynamicRunnable():
            yield from _run_by(runnable.default)
        case _:
            yield runnable
