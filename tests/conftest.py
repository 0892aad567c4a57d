from __future__ import annotations

import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from .redis_server import RedisServer, redis_server

HERE = Path(__file__).parent

# The environment with the lowest versions has no LangChain, whose agents these tests run.
collect_ignore = (
    []
    if find_spec("langchain")
    else [
        "config/test_threads.py",
        "docs",
        "formats/test_responses.py",
        "formats/test_responses_tools.py",
        "formats/test_vercel_threads.py",
        "langchain/test_client_tools.py",
        "langchain/test_entrypoints.py",
        "langchain/test_structured_output.py",
        "langchain/test_tool_errors_of_graphs.py",
        "openapi/test_document.py",
        "recipes",
        "resume/test_thread_events.py",
        "routing/test_table.py",
        "test_pages.py",
        "test_readme.py",
        "test_threads.py",
        "test_wheel.py",
        "threads",
    ]
)

PATHS = {
    "docs/test_frontends.py": "node",
    "docs/test_javascript_blocks.py": "node",
    "docs/test_site.py": "slow",
    "client/test_stream": "node",
    "frontends/": "node",
    "guarantees/": "slow",
    "guarantees/test_browser.py": "browser",
    "lifecycle/test_server_sockets.py": "server",
    "playground/": "browser",
    "recipes/": "server",
    "resume/test_faults.py": "redis",
    "stores/test_redis.py": "redis",
    "stores/test_redis_threads.py": "redis",
    "test_examples.py": "server",
    "test_scripts.py": "slow",
    "test_wheel.py": "slow",
    "typed/": "slow",
    # They wait for deadlines, or compare many runs.
    "delivery/test_json_pings.py": "slow",
    "formats/test_message_round_trip.py": "slow",
    "langchain/test_cleanup.py": "slow",
    "langchain/test_inline_parser.py": "slow",
    "langchain/test_odd_types.py": "slow",
    "openapi/test_document.py": "slow",
    "request/test_disconnect.py": "slow",
}
"""Marks of all tests in a folder or file."""
FIXTURES = {"server": "server", "postgres": "server", "redis": "redis", "playwright": "browser"}
"""Marks of the tests that use a fixture, or have a parameter of that name."""
PROGRAMS = {"serving", "serving_page", "serving_table", "subprocess"}
"""What a test that starts a program calls."""
MARKS = {*PATHS.values(), *FIXTURES.values()}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        path = item.path.relative_to(HERE).as_posix()
        marks = {mark for prefix, mark in PATHS.items() if path.startswith(prefix)}
        if isinstance(item, pytest.Function):
            parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
            names = {*item.fixturenames, *(each for each in parameters if isinstance(each, str))}
            marks |= {FIXTURES[name] for name in names & FIXTURES.keys()}
            if PROGRAMS & {*item.function.__code__.co_names}:
                marks.add("server")
        for mark in sorted(marks):
            item.add_marker(mark)


@pytest.fixture(autouse=True)
def no_programs_without_a_mark(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keep ``scripts/test --fast`` free of what needs other programs."""
    if any(request.node.get_closest_marker(mark) for mark in MARKS):
        return

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("a test that starts a program needs a mark: see PATHS and PROGRAMS")

    monkeypatch.setattr(subprocess.Popen, "__init__", refuse)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server for all tests that do not harm it."""
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def playwright(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The module that drives a real Chromium."""
    folder = tmp_path_factory.mktemp("npm")
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "playwright-core@1.64.1"]
    subprocess.run(command, cwd=folder, check=True, timeout=120)
    return folder / "node_modules/playwright-core/index.mjs"
