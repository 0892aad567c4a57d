"""The buffer between the writers of frames and their one reader."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import pytest

from asgi_stream._delivery.buffer import FrameBuffer

pytestmark = pytest.mark.anyio


async def waiting(buffer: FrameBuffer, writers: int) -> list[asyncio.Task[None]]:
    """Start `writers` tasks that wait for room."""
    tasks = [asyncio.ensure_future(buffer.room()) for _ in range(writers)]
    await asyncio.sleep(0)
    return tasks


async def test_the_reader_takes_all_frames_in_order() -> None:
    buffer = FrameBuffer(None)
    assert buffer.waiting_since is None
    buffer.append(b"a")
    buffer.extend([b"bc", b"d"])
    buffer.finish(b"e")
    assert (buffer.size, buffer.held, buffer.ended) == (5, 5, True)
    assert buffer.waiting_since is not None
    assert buffer.take() == [b"a", b"bc", b"d", b"e"]
    assert (buffer.size, buffer.taken, buffer.waiting_since) == (0, 1, None)


async def test_every_frame_wakes_the_reader_once() -> None:
    buffer = FrameBuffer(None)
    writes: list[Callable[[], None]] = [
        partial(buffer.append, b"a"),
        partial(buffer.extend, []),
        buffer.wake,
        buffer.finish,
    ]
    for write in writes:
        arrival = buffer.arrival()
        assert not arrival.done()
        write()
        write()
        assert arrival.done()


async def test_a_cancelled_reader_is_not_woken() -> None:
    buffer = FrameBuffer(None)
    writes: list[Callable[[], None]] = [partial(buffer.append, b"a"), buffer.wake]
    for write in writes:
        arrival = buffer.arrival()
        arrival.cancel()
        write()
        assert arrival.cancelled()


async def test_writers_wait_from_half_of_the_capacity_on_until_all_is_taken() -> None:
    buffer = FrameBuffer(10)
    buffer.append(b"x" * 4)
    assert not buffer.full
    await buffer.room()
    buffer.append(b"x")
    assert buffer.full
    first, second, third = await waiting(buffer, 3)
    first.cancel()
    await asyncio.sleep(0)
    assert not second.done()
    buffer.take()
    assert not buffer.full
    await asyncio.gather(second, third)


async def test_the_end_releases_the_writers() -> None:
    buffer = FrameBuffer(10)
    buffer.append(b"x" * 10)
    tasks = await waiting(buffer, 2)
    buffer.finish()
    await asyncio.gather(*tasks)
    await buffer.room()


async def test_frames_of_writers_that_cannot_wait_do_not_make_it_overflow() -> None:
    buffer = FrameBuffer(10, pause_at=10)
    buffer.exempt(30)
    buffer.append(b"x" * 30)
    assert buffer.full
    assert not buffer.overflowing
    buffer.append(b"x" * 9)
    assert not buffer.overflowing
    await asyncio.sleep(0)
    buffer.append(b"x" * 9)
    buffer.exempt(30)
    buffer.append(b"x" * 30)
    await asyncio.sleep(0)
    assert not buffer.overflowing
    buffer.append(b"x")
    assert buffer.overflowing


async def test_one_burst_does_not_make_it_overflow_until_the_reader_has_taken_it() -> None:
    buffer = FrameBuffer(10)
    for _ in range(2):
        buffer.append(b"x" * 4)
        buffer.append(b"x" * 30)
        buffer.append(b"x" * 30)
        assert not buffer.overflowing
        await asyncio.sleep(0)
        buffer.append(b"x" * 5)
        assert not buffer.overflowing
        buffer.append(b"x")
        assert buffer.overflowing
        buffer.take()
        assert not buffer.overflowing


async def test_a_burst_that_the_reader_takes_does_not_end_the_next_one() -> None:
    buffer = FrameBuffer(10)
    buffer.append(b"x" * 30)
    buffer.take()
    buffer.append(b"x" * 30)
    assert not buffer.overflowing
    await asyncio.sleep(0)
    buffer.append(b"x" * 9)
    assert not buffer.overflowing
