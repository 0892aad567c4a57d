"""The AI SDK's own Chat on threads: approvals, other interrupts, reloads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from ..clients import new_key
from ..servers import Server, serving
from .node import run

pytestmark = pytest.mark.anyio

USER = {"id": "u1", "role": "user", "parts": [{"type": "text", "text": "hello"}]}
SLOWLY = {"type": "text", "text": "slowly"}
SDK = ["ai", "ai-6"]
"""The versions that know approvals."""


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving("tests.frontends.bank:app", tmp_path_factory.mktemp("bank")) as server:
        yield server


async def chat(bank: Server, path: str, *steps: Any, module: str = "ai", **more: Any) -> Any:
    more.setdefault("id", new_key())
    outcome = await run("chat", module=module, api=f"{bank.url}/{path}", steps=steps, **more)
    assert outcome["errors"] == []
    assert {each["status"] for each in outcome["sent"]} == {200}
    return outcome


def send(text: str, **options: Any) -> Any:
    return {"send": {"text": text, "options": options}}


def answer_with(**body: Any) -> Any:
    """Send the chat as it is, with more fields in the body."""
    return {"send": {"options": {"body": body}}}


def decide(*decisions: Any) -> Any:
    return {"decide": decisions}


APPROVE = {"approved": True}
REJECT = {"approved": False, "reason": "too much"}


def tools(message: Any) -> list[Any]:
    return [each for each in message["parts"] if each["type"] == "dynamic-tool"]


def states(message: Any) -> list[str]:
    return [each["state"] for each in tools(message)]


def last_text(message: Any) -> Any:
    return message["parts"][-1].get("text")


@pytest.mark.parametrize(
    ("path", "module"),
    [
        *((path, module) for path in ("batched", "per_call", "nested", "kept") for module in SDK),
        ("seven", "ai"),
    ],
)
async def test_the_chat_answers_when_all_calls_are_decided(
    bank: Server, path: str, module: str
) -> None:
    outcome = await chat(
        *(bank, path, send("refund 5, look 1, refund 7"), decide(APPROVE, REJECT), send("hi")),
        module=module,
    )
    question, answered, _ = outcome["seen"]
    assert states(question)[::2] == ["approval-requested"] * 2
    assert question["id"] == answered["id"]
    assert states(answered) == ["output-available", "output-available", "output-denied"]
    assert [each["output"] for each in tools(answered)[:2]] == ["refunded 5", "looked at 1"]
    assert [each["type"] for each in answered["parts"]].count("step-start") == 2
    assert "too much" in last_text(answered)
    assert last_text(outcome["messages"][-1]) == "7: hi"
    assert len(outcome["sent"]) == 3


@pytest.mark.parametrize("module", SDK)
@pytest.mark.parametrize("path", ["batched", "per_call", "nested"])
async def test_a_chat_goes_on_from_what_the_server_has_of_it(
    bank: Server, path: str, module: str
) -> None:
    id_ = new_key()
    before = await chat(bank, path, send("refund 5, look 1"), module=module, id=id_)
    document = httpx.get(f"{bank.url}/{path}/{id_}").json()
    assert [each["id"] for each in document["messages"]] == [
        each["id"] for each in before["messages"]
    ]
    outcome = await chat(
        *(bank, path, decide(APPROVE), send("hi")),
        **{"module": module, "id": id_, "messages": document["messages"]},
    )
    answered, _ = outcome["seen"]
    assert set(states(answered)) == {"output-available"}
    assert "refunded 5" in last_text(answered)
    assert last_text(outcome["messages"][-1]) == "6: hi"
    later = httpx.get(f"{bank.url}/{path}/{id_}").json()["messages"]
    assert [each["id"] for each in later] == [each["id"] for each in outcome["messages"]]
    assert last_text(later[1]) == last_text(answered)


@pytest.mark.parametrize("module", SDK)
async def test_a_person_may_edit_a_call_or_answer_in_its_place(bank: Server, module: str) -> None:
    edit = {"type": "edit", "edited_action": {"name": "refund", "args": {"amount": 2}}}
    respond = {"type": "respond", "message": "I did it."}
    decisions = {"call_1_0": edit, "call_1_1": respond}
    options = {"options": {"body": {"decisions": decisions}}}
    outcome = await chat(
        *(bank, "per_call", send("refund 5, refund 7")),
        decide({**APPROVE, **options}, {**APPROVE, **options}),
        module=module,
    )
    first, second = tools(outcome["messages"][-1])
    assert "refunded 2" in first["output"]
    assert second["output"] == "I did it."


@pytest.mark.parametrize("module", [*SDK, "ai-5"])
async def test_other_interrupts_have_an_answer_in_the_body(bank: Server, module: str) -> None:
    outcome = await chat(*(bank, "asking", send("hi"), answer_with(resume="Bob")), module=module)
    question, answered = outcome["seen"]
    assert question["parts"][-1]["data"]["value"] == {"name": "?"}
    assert last_text(answered) == "Hello, Bob."
    assert any(part.get("data", {}).get("answered") for part in answered["parts"])
    assert len(outcome["messages"]) == 2


async def test_version_5_decides_by_a_field_of_the_body(bank: Server) -> None:
    decisions = {"call_1_0": {"type": "reject", "message": "too much"}}
    outcome = await chat(
        *(bank, "old", send("refund 5"), answer_with(decisions=decisions), send("hi")),
        module="ai-5",
    )
    question, answered, _ = outcome["seen"]
    assert question["parts"][-1]["type"] == "data-interrupt"
    assert states(answered) == ["output-error"]
    assert "too much" in last_text(answered)
    assert last_text(outcome["messages"][-1]) == "5: hi"


@pytest.mark.parametrize("module", [*SDK, "ai-5"])
async def test_the_model_gets_the_right_messages(bank: Server, module: str) -> None:
    steps = (
        *(send("a"), send("b"), {"regenerate": True}, {"edit": {"message": 0, "text": "c"}}),
        *(send("d"), send("e")),
    )
    outcome = await chat(bank, "batched", *steps, module=module)
    assert [last_text(each) for each in outcome["seen"]] == [
        *("1: a", "3: b", "3: b", "1: c", "3: d", "5: e")
    ]


@pytest.mark.parametrize("module", SDK)
async def test_the_messages_of_a_chat_are_those_of_the_sdk(bank: Server, module: str) -> None:
    id_ = new_key()
    await chat(bank, "batched", send("refund 5, look 1"), module=module, id=id_)
    messages = httpx.get(f"{bank.url}/batched/{id_}").json()["messages"]
    assert await run("validate", module=module, messages=messages) == {"success": True}
    await chat(bank, "batched", decide(REJECT), module=module, id=id_, messages=messages)
    messages = httpx.get(f"{bank.url}/batched/{id_}").json()["messages"]
    assert await run("validate", module=module, messages=messages) == {"success": True}


def replayed(message: Any) -> list[Any]:
    """The parts of a message, without how it was streamed."""
    parts = [each for each in message["parts"] if each["type"] in ("text", "dynamic-tool")]
    return [each.get("text") or (each["state"], each.get("output")) for each in parts]


@pytest.mark.parametrize(
    ("path", "module"), [("kept", "ai"), ("kept", "ai-6"), ("kept_old", "ai-5")]
)
@pytest.mark.parametrize("words", ["refund 99", "look 1, refund 99"])
async def test_a_chat_that_is_loaded_again_in_mid_answer_goes_on_with_all_of_it(
    bank: Server, path: str, module: str, words: str
) -> None:
    id_, api = new_key(), f"{bank.url}/{path}"
    question = await chat(bank, path, send("hello"), send(words), module=module, id=id_)
    *_, last = messages = question["messages"]
    waits = next(each for each in tools(last) if each["input"] == {"amount": 99})
    decisions = {waits["toolCallId"]: {"type": "approve"}}
    body = {"id": id_, "messages": messages, "messageId": last["id"], "decisions": decisions}
    async with httpx.AsyncClient() as client, client.stream("POST", api, json=body) as response:
        received = ""
        async for piece in response.aiter_text():
            received += piece
            if received.count("slowly") > 5:
                break
        document = (await client.get(f"{api}/{id_}")).json()["messages"]
        outcome = await chat(
            *(bank, path, {"resume": True}), module=module, id=id_, messages=document
        )
    later = httpx.get(f"{api}/{id_}").json()["messages"]
    assert [each["id"] for each in outcome["messages"]] == [each["id"] for each in later]
    assert [each["id"] for each in document] == [each["id"] for each in later]
    for shown, stored in zip(outcome["messages"], later, strict=True):
        assert replayed(shown) == replayed(stored)
    assert replayed(later[-1])[0] == "Let me see. "
    assert replayed(later[-1])[-1].endswith("slowly" * 60 + ".")


@pytest.mark.parametrize("module", [*SDK, "ai-5"])
async def test_a_chat_that_is_loaded_again_in_its_second_answer_has_the_first(
    bank: Server, module: str
) -> None:
    id_, api = new_key(), f"{bank.url}/kept"
    before = await chat(bank, "kept", send("hello"), module=module, id=id_)
    body = {"id": id_, "messages": [*before["messages"], USER | {"id": "u2", "parts": [SLOWLY]}]}
    async with httpx.AsyncClient() as client, client.stream("POST", api, json=body) as response:
        async for piece in response.aiter_text():
            if "slowly" in piece:
                break
        document = (await client.get(f"{api}/{id_}")).json()["messages"]
        outcome = await chat(
            *(bank, "kept", {"resume": True}), module=module, id=id_, messages=document
        )
    assert [each["id"] for each in document][:3] == [
        each["id"] for each in [*before["messages"], body["messages"][-1]]
    ]
    assert [last_text(each) for each in outcome["messages"]] == [
        *("hello", "1: hello", "slowly", "3: " + "slowly" * 100)
    ]


async def test_a_second_answer_is_an_error_and_runs_nothing(bank: Server) -> None:
    id_, api = new_key(), f"{bank.url}/batched"
    outcome = await chat(bank, "batched", send("refund 5"), decide(APPROVE), id=id_)
    again = httpx.post(api, json=outcome["sent"][1]["body"])
    assert again.status_code == 409
    assert again.headers["content-type"].startswith("text/plain")
    messages = httpx.get(f"{api}/{id_}").json()["messages"]
    assert [last_text(each) for each in messages] == ["refund 5", "3: refunded 5"]


async def test_chats_of_a_user_are_listed(bank: Server) -> None:
    user = {"x-user": new_key("user")}
    id_ = "a chat/with any id"
    await chat(bank, "batched", send("hello there"), id=id_, headers=user)
    await chat(bank, "batched", send("refund 5"), id="c2", headers=user)
    chats = httpx.get(f"{bank.url}/batched/threads", headers=user).json()["threads"]
    assert [(each["id"], each["title"], each["status"]) for each in chats] == [
        ("c2", "refund 5", "interrupted"),
        (id_, "hello there", "idle"),
    ]
    assert httpx.get(f"{bank.url}/batched/c2").status_code == 404
    assert httpx.delete(f"{bank.url}/batched/c2", headers=user).status_code == 204
    assert httpx.get(f"{bank.url}/batched/c2", headers=user).status_code == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("%00", 404),
        ("a%2Fb", 404),
        ("a/b", 404),
        ("..%2F..", 404),
        ("%FF%FE", 404),
        ("%0d%0aX-Y:%20z", 404),
        ("x" * 1000, 404),
        ("x" * 1001, 422),
        ("x" * 20_000, 422),
    ],
)
async def test_an_odd_id_in_a_path_is_a_clear_error(bank: Server, path: str, status: int) -> None:
    url = f"{bank.url}/batched/{path}"
    for method in ("GET", "DELETE"):
        response = httpx.request(method, url)
        assert response.status_code == status
    chat = {"id": unquote(path, errors="replace"), "messages": [{**USER, "id": path[:100]}]}
    posted = httpx.post(f"{bank.url}/batched", json=chat, headers={"x-user": "ann"})
    assert posted.status_code == (422 if status == 422 else 200)
    assert httpx.get(url).status_code == status
