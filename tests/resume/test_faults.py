"""Stored runs with real servers and a real Redis, and what happens to both.

Each run counts from 0, so a reader that has ``t0 t1 t2 ...`` has lost nothing and got nothing
twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest

from ..clients import Notes, new_key, until
from ..guarantees.test_proxies import proxy
from ..redis_server import RedisServer, redis_server
from ..servers import Server, serving

pytestmark = pytest.mark.anyio

LEASE_SECONDS = 3.0


class Seen:
    """All frames that a reader has received, with their ids, over one connection or several."""

    def __init__(self) -> None:
        self.frames: list[tuple[str, Any]] = []
        self.location = ""
        self.closed = False

    @property
    def last_id(self) -> str:
        return next((id_ for id_, _ in reversed(self.frames) if id_), "")

    @property
    def run_id(self) -> str:
        return self.location.rpartition("/")[2]

    @property
    def words(self) -> list[str]:
        return [data["token"].strip() for _, data in self.frames if "token" in data]

    @property
    def codes(self) -> list[str]:
        return [data["error"]["code"] for _, data in self.frames if "error" in data]

    @property
    def done(self) -> bool:
        return bool(self.frames) and self.frames[-1][1] == "[DONE]"

    def check(self, count: int) -> None:
        """Check that every frame has arrived once, in order, with ids that have no gap."""
        assert self.words == [f"t{n}" for n in range(count)]
        assert self.done
        assert [int(id_.rpartition(":")[2]) for id_, _ in self.frames] == list(range(1, count + 2))


def asks(count: int, per_second: float = 100, key: str | None = None) -> dict[str, Any]:
    return {"key": key or new_key(), "count": count, "per_second": per_second}


@asynccontextmanager
async def answering(url: str, payload: Any = None, **headers: str) -> AsyncIterator[httpx.Response]:
    """Open the response to a POST of `payload`, or to a GET."""
    timeout = httpx.Timeout(30)
    method = "GET" if payload is None else "POST"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with (
        httpx.AsyncClient(timeout=timeout) as client,
        client.stream(method, url, json=payload, headers=named) as answer,
    ):
        yield answer


async def read(
    seen: Seen,
    url: str,
    payload: Any = None,
    *,
    until: Callable[[Seen], bool] = lambda seen: False,
    **headers: str,
) -> int:
    """Read into `seen` to the end of the response, or until `until`; then drop the connection.

    Returns:
        The status.
    """
    async with answering(url, payload, **headers) as answer:
        if answer.status_code != 200:
            return answer.status_code
        location = answer.headers.get("content-location", "")
        seen.location = urljoin(url, location)
        id_, data = "", None
        async for line in answer.aiter_lines():
            if line.startswith("id: "):
                id_ = line[4:]
            elif line.startswith("data: "):
                data = line[6:]
            elif not line and data is not None:
                seen.frames.append((id_, data if data == "[DONE]" else json.loads(data)))
                id_, data = "", None
                if until(seen):
                    break
        return 200


def has(count: int) -> Callable[[Seen], bool]:
    return lambda seen: len(seen.words) >= count


@contextmanager
def servers(
    count: int, redis: str, folder: Path, kind: str = "uvicorn", **env: str
) -> Iterator[list[Server]]:
    folder.mkdir(parents=True, exist_ok=True)
    env = {"REDIS": redis, "PROBE_LOG": str(folder / "notes"), **env}
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                serving("tests.resume.stored_app:app", folder, server=kind, env=env)
            )
            for _ in range(count)
        ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="module")
def pair(redis: RedisServer, folder: Path) -> Iterator[list[Server]]:
    """Two servers that no test stops."""
    with servers(2, redis.url, folder) as running:
        yield running


def location_on(server: Server, seen: Seen) -> str:
    return f"{server.url}/stream/{seen.location.partition('/stream/')[2]}"


async def test_fifty_drops_and_returns_to_either_server(pair: list[Server]) -> None:
    chance = random.Random(5)
    seen = Seen()
    path = "/stream/count"
    drops = 0
    await read(seen, pair[0].url + path, asks(400, 200), until=has(3))
    while not seen.done:
        drops += 1
        wanted = len(seen.words) + chance.randint(0, 13)
        server = pair[drops % 2]
        # Like an EventSource that has lost its connection, or like a page that knows the run.
        url = server.url + path if drops % 3 else location_on(server, seen)
        status = await read(seen, url, until=has(wanted), last_event_id=seen.last_id)
        assert status == 200
    seen.check(400)
    assert drops >= 50
    assert await read(seen, pair[1].url + path, last_event_id=seen.last_id) == 204


async def test_behind_nginx_with_two_workers(redis: RedisServer, tmp_path: Path) -> None:
    chance = random.Random(7)
    with (
        servers(1, redis.url, tmp_path, "uvicorn-2-workers") as [behind],
        proxy("nginx", behind, tmp_path) as port,
    ):
        url = f"http://127.0.0.1:{port}"
        pids = {httpx.get(f"{url}/pid").text for _ in range(40)}
        assert len(pids) == 2

        async def one() -> None:
            seen = Seen()
            await read(seen, f"{url}/stream/count", asks(100, 100), until=has(1))
            while not seen.done:
                wanted = len(seen.words) + chance.randint(0, 20)
                await read(seen, seen.location, until=has(wanted), last_event_id=seen.last_id)
            seen.check(100)

        await asyncio.gather(*(one() for _ in range(10)))


async def test_two_readers_and_a_late_one(pair: list[Server]) -> None:
    all_seen = [Seen(), Seen(), Seen()]
    first = asyncio.ensure_future(read(all_seen[0], f"{pair[0].url}/stream/count", asks(150)))
    await until(lambda: len(all_seen[0].words) > 10)
    second = asyncio.ensure_future(read(all_seen[1], location_on(pair[1], all_seen[0])))
    await until(lambda: len(all_seen[1].words) > 100)
    await asyncio.gather(first, second, read(all_seen[2], location_on(pair[1], all_seen[0])))
    for seen in all_seen:
        seen.check(150)


async def test_a_slow_reader_beside_a_fast_one(pair: list[Server]) -> None:
    fast = Seen()
    payload = asks(3000, 100_000)
    going = asyncio.ensure_future(read(fast, f"{pair[0].url}/stream/count", payload))
    await until(lambda: fast.location)
    async with answering(location_on(pair[1], fast)) as slow:
        await going
        fast.check(3000)
        body = b"".join([part async for part in slow.aiter_raw()])
    assert re.findall(rb'"(t\d+) "', body) == [b"t%d" % n for n in range(3000)]


async def test_delete_stops_it_on_the_other_server(pair: list[Server], folder: Path) -> None:
    notes, key, seen = Notes(folder / "notes"), new_key(), Seen()
    payload = asks(1000, 20, key)
    reading = asyncio.ensure_future(read(seen, f"{pair[0].url}/stream/count", payload))
    await until(lambda: len(seen.words) > 3)
    begun = time.monotonic()
    answer = httpx.delete(location_on(pair[1], seen))
    assert answer.status_code == 202
    await reading
    took = time.monotonic() - begun
    assert seen.codes == ["cancelled"]
    assert seen.done
    assert took < 5
    await until(lambda: notes.of(key, "cancel"), 5)
    for server in pair:
        state = httpx.get(location_on(server, seen), headers={"accept": "application/json"}).json()
        assert (state["state"], state["frames"]) == ("cancelled", len(seen.frames))


async def test_the_same_post_at_the_same_moment(pair: list[Server], folder: Path) -> None:
    notes, key = Notes(folder / "notes"), new_key()
    all_seen = [Seen() for _ in range(8)]
    payload = asks(30, 100, key)
    await asyncio.gather(
        *(
            read(seen, f"{pair[n % 2].url}/stream/count", payload, idempotency_key=key)
            for n, seen in enumerate(all_seen)
        )
    )
    for seen in all_seen:
        seen.check(30)
    assert len({seen.run_id for seen in all_seen}) == 1
    assert len(notes.of(key, "start")) == 1


async def test_a_run_whose_only_reader_is_elsewhere_goes_on(
    pair: list[Server], folder: Path
) -> None:
    notes, key = Notes(folder / "notes"), new_key()
    first, second = Seen(), Seen()
    payload = asks(1000, 20, key)
    begun = asyncio.ensure_future(
        read(first, f"{pair[0].url}/stream/cancel_on_disconnect", payload, until=has(40))
    )
    await until(lambda: len(first.words) > 1)
    reading = asyncio.ensure_future(read(second, location_on(pair[1], first), until=has(120)))
    await begun
    await until(lambda: len(second.words) > 100)
    assert not notes.of(key, "cancel")
    await reading
    await until(lambda: notes.of(key, "cancel"), 5)


async def test_a_trimmed_log_begins_with_the_gap(pair: list[Server]) -> None:
    first, late = Seen(), Seen()
    await read(first, f"{pair[0].url}/stream/short", asks(200, 1000))
    first.check(200)
    await read(late, location_on(pair[1], first))
    assert late.frames[0][1] == {"gap": {"first": 1, "last": 151}}
    assert late.words == [f"t{n}" for n in range(151, 200)]
    assert late.done


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_worker_that_dies_or_is_held(
    redis: RedisServer, tmp_path: Path, how: signal.Signals
) -> None:
    with servers(2, redis.url, tmp_path) as [one, other]:
        first, second = Seen(), Seen()
        payload = asks(10_000, 50)
        reading = asyncio.ensure_future(read(first, f"{one.url}/stream/count", payload))
        await until(lambda: len(first.words) > 20)
        following = asyncio.ensure_future(read(second, location_on(other, first)))
        await until(lambda: len(second.words) > 30)
        one.process.send_signal(how)
        died = time.monotonic()
        await following
        took = time.monotonic() - died
        assert second.codes == ["worker_lost"]
        assert second.done
        assert took < LEASE_SECONDS + 8
        assert second.words == [f"t{n}" for n in range(len(second.words))]
        late = Seen()
        await read(late, location_on(other, first))
        assert late.frames == second.frames
        assert await read(late, location_on(other, first), last_event_id=late.last_id) == 204
        state = httpx.get(location_on(other, first), headers={"accept": "application/json"}).json()
        assert (state["state"], state["code"]) == ("failed", "worker_lost")
        if how == signal.SIGSTOP:
            # It wakes up, finds that its run was finalized, and writes nothing more.
            one.process.send_signal(signal.SIGCONT)
            await asyncio.wait_for(reading, 10)
            assert first.frames == second.frames
            await until(lambda: "its lease expired and another worker has it" in one.log(), 5)
        else:
            with contextlib.suppress(httpx.HTTPError):
                await reading


PERSISTENCE: dict[str, tuple[str, ...]] = {
    "none": (),
    "snapshots": ("--save", "1", "1"),
    "log-everysec": ("--appendonly", "yes", "--appendfsync", "everysec"),
    "log-always": ("--appendonly", "yes", "--appendfsync", "always"),
}


@pytest.mark.parametrize("persistence", PERSISTENCE)
async def test_redis_is_killed_and_comes_back(tmp_path: Path, persistence: str) -> None:
    with (
        redis_server(tmp_path / "redis", options=PERSISTENCE[persistence]) as redis,
        servers(2, redis.url, tmp_path) as [one, other],
    ):
        first, second, late, back = Seen(), Seen(), Seen(), Seen()
        url = f"{one.url}/stream/count"
        ended = Seen()
        await read(ended, url, asks(20))
        reading = asyncio.ensure_future(read(first, url, asks(400, 50)))
        await until(lambda: len(first.words) > 50)
        following = asyncio.ensure_future(read(second, location_on(other, first)))
        await read(back, location_on(other, first), until=has(55))
        await until(lambda: len(second.words) > 60)
        redis.kill()
        await asyncio.sleep(1)
        redis.start()
        returning = asyncio.ensure_future(
            read(back, location_on(other, first), last_event_id=back.last_id)
        )
        await until(lambda: len(second.words) > 150)
        joining = asyncio.ensure_future(read(late, location_on(other, first)))
        await asyncio.gather(reading, following, joining, returning)
        # The worker writes again what Redis has lost.
        for seen in (first, second, late, back):
            seen.check(400)
        again = Seen()
        await read(again, location_on(other, ended))
        again.check(20)
        # A run can still be stopped from another worker.
        third = Seen()
        reading = asyncio.ensure_future(read(third, url, asks(1000, 50)))
        await until(lambda: len(third.words) > 5)
        assert httpx.delete(location_on(other, third)).status_code == 202
        await asyncio.wait_for(reading, 10)
        assert third.codes == ["cancelled"]


async def test_a_replica_that_lags_takes_over(tmp_path: Path) -> None:
    with (
        redis_server(tmp_path / "primary") as primary,
        redis_server(tmp_path / "replica") as replica,
        Front(primary.port) as link,
        Front(primary.port) as front,
        servers(2, f"redis://127.0.0.1:{front.port}/0", tmp_path) as [one, other],
    ):
        run: Any = replica.client().execute_command
        run("REPLICAOF", "127.0.0.1", str(link.port))
        await until(lambda: replica.client().info("replication")["master_link_status"] == "up")
        first, second, back, late = Seen(), Seen(), Seen(), Seen()
        url = f"{one.url}/stream/count"
        reading = asyncio.ensure_future(read(first, url, asks(300, 50)))
        await until(lambda: len(first.words) > 20)
        following = asyncio.ensure_future(read(second, location_on(other, first)))
        await until(lambda: len(second.words) > 30)
        link.stalled.set()
        await read(back, location_on(other, first), until=has(80))
        await until(lambda: len(second.words) > 80)
        run("REPLICAOF", "NO", "ONE")
        front.switch(replica.port)
        assert await read(back, location_on(other, first), last_event_id=back.last_id) == 200
        await asyncio.gather(reading, following)
        await read(late, location_on(other, first))
        for seen in (first, second, back, late):
            seen.check(300)


class Front:
    """A fixed address in front of a Redis, which can be switched to another one."""

    def __init__(self, port: int) -> None:
        self.stalled = threading.Event()
        self._behind = port
        self._open: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])

    def __enter__(self) -> Front:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._cut()

    def switch(self, port: int) -> None:
        self._behind = port
        self._cut()

    def _cut(self) -> None:
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.create_connection(("127.0.0.1", self._behind))
                self._open += [near, far]
                for a, b in ((near, far), (far, near)):
                    threading.Thread(target=self._pass, args=(a, b), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not self.stalled.is_set():
                    sink.sendall(data)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        source.close()


async def test_redis_stays_away(tmp_path: Path) -> None:
    with (
        redis_server(tmp_path / "redis") as redis,
        servers(2, redis.url, tmp_path, PATIENCE="2") as [one, other],
    ):
        first, second = Seen(), Seen()
        url = f"{one.url}/stream/count"
        reading = asyncio.ensure_future(read(first, url, asks(1000, 50)))
        await until(lambda: len(first.words) > 10)
        following = asyncio.ensure_future(read(second, location_on(other, first)))
        await until(lambda: len(second.words) > 15)
        redis.kill()
        begun = time.monotonic()
        await asyncio.gather(reading, following)
        assert time.monotonic() - begun < 15
        for seen in (first, second):
            assert seen.codes == ["store_unavailable"]
            assert seen.words == [f"t{n}" for n in range(len(seen.words))]
            assert seen.done
        begun = time.monotonic()
        refused = httpx.post(url, json=asks(3))
        assert time.monotonic() - begun < 10
        assert (refused.status_code, refused.json()["error"]["code"]) == (
            503,
            "store_unavailable",
        )
        redis.start()
        again = Seen()
        await read(again, url, asks(5))
        again.check(5)


@pytest.mark.parametrize(
    ("how", "back"),
    [
        (("CLIENT PAUSE", 3000, "ALL"), None),
        (("CONFIG SET", "maxmemory", "1"), ("CONFIG SET", "maxmemory", "0")),
        (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
        (("CLIENT KILL", "TYPE", "normal"), None),
        (("CLIENT KILL", "TYPE", "pubsub"), None),
        (("SCRIPT FLUSH",), None),
        (("FLUSHALL",), None),
        (
            ("CONFIG SET", "min-replicas-to-write", "1"),
            ("CONFIG SET", "min-replicas-to-write", "0"),
        ),
        (("ACL SETUSER", "default", "-xadd"), ("ACL SETUSER", "default", "+xadd")),
    ],
    ids=[
        *("paused", "out-of-memory", "read-only", "cut", "messages-cut", "scripts", "emptied"),
        *("replicas", "not-allowed"),
    ],
)
async def test_redis_refuses_for_a_while(tmp_path: Path, how: Any, back: Any) -> None:
    with (
        redis_server(tmp_path / "redis") as redis,
        servers(2, redis.url, tmp_path) as [one, other],
    ):
        first, second = Seen(), Seen()
        reading = asyncio.ensure_future(read(first, f"{one.url}/stream/count", asks(300, 50)))
        await until(lambda: len(first.words) > 10)
        following = asyncio.ensure_future(read(second, location_on(other, first)))
        await until(lambda: len(second.words) > 20)
        run: Any = redis.client().execute_command
        run(*how)
        await asyncio.sleep(1)
        if back is not None:
            run(*back)
        await asyncio.gather(reading, following)
        first.check(300)
        second.check(300)


class Dropping:
    """A proxy for Redis that drops some of its replies, and the connection with them."""

    def __init__(self, port: int, chance: float) -> None:
        self._behind = port
        self._chance = chance
        self._random = random.Random(3)
        self.lost = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._behind))
            for a, b, loses in ((near, far, False), (far, near, True)):
                threading.Thread(target=self._pass, args=(a, b, loses), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, loses: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                # The replies to appends are ":1".
                if loses and b":1\r\n" in data and self._random.random() < self._chance:
                    self.lost += 1
                    break
                sink.sendall(data)
        # Each of the two threads closes the socket that it read from.
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        source.close()


async def test_answers_of_redis_are_lost_and_nothing_is_doubled(
    redis: RedisServer, tmp_path: Path
) -> None:
    dropping = Dropping(redis.port, 0.1)
    with servers(1, f"redis://127.0.0.1:{dropping.port}/0", tmp_path) as [one]:
        seen = Seen()
        await read(seen, f"{one.url}/stream/count", asks(600, 100))
        seen.check(600)
        again = Seen()
        with servers(1, redis.url, tmp_path / "direct") as [direct]:
            assert await read(again, location_on(direct, seen)) == 200
        again.check(600)
    dropping.close()
    assert dropping.lost >= 20


async def test_a_rolling_restart_with_100_runs(redis: RedisServer, tmp_path: Path) -> None:
    with servers(2, redis.url, tmp_path) as [old, new]:
        all_seen = [Seen() for _ in range(100)]
        url = f"{old.url}/stream/count"
        # By then some are done, some have no reader, and most are in the middle.
        reading = [
            asyncio.ensure_future(
                read(
                    seen,
                    url,
                    asks(10 if n % 10 == 0 else 1000, 20),
                    until=has(5 if n % 10 == 1 else 1000),
                )
            )
            for n, seen in enumerate(all_seen)
        ]
        await until(lambda: all(len(seen.words) > 4 for seen in all_seen), 30)
        await until(lambda: all(seen.done for seen in all_seen[::10]), 30)
        old.terminate()
        await asyncio.gather(*reading)
        await asyncio.to_thread(old.process.wait, 20)
        for n, seen in enumerate(all_seen):
            if n % 10 == 0:
                seen.check(10)
                continue
            if n % 10 == 1:
                assert not seen.done
                last_id = seen.last_id
                assert await read(seen, location_on(new, seen), last_event_id=last_id) == 200
            assert seen.done
            assert seen.codes == ["shutdown"]
            assert seen.words == [f"t{m}" for m in range(len(seen.words))]
