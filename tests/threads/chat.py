"""The plainest format whose clients send the whole conversation each time."""

from __future__ import annotations

from typing import Any

from asgi_stream import StreamApp
from asgi_stream.formats import Answer, FormatRequest, RunSpec
from asgi_stream.formats.tokens import TokensFormat

from ..asgi import Exchange, post

CHAT = "tests.threads.chat:ChatFormat"

Message = dict[str, Any]


class ChatFormat(TokensFormat):
    """``{"id": THREAD, "messages": [...], "decisions": {CALL: {...}}}``."""

    converses = True
    system_messages = False

    def parse(self, request: FormatRequest) -> RunSpec:
        body = request.body
        decisions = body.get("decisions", {})
        return RunSpec(
            messages=body["messages"],
            thread=body["id"],
            state=body.get("state", {}),
            answers=[
                Answer(call=call, value=value, path=f"decisions.{call}")
                for call, value in decisions.items()
            ],
            multitask=body.get("multitask"),
        )


def user(id_: str, text: str) -> Message:
    return {"id": id_, "role": "user", "content": text}


def assistant(text: str) -> Message:
    return {"id": f"client-{text}", "role": "assistant", "content": text}


class Client:
    """A browser: keeps the conversation, and sends all of it each time."""

    def __init__(self, app: StreamApp, thread: str = "t") -> None:
        self.app, self.thread = app, thread
        self.messages: list[Message] = []

    async def say(self, text: str, id_: str) -> Exchange:
        self.messages.append(user(id_, text))
        return await self.send()

    async def send(self, **more: Any) -> Exchange:
        answer = await post(self.app, "/chat", self.body(**more))
        self.messages.append(assistant("what the client thinks was the answer"))
        return answer

    async def decide(self, **decisions: Any) -> Exchange:
        return await self.send(decisions=decisions)

    def body(self, **more: Any) -> dict[str, Any]:
        return {"id": self.thread, "messages": self.messages, **more}
