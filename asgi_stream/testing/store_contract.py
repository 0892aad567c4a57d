"""What every `asgi_stream.stores.EventStore` must do, as async functions that check it.

Each check takes two stores over the same, empty backend: the store of the worker that runs a run,
and that of another worker. A store with `local` set to True is both. A check raises an
`AssertionError`, or the error of the store.

Example:
    With pytest and anyio::

        import pytest
        from asgi_stream.testing import STORE_CHECKS, StoreCheck

        @pytest.mark.anyio
        @pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__)
        async def test_my_store(check: StoreCheck) -> None:
            store = MyStore()
            await check(store, store)
            await store.aclose()
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from ..stores import EventStore
from . import frame_checks, run_checks

__all__ = ["STORE_CHECKS", "StoreCheck"]

StoreCheck: TypeAlias = Callable[[EventStore, EventStore], Awaitable[None]]
"""A check of the contract: it takes the store of a run's worker, and that of another worker."""

STORE_CHECKS: tuple[StoreCheck, ...] = (
    frame_checks.frames_are_read_from_any_position,
    frame_checks.many_frames_are_read_in_pages,
    frame_checks.dropped_frames_are_a_gap,
    frame_checks.followers_get_new_frames,
    frame_checks.producers_know_the_number_of_readers,
    run_checks.records_are_up_to_date,
    run_checks.runs_of_an_owner_are_listed_newest_first,
    run_checks.keys_are_unique_and_conversations_move_on,
    run_checks.quotas_count_unfinished_runs,
    frame_checks.stores_check_that_they_can_be_written,
    run_checks.owners_and_names_are_any_text,
    run_checks.runs_are_stopped_from_any_worker,
    run_checks.ended_runs_are_kept_for_a_time,
    run_checks.live_runs_are_not_finalized_as_orphans,
)
"""The whole contract, one function for each promise."""
