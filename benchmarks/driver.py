"""The client side: opens streams, reads them, and checks that every token came once, in order."""

from __future__ import annotations

import asyncio
import json
import re
import time
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from .common import FAKE, RUNNABLES

TOKEN = re.compile(rb"t(\d+) ")
MODEL_EVENT = re.compile(rb"on_chat_model_stream[^\n]*")


@dataclass(frozen=True)
class Contender:
    """One way to serve the Runnables.

    Attributes:
        name: What it is called in the tables.
        app: Where uvicorn finds it.
        events: It sends events, in which a token stands several times, not tokens.
        path: The path of a Runnable's stream.
        wrapped: It takes ``{"input": ...}``.
        body: Makes the request's JSON of what is asked and the Runnable's name, where the contender
            takes a front end's body and no input.
        end: What is in the last bytes of its body.
        token: What to find a token by, where its text stands more than once.
        runnables: Those whose tokens it streams here.
        environment: What it runs in, if that is not this one: a key of `serving.ENVIRONMENTS`, or
            "node".
    """

    name: str
    app: str
    events: bool = False
    path: str = "/{runnable}"
    wrapped: bool = False
    body: Callable[[str, str], Any] | None = None
    end: bytes = b"[DONE]"
    token: re.Pattern[bytes] = TOKEN
    runnables: tuple[str, ...] = FAKE
    environment: str = ""

    def request(self, runnable: str, tokens: int, per_second: float) -> bytes:
        question = json.dumps({"tokens": tokens, "per_second": per_second})
        value: Any = RUNNABLES[runnable][1](question)
        if self.wrapped:
            value = {"input": value}
        if self.body is not None:
            value = self.body(question, runnable)
        body = json.dumps(value).encode()
        return (
            f"POST {self.path.format(runnable=runnable)} HTTP/1.1\r\nHost: x\r\n"
            f"Connection: close\r\nContent-Length: {len(body)}\r\n"
            "Content-Type: application/json\r\n\r\n"
        ).encode() + body


@dataclass
class Reading:
    """What one stream brought.

    Attributes:
        begun: When it was asked for, by ``time.perf_counter``.
        pieces: Each piece of the body, and when it came.
    """

    begun: float
    pieces: list[tuple[float, bytes]]

    @property
    def first(self) -> float:
        """Seconds to the first byte of the body."""
        return self.pieces[0][0] - self.begun

    @property
    def size(self) -> int:
        return sum(len(piece) for _, piece in self.pieces)

    def check(self, contender: Contender, tokens: int) -> None:
        """Every token once and in order, and a terminal frame."""
        body = b"".join(piece for _, piece in self.pieces)
        if contender.events:
            lines = MODEL_EVENT.findall(body)
            numbers = [int(match[1]) for line in lines if (match := TOKEN.search(line))]
        else:
            numbers = [int(token) for token in contender.token.findall(body)]
        assert numbers == list(range(tokens)), (contender.name, tokens, numbers[:20], body[-500:])
        assert contender.end in body[-300:], body[-300:]

    def arrivals(self) -> list[tuple[int, float]]:
        """Each token's number, and when it was there first."""
        body = b"".join(piece for _, piece in self.pieces)
        ends = list(accumulate(len(piece) for _, piece in self.pieces))
        first: dict[int, float] = {}
        for match in TOKEN.finditer(body):
            first.setdefault(int(match[1]), self.pieces[bisect_right(ends, match.end() - 1)][0])
        return [*first.items()]

    def lags(self, per_second: float, after: float) -> list[float]:
        """Seconds that each token that came later than `after` was late."""
        shifts = [(at, at - number / per_second) for number, at in self.arrivals()]
        best = min((shift for _, shift in shifts), default=0.0)
        return [shift - best for at, shift in shifts if at > after]


async def ask(port: int, request: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A stream whose headers have come."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    assert b" 200 " in head, head
    return reader, writer


async def read(
    port: int, request: bytes, *, after: float = 0.0, until: float | None = None
) -> Reading:
    """One stream, begun in `after` seconds and read to its end, or `until` a perf_counter time."""
    await asyncio.sleep(after)
    begun = time.perf_counter()
    reader, writer = await ask(port, request)
    reading = Reading(begun, [])
    left = None if until is None else until - time.perf_counter()
    try:
        async with asyncio.timeout(left):
            while piece := await reader.read(1 << 18):
                reading.pieces.append((time.perf_counter(), piece))
    except TimeoutError:
        pass
    writer.close()
    return reading


async def read_all(
    contender: Contender,
    port: int,
    runnable: str,
    *,
    streams: int,
    tokens: int,
    per_second: float,
    spread: float,
    until: float | None = None,
) -> list[Reading]:
    """So many streams at once, which begin evenly over `spread` seconds.

    So the tokens of paced streams do not fall together, and no contender is helped by that.
    """
    # Each has a request of its own, because some contain the id of a thread.
    requests = [contender.request(runnable, tokens, per_second) for _ in range(streams)]
    return await asyncio.gather(
        *(
            read(port, request, after=n * spread / streams, until=until)
            for n, request in enumerate(requests)
        )
    )
