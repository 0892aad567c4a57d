"""The contract of each `EventStore` and `ThreadStore`, as async functions that check it.

Each check takes two stores over the same, empty backend: the store of the worker that runs a run,
and that of another worker. A store with `local` set to True is both. A check raises an
`AssertionError`, or the error of the store. Checks of threads may leave claims, which end when both
stores are closed. `THREAD_STORE_CHECKS` are used in the same way as `STORE_CHECKS`.

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

from ..stores import EventStore, ThreadStore
from . import claim_checks, frame_checks, run_checks, take_over_checks, thread_checks

__all__ = ["STORE_CHECKS", "THREAD_STORE_CHECKS", "StoreCheck", "ThreadStoreCheck"]

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
    run_checks.ended_runs_are_deleted,
    run_checks.live_runs_are_not_finalized_as_orphans,
    take_over_checks.live_runs_are_not_taken_over,
    take_over_checks.orphans_are_taken_over_once,
)
"""The whole contract, one function for each promise."""

ThreadStoreCheck: TypeAlias = Callable[[ThreadStore, ThreadStore], Awaitable[None]]
"""A check of the contract of stores of threads, with the stores of two workers."""

THREAD_STORE_CHECKS: tuple[ThreadStoreCheck, ...] = (
    thread_checks.threads_are_created_once,
    thread_checks.touching_creates_threads,
    thread_checks.touching_changes_only_what_it_names,
    thread_checks.changes_at_the_same_time_are_merged,
    thread_checks.threads_list_their_newest_runs,
    thread_checks.threads_are_deleted,
    thread_checks.threads_of_a_scope_are_listed_newest_first,
    thread_checks.ids_and_scopes_are_any_text,
    thread_checks.scopes_are_apart,
    thread_checks.metadata_is_any_json,
    thread_checks.thread_stores_check_that_they_can_be_written,
    claim_checks.one_run_claims_a_thread,
    claim_checks.waiting_claims_are_served_in_order,
    claim_checks.one_run_at_a_time_has_a_thread,
    claim_checks.all_earlier_claimants_are_evicted,
    claim_checks.cancelled_claims_are_withdrawn,
    claim_checks.waiting_claims_are_released,
    claim_checks.only_what_is_claimed_is_released,
    claim_checks.claims_of_any_text_are_apart,
    claim_checks.threads_are_busy_while_claimed,
    claim_checks.claims_end_with_their_worker,
    take_over_checks.claims_are_taken_over_by_their_run,
    take_over_checks.claims_of_earlier_attempts_are_refused,
    take_over_checks.waiting_claims_are_taken_over_by_their_run,
)
"""The whole contract of stores of threads, one function for each promise."""
