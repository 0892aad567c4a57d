"""Checks of docs/pages/testing.md."""

from __future__ import annotations

from ..python_blocks import Ran


async def the_tests_pass(ran: Ran) -> None:
    tests = [value for name, value in ran.names.items() if name.startswith("test_")]
    assert len(tests) == 2
    for each in tests:
        await each()
