"""Two requests on one thread at once."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from asgi_stream import Limits, StreamApp, StreamRoute

from ..asgi import JSON, Exchange, post
from ..clients import until
from .agents import Listener, agent_of
from .chat import CHAT, user

pytestmark = pytest.mark.anyio


@pytest.fixture
def model() -> Listener:
    return Listener()


def app_of(model: Listener, **options: Any) -> StreamApp:
    agent = agent_of(model)
    return StreamApp([StreamRoute("/chat", agent, format=CHAT, threads=True, **options)])


def body(id_: str, text: str, **more: Any) -> Any:
    return {"id": "t", "messages": [user(id_, text)], **more}


def running(app: StreamApp, **more: Any) -> Exchange:
    return Exchange(app, "POST", "/chat", body("u1", "slow", **more), headers=JSON)


async def test_a_second_run_is_rejected(model: Listener) -> None:
    app = app_of(model)
    async with running(app) as first:
        await until(lambda: model.slow)
        second = await post(app, "/chat", body("u2", "2"))
        assert (second.status, second.json()["error"]["code"]) == (409, "thread_busy")
        model.slow[0].set()
        await first.finished()
    assert (await post(app, "/chat", body("u2", "2"))).status == 200
    assert model.hears == [["user: slow"], ["user: slow", "ai: re: slow", "user: 2"]]


async def test_other_threads_are_not_concerned(model: Listener) -> None:
    app = app_of(model)
    async with running(app):
        await until(lambda: model.slow)
        assert (await post(app, "/chat", {**body("u2", "2"), "id": "other"})).status == 200


async def test_a_run_whose_reader_has_just_left_is_waited_for(model: Listener) -> None:
    app = app_of(model)
    async with running(app) as first:
        await until(lambda: model.slow)
        first.disconnect()
        assert (await post(app, "/chat", body("u2", "2"))).status == 200
    assert model.hears[-1] == ["user: slow", "user: 2"]


async def test_a_second_run_waits_for_its_turn(model: Listener) -> None:
    app = app_of(model, multitask="enqueue", limits=Limits(hold=0.05, ping=0.05))
    async with running(app) as first:
        await until(lambda: model.slow)
        waiting = [
            Exchange(app, "POST", "/chat", body(f"u{n}", f"{n}"), headers=JSON) for n in (2, 3)
        ]
        async with waiting[0] as second:
            await second.until(b": ping")
            async with waiting[1] as third:
                await third.until(b": ping")
                assert len(model.hears) == 1
                model.slow[0].set()
                for each in (first, second, third):
                    await each.finished()
                    assert b"[DONE]" in each.body
    assert model.hears[1:] == [
        ["user: slow", "ai: re: slow", "user: 2"],
        ["user: slow", "ai: re: slow", "user: 2", "ai: re: 2", "user: 3"],
    ]


async def test_a_waiting_run_is_given_up_with_its_reader(model: Listener) -> None:
    app = app_of(model, multitask="enqueue", limits=Limits(hold=0.05, ping=0.05))
    async with running(app) as first:
        await until(lambda: model.slow)
        async with Exchange(app, "POST", "/chat", body("u2", "2"), headers=JSON) as second:
            await second.until(b": ping")
            second.disconnect()
        model.slow[0].set()
        await first.finished()
    await post(app, "/chat", body("u3", "3"))
    assert model.hears[-1] == ["user: slow", "ai: re: slow", "user: 3"]


async def test_a_waiting_run_that_turns_out_to_be_wrong_fails(model: Listener) -> None:
    app = app_of(model, multitask="enqueue", limits=Limits(hold=0.05, ping=0.05))
    decision = {"decisions": {"c": {"type": "approve"}}}
    async with running(app) as first:
        await until(lambda: model.slow)
        async with Exchange(
            app, "POST", "/chat", body("u2", "2", **decision), headers=JSON
        ) as second:
            await second.until(b": ping")
            model.slow[0].set()
            await second.finished()
        assert b"not_pending" in second.body
        await first.finished()


@pytest.mark.parametrize(
    ("multitask", "heard"),
    [
        ("interrupt", ["user: 1", "ai: re: 1", "user: slow", "user: 3"]),
        ("rollback", ["user: 1", "ai: re: 1", "user: 3"]),
    ],
)
async def test_a_second_run_takes_over(
    multitask: str, heard: list[str], model: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "asgi_stream")
    app = app_of(model, multitask=multitask)
    await post(app, "/chat", body("u1", "1"))
    slow = {**body("u2", "slow")}
    async with Exchange(app, "POST", "/chat", slow, headers=JSON) as second:
        await until(lambda: model.slow)
        assert (await post(app, "/chat", body("u3", "3"))).status == 200
        await second.finished()
    assert b"cancelled" in second.body
    assert model.hears[-1] == heard
    await post(app, "/chat", body("u4", "4"))
    assert model.hears[-1] == [*heard, "ai: re: 3", "user: 4"]


async def test_the_first_run_of_a_thread_can_be_rolled_back(model: Listener) -> None:
    app = app_of(model, multitask="rollback")
    async with running(app) as first:
        await until(lambda: model.slow)
        assert (await post(app, "/chat", body("u2", "2"))).status == 200
        await first.finished()
    assert model.hears[-1] == ["user: 2"]


async def test_clients_may_choose_where_their_format_has_a_field_for_it(model: Listener) -> None:
    app = app_of(model)
    async with running(app) as first:
        await until(lambda: model.slow)
        second = await post(app, "/chat", body("u2", "2", multitask="interrupt"))
        assert second.status == 200
        await first.finished()
    third = await post(app, "/chat", body("u3", "3", multitask="whatever"))
    assert third.status == 422


async def test_many_at_once_come_one_after_the_other(model: Listener) -> None:
    app = app_of(model, multitask="enqueue")
    answers = await asyncio.gather(*(post(app, "/chat", body(f"u{n}", f"{n}")) for n in range(20)))
    assert {each.status for each in answers} == {200}
    assert [len(each) for each in model.hears] == [2 * n + 1 for n in range(20)]


async def test_shutting_down_ends_a_waiting_run(model: Listener) -> None:
    app = app_of(model, multitask="enqueue", limits=Limits(hold=0.05, ping=0.05))
    async with running(app) as first:
        await until(lambda: model.slow)
        async with Exchange(app, "POST", "/chat", body("u2", "2"), headers=JSON) as second:
            await second.until(b": ping")
            await app.aclose()
            await second.finished()
        assert b"shutdown" in second.body
        await first.finished()


@pytest.mark.parametrize("multitask", ["reject", "enqueue", "interrupt", "rollback"])
async def test_an_answer_that_comes_twice_counts_once(multitask: str, model: Listener) -> None:
    app = app_of(model, multitask=multitask)
    await post(app, "/chat", body("u1", "refund A"))
    decide = body("u1", "refund A", decisions={"u1-0": {"type": "approve"}})
    answers = await asyncio.gather(*(post(app, "/chat", decide) for _ in range(3)))
    assert sorted(each.status for each in answers) == [200, 409, 409]
    assert b"cancelled" not in b"".join(each.body for each in answers)
    await post(app, "/chat", body("u2", "2"))
    assert [each for each in model.hears[-1] if each.startswith("tool")] == ["tool: refunded A"]


async def test_a_run_that_has_ended_by_itself_is_not_rolled_back(model: Listener) -> None:
    app = app_of(model, multitask="rollback")
    answers = await asyncio.gather(*(post(app, "/chat", body(f"u{n}", f"{n}")) for n in range(6)))
    done = [
        n for n, each in enumerate(answers) if b"[DONE]" in each.body and b"error" not in each.body
    ]
    await post(app, "/chat", body("last", "last"))
    assert {f"user: {n}" for n in done} <= {*model.hears[-1]}


def kept(model: Listener, **options: Any) -> StreamApp:
    return app_of(model, resume=True, **options)


KEYED = {**JSON, "idempotency-key": "k"}


@pytest.mark.parametrize("multitask", ["reject", "enqueue", "interrupt", "rollback"])
async def test_a_request_that_is_sent_again_joins_its_run(multitask: str, model: Listener) -> None:
    app = kept(model, multitask=multitask)
    async with Exchange(app, "POST", "/chat", body("u1", "slow"), headers=KEYED) as first:
        await until(lambda: model.slow)
        async with Exchange(app, "POST", "/chat", body("u1", "slow"), headers=KEYED) as again:
            await again.started()
            model.slow[0].set()
            await again.finished()
        await first.finished()
    assert again.body == first.body
    assert b"re: slow" in first.body
    later = await post(app, "/chat", body("u1", "slow"), headers=KEYED)
    assert later.body == first.body
    assert model.hears == [["user: slow"]]
    other = await post(app, "/chat", body("u1", "other"), headers=KEYED)
    assert other.status == 422


@pytest.mark.parametrize("multitask", ["reject", "enqueue", "interrupt", "rollback"])
async def test_requests_that_are_the_same_share_a_run_when_they_come_at_once(
    multitask: str, model: Listener
) -> None:
    app = kept(model, multitask=multitask)
    first, again = await asyncio.gather(
        *(post(app, "/chat", body("u1", "refund A"), headers=KEYED) for _ in range(2))
    )
    assert (first.status, again.status, first.body == again.body) == (200, 200, True)
    decide = body("u1", "refund A", decisions={"u1-0": {"type": "approve"}})
    headers = {**JSON, "idempotency-key": "decision"}
    answers = [await post(app, "/chat", decide, headers=headers) for _ in range(2)]
    assert [each.status for each in answers] == [200, 200]
    assert answers[0].body == answers[1].body
    unkeyed = await post(app, "/chat", decide)
    assert (unkeyed.status, unkeyed.json()["error"]["code"]) == (409, "not_pending")
