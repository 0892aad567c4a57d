"""Checks of docs/pages/cancellation.md."""

from __future__ import annotations

from ..python_blocks import Ran


async def the_tests_pass(ran: Ran) -> None:
    await ran.names["test_a_client_that_leaves_stops_the_work"]()
