"""What the Python blocks of a page use without defining it: a model with a script, a chain."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from langchain_core.runnables import Runnable
from pydantic import BaseModel

from asgi_stream import StreamApp, StreamRoute

from ..models import Recorder, Scripted, chain_of
from .blocks import module_of


class Question(BaseModel):
    question: str


class RateLimitError(Exception):
    pass


def page_names(page: str) -> dict[str, Any]:
    """Those that all pages have, and the page's own: ``NAMES`` of its module in ``checks/``."""
    chain = chain_of("Hel", "lo")
    names: dict[str, Any] = {
        "__name__": module_of(page),
        "Question": Question,
        "RateLimitError": RateLimitError,
        "StreamApp": StreamApp,
        "StreamRoute": StreamRoute,
        "app": StreamApp([StreamRoute("/chat", chain)]),
        "chain": chain,
        "make_runnable": lambda request: chain,
        "model": Scripted(script=["Hel", "lo"]),
        "per_request": lambda request: {},
        "tracer": Recorder(),
        "user_of": user_of,
    }
    checks = checks_of(page)
    return {**names, **(getattr(checks, "NAMES", {}) if checks else {})}


def user_of(request: Any) -> str:
    return "ann"


def checks_of(page: str) -> ModuleType | None:
    """The module with the checks of a page, if it has any."""
    name = f"{__package__}.checks.{module_of(page)}"
    return importlib.import_module(name) if find_spec(name) else None


def check_of(page: str, name: str) -> Callable[..., Any]:
    checks = checks_of(page)
    assert hasattr(checks, name), f"there is no {name} in tests/docs/checks/{module_of(page)}.py"
    return getattr(checks, name)  # type: ignore[no-any-return]


def stand_in(name: str, page: str) -> ModuleType:
    """A module for ``"bot:chain"`` in a table: it has the page's names, and a chain for others."""
    module = ModuleType(name)
    vars(module).update(page_names(page), __name__=name)
    chain: Runnable[Any, Any] = chain_of("Hel", "lo")
    module.__getattr__ = lambda attribute: chain  # type: ignore[method-assign]
    return module
