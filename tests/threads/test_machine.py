"""A conversation, whatever its client does, is what a plain list would be."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from asgi_stream import StreamApp, StreamRoute

from ..asgi import JSON, Exchange, post
from ..clients import until
from .agents import Listener, agent_of
from .chat import CHAT, user

OWNERS = st.sampled_from(["ann", "bob"])
PLACES = st.integers(0, 100)


class Conversation:
    """What an owner's thread must be, and the client that has it."""

    def __init__(self) -> None:
        self.shown: list[dict[str, Any]] = []
        """The user's messages that the client shows, with the answers in between."""
        self.heard: list[str] = []
        """What a model must be told next, but for the new message."""
        self.lengths: list[int] = []
        """How much of `heard` there was before each of the user's messages."""
        self.pending: list[str] = []
        """The calls that wait for approval."""

    @property
    def users(self) -> list[int]:
        return [n for n, each in enumerate(self.shown) if each["role"] == "user"]


class ThreadMachine(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.runner = asyncio.Runner()
        self.model = Listener()
        self.app = StreamApp(
            [
                StreamRoute(
                    "/chat",
                    agent_of(self.model),
                    format=CHAT,
                    threads=True,
                    authorize=lambda request: request.headers["x-user"],
                )
            ]
        )
        self.chats = {"ann": Conversation(), "bob": Conversation()}
        self.count = 0

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.runner.run(self.app.aclose())
            self.runner.close()

    def send(self, owner: str, **more: Any) -> Exchange:
        body = {"id": "t", "messages": self.chats[owner].shown, **more}
        return self.runner.run(post(self.app, "/chat", body, headers={"x-user": owner}))

    def add(self, owner: str, text: str) -> None:
        self.count += 1
        self.chats[owner].shown.append(user(f"u{self.count}", text))

    def heard(self, owner: str, text: str, answer: str) -> None:
        """The user has said `text`, and the model has answered."""
        chat = self.chats[owner]
        chat.heard += ["tool: The user interrupted this tool call."] * len(chat.pending)
        chat.pending = []
        chat.lengths.append(len(chat.heard))
        chat.heard.append(f"user: {text}")
        if answer:
            assert self.model.hears[-1] == chat.heard
            chat.heard.append(answer)
            chat.shown.append({"role": "assistant", "content": "something else", "id": "x"})

    def back_to(self, owner: str, place: int) -> int:
        """Forget the conversation from one of the user's messages on."""
        chat = self.chats[owner]
        n = place % len(chat.users)
        at = chat.users[n]
        del chat.heard[chat.lengths[n] :]
        del chat.lengths[n:]
        chat.pending = []
        return at

    @rule(owner=OWNERS)
    def say(self, owner: str) -> None:
        text = f"hello {self.count}"
        self.add(owner, text)
        assert self.send(owner).status == 200
        self.heard(owner, text, f"ai: re: {text}")

    @rule(owner=OWNERS, calls=st.integers(1, 3))
    def ask_for_refunds(self, owner: str, calls: int) -> None:
        orders = [f"{self.count}.{n}" for n in range(calls)]
        text = f"refund {' '.join(orders)}"
        self.add(owner, text)
        id_ = self.chats[owner].shown[-1]["id"]
        assert self.send(owner).status == 200
        self.heard(owner, text, f"calls: {', '.join(orders)}")
        self.chats[owner].pending = [f"{id_}-{n}" for n in range(calls)]

    @precondition(lambda self: any(each.pending for each in self.chats.values()))
    @rule(owner=OWNERS)
    def approve(self, owner: str) -> None:
        chat = self.chats[owner]
        other = "bob" if owner == "ann" else "ann"
        if not chat.pending:
            owner, other, chat = other, owner, self.chats[other]
        decisions = {call: {"type": "approve"} for call in chat.pending}
        refused = self.send(other, decisions=decisions).status
        assert refused in (409, 422)  # others cannot answer
        assert self.send(owner, decisions=decisions).status == 200
        orders = chat.heard[-1].removeprefix("calls: ").split(", ")
        chat.heard += [f"tool: refunded {order}" for order in orders]
        assert self.model.hears[-1] == chat.heard
        chat.heard.append("ai: done")
        chat.pending = []
        assert self.send(owner, decisions=decisions).status == 409

    @precondition(lambda self: any(each.users for each in self.chats.values()))
    @rule(owner=OWNERS, place=PLACES, edits=st.booleans())
    def answer_anew(self, owner: str, place: int, edits: bool) -> None:
        chat = self.chats[owner]
        if not chat.users:
            owner = "bob" if owner == "ann" else "ann"
            chat = self.chats[owner]
        at = self.back_to(owner, place)
        del chat.shown[at + 1 :]
        message = chat.shown[at]
        if edits or not message["content"].startswith("hello"):
            self.count += 1
            message["content"] = f"hello edited {self.count}"
        assert self.send(owner).status == 200
        text = message["content"]
        self.heard(owner, text, f"ai: re: {text}")

    @rule(owner=OWNERS)
    def stop(self, owner: str) -> None:
        text = f"slow {self.count}"
        self.add(owner, text)
        self.runner.run(self._stopped(owner))
        self.heard(owner, text, "")

    async def _stopped(self, owner: str) -> None:
        self.model.slow.clear()
        body = {"id": "t", "messages": self.chats[owner].shown}
        headers = {**JSON, "x-user": owner}
        async with Exchange(self.app, "POST", "/chat", body, headers=headers) as exchange:
            await until(lambda: self.model.slow)
            exchange.disconnect()


ThreadMachine.TestCase.settings = settings(
    max_examples=30,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestThreads = ThreadMachine.TestCase
