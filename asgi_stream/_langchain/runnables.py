"""Wraps a Runnable before it runs: batches, the client's tools, its response format."""

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
    "batched",
    "innermost",
    "is_runnable",
    "merge_configs",
    "rewrapped",
    "with_response_format",
    "with_tools",
]

BATCH_SLICE = 100
"""How many inputs of a batch are passed to LangChain at once."""


def is_runnable(value: object) -> bool:
    return isinstance(value, Runnable)


def batched(runnable: Runnable[Any, Any], *concurrency: int | None) -> Runnable[Any, Any]:
    """Return a Runnable that takes a list of inputs and runs `runnable` on them concurrently.

    Args:
        runnable: The Runnable to run.
        concurrency: How many inputs may run at once: the lowest of these and of the config's
            ``max_concurrency``. None is no limit.
    """

    async def batch(inputs: list[Any], config: RunnableConfig, **options: Any) -> list[Any]:
        # The other options select what astream() yields; a batch has only outputs.
        context = {name: options[name] for name in ("context",) if name in options}
        bounds = [bound for bound in (*concurrency, config.get("max_concurrency")) if bound]
        config = {**config, "max_concurrency": min(bounds, default=None)}
        outputs: list[Any] = []
        # abatch() creates a config, a coroutine and a task for every input before any of them runs.
        for start in range(0, len(inputs), BATCH_SLICE):
            outputs += await runnable.abatch(inputs[start : start + BATCH_SLICE], config, **context)
        return outputs

    return RunnableLambda(batch).with_config(run_name=runnable.get_name())


def rewrapped(
    runnable: Runnable[Any, Any], change: Callable[[Runnable[Any, Any]], Runnable[Any, Any]]
) -> Runnable[Any, Any]:
    """Return `runnable` with `change` applied inside its retries, fallbacks and bindings.

    A binding that has tools is not entered: `change` is applied to the binding.
    """
    wrapper: Any = runnable
    if isinstance(wrapper, RunnableBindingBase) and "tools" not in wrapper.kwargs:
        update: dict[str, Any] = {"bound": rewrapped(wrapper.bound, change)}
    elif isinstance(wrapper, RunnableWithFallbacks):
        first, *others = (rewrapped(inner, change) for inner in wrapper.runnables)
        update = {"runnable": first, "fallbacks": others}
    else:
        return change(runnable)
    copy: Runnable[Any, Any] = wrapper.model_copy(update=update)
    return copy


def with_tools(
    runnable: Runnable[Any, Any], tools: Sequence[Mapping[str, Any]], choice: Any = None
) -> Runnable[Any, Any]:
    """Return `runnable`, a chat model, with the client's tools bound to it.

    Args:
        runnable: A chat model, possibly with retries, fallbacks and bindings.
        tools: OpenAI's function definitions.
        choice: ``tool_choice``, as for ``bind_tools``.

    Raises:
        InvalidRequest: It is not a chat model, cannot call tools, or has tools of its own.
    """
    options = {} if choice is None else {"tool_choice": choice}

    def bind(model: Runnable[Any, Any]) -> Runnable[Any, Any]:
        chat = model.default if isinstance(model, RunnableConfigurableFields) else model
        if not isinstance(chat, BaseChatModel):
            raise InvalidRequest(
                "This route runs its own tools and does not accept tools from the client."
            )
        try:
            bound = chat.bind_tools([dict(tool) for tool in tools], **options)
        except NotImplementedError:
            raise InvalidRequest("This route's model cannot call tools.") from None
        return bound if chat is model else model.bind(**getattr(bound, "kwargs", {}))

    return rewrapped(runnable, bind)


def with_response_format(
    runnable: Runnable[Any, Any], response_format: Mapping[str, Any], path: str
) -> Runnable[Any, Any]:
    """Return `runnable`, a chat model, with OpenAI's parameter ``response_format`` bound to it.

    The provider enforces the format. LangChain's models of OpenAI, Anthropic and providers with a
    compatible API accept the parameter.

    Args:
        runnable: A chat model.
        response_format: The value of the parameter.
        path: Where the request has it.

    Raises:
        InvalidRequest: It, or one of its fallbacks, is not a chat model.
    """
    if not all(isinstance(model, BaseChatModel) for model in innermost(runnable)):
        raise InvalidRequest.at(
            path,
            f"{response_format['type']!r} needs a chat model that is served alone, and this is"
            f" {runnable.get_name()}: omit {path}, or use another model of this API",
        )
    return runnable.bind(response_format=dict(response_format))


def innermost(runnable: Any) -> Iterator[Runnable[Any, Any]]:
    """Yield the Runnables inside retries, fallbacks, bindings and configurable fields."""
    match runnable:
        case RunnableBindingBase():
            yield from innermost(runnable.bound)
        case RunnableWithFallbacks():
            for inner in runnable.runnables:
                yield from innermost(inner)
        case DynamicRunnable():
            yield from innermost(runnable.default)
        case _:
            yield runnable
