"""The examples in public docstrings work, and each top-level name has one."""

from __future__ import annotations

import doctest
import inspect
import pkgutil
from importlib import import_module

import pytest
from fastapi import FastAPI
from langchain_core.runnables import RunnableConfig, RunnableLambda
from starlette.applications import Starlette

import asgi_stream
from asgi_stream.stores.memory import MemoryStore
from asgi_stream.stores.memory_threads import MemoryThreadStore

from .corpus import graph_of
from .models import Scripted

MODULES = [
    each.name
    for each in pkgutil.iter_modules(asgi_stream.__path__)
    if not each.name.startswith("_") and each.name != "cli"
]
NAMES = {
    **{name: getattr(asgi_stream, name) for name in asgi_stream.__all__},
    "FastAPI": FastAPI,
    "MyStore": lambda url: MemoryStore(),
    "MyThreadStore": lambda url: MemoryThreadStore(),
    "RunnableConfig": RunnableConfig,
    "Starlette": Starlette,
    "chain": RunnableLambda(str.upper),
    "graph": graph_of(Scripted(script=["a"])),
}
"""What a reader knows: the package's own names, those of its field, a chain, a graph."""


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_public_module_work(name: str) -> None:
    module = import_module(f"asgi_stream.{name}")
    finder = doctest.DocTestFinder(exclude_empty=True)
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS)
    for exported in module.__all__:
        value = getattr(module, exported)
        for example in finder.find(value, exported, module=False, globs={**NAMES, exported: value}):
            runner.run(example)
    assert runner.summarize(verbose=False).failed == 0


def test_each_top_level_name_has_an_example() -> None:
    for name in asgi_stream.__all__:
        text = inspect.getdoc(getattr(asgi_stream, name)) or ""
        assert ">>> " in text, name
