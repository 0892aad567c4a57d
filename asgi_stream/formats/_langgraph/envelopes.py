"""The events of LangGraph's protocol v2, as a run writes them and a thread's readers get them.

https://www.npmjs.com/package/@langchain/protocol, read in version 0.0.21.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from ...serialize import to_json
from .._content import refused

ENDS = ("completed", "failed", "interrupted")
"""The statuses with which runs end."""

INPUT = ("input.requested", "input.answered")
"""The methods of events on the channel ``input``; that of others is a channel, too."""

_START = b'data: {"type":"event","seq":'


def sequence_number() -> int:
    """Return the number of an event that happens now: microseconds, which fit in a JavaScript int.

    Numbers grow over all runs of a thread, whichever workers they are on.
    """
    return time.time_ns() // 1000


class Envelopes:
    """Makes the frames of one run's events, each with a number and an id of its own.

    Args:
        last: The number that the run's last event has.
        clock: Returns the least number that the next event may have; None: it is one more than the
            last one's.

    Attributes:
        last: The same, up to date.
        attempt: How many workers have produced the run.
    """

    def __init__(self, last: int = 0, clock: Callable[[], int] | None = sequence_number) -> None:
        self.last = last
        self._clock = clock
        self.attempt = 1

    def frame(
        self,
        method: str,
        namespace: Sequence[str],
        data: bytes,
        *,
        node: str | None = None,
        channel: str | None = None,
        event_id: str | None = None,
    ) -> bytes:
        """Return the frame of an event. Its SSE event says where it belongs: ``values|outer:1``.

        Args:
            method: The event's method.
            namespace: The namespace of the graph that it is about.
            data: Its JSON.
            node: The node that it is about.
            channel: Its channel, if that has a name of its own.
            event_id: Its id, unless that is its number.
        """
        self.last = number = max(self.last + 1, self._clock() if self._clock else 0)
        about = f',"node":{to_json(node).decode()}' if node else ""
        place = "".join(f"|{part}" for part in namespace)
        id_, where = to_json(event_id or str(number)), to_json(list(namespace))
        head = (
            f"event: {channel or method}{place}\n"
            f'data: {{"type":"event","seq":{number},"event_id":{id_.decode()},'
            f'"method":"{method}","params":{{"namespace":{where.decode()},'
            f'"timestamp":{number // 1000}{about},"data":'
        )
        return head.encode() + data + b"}}\n\n"

    def lifecycle(self, run_id: str, status: str, namespace: Sequence[str], **more: Any) -> bytes:
        """Return the frame of a change of a graph's status, in whose id clients find the run."""
        data = {"event": status, **{key: each for key, each in more.items() if each is not None}}
        again = f"|{self.attempt}" if self.attempt > 1 else ""  # clients skip ids that they know
        id_ = f"synth:{run_id}:lc|{'|'.join(namespace)}|{status}{again}"
        return self.frame("lifecycle", namespace, to_json(data), event_id=run_id and id_)


@dataclass(frozen=True, slots=True)
class Subscription:
    """The events of a thread that a reader asks for.

    Attributes:
        channels: The channels; ``custom`` stands for all named ones, too.
        namespaces: The namespaces that an event's begins with one of; None: any.
        depth: How many more parts the event's may have; None: any number.
        since: The number of the last event that the reader has.
    """

    channels: frozenset[str]
    namespaces: tuple[tuple[str, ...], ...] | None = None
    depth: int | None = None
    since: int = 0

    @classmethod
    def parse(cls, body: Any) -> Subscription:
        """Return the filter that a request asks for.

        Raises:
            InvalidInput: A field is not valid.
        """
        if not isinstance(body, dict):
            raise refused("body", "expected an object")
        channels, namespaces = body.get("channels"), body.get("namespaces")
        if not _is_texts(channels):
            raise refused("channels", "expected a list of channels")
        if namespaces is not None and not (
            isinstance(namespaces, list) and all(map(_is_texts, namespaces))
        ):
            raise refused("namespaces", "expected a list of namespaces, each a list of texts")
        depth, since = body.get("depth"), body.get("since")
        for key, value in (("depth", depth), ("since", since)):
            if value is not None and (type(value) is not int or value < 0):
                raise refused(key, "expected a number of at least 0")
        prefixes = tuple(map(tuple, namespaces)) if namespaces else None
        return cls(frozenset(cast(list[str], channels)), prefixes, depth, since or 0)

    def accepts(self, channel: str, namespace: Sequence[str]) -> bool:
        """Return whether an event on a channel, about a namespace, is asked for."""
        general = channel.partition(":")[0]
        if channel not in self.channels and general not in self.channels:
            return False
        if self.namespaces is None:
            return True
        return any(
            _begins_with(namespace, prefix)
            and (self.depth is None or len(namespace) - len(prefix) <= self.depth)
            for prefix in self.namespaces
        )


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event in a frame of a stored run.

    Attributes:
        number: Its number.
        method: Its method.
        channel: Its channel.
        namespace: Its namespace.
        line: Its ``data`` line.
    """

    number: int
    method: str
    channel: str
    namespace: tuple[str, ...]
    line: bytes

    @classmethod
    def read(cls, frame: bytes) -> StoredEvent | None:
        """Return the event in a frame; None if the frame is of another kind of run."""
        name, start, rest = frame.partition(b"\n" + _START)
        if not start:
            return None
        _, _, where = name.rpartition(b"event: ")
        channel, *namespace = where.decode().split("|")
        number = int(rest[: rest.index(b",")])
        method = channel.partition(":")[0]
        channel = "input" if method in INPUT else channel
        return cls(number, method, channel, tuple(namespace), start[1:] + rest)

    @classmethod
    def read_all(cls, frames: bytes) -> list[StoredEvent]:
        """Return the events in several frames."""
        events = (cls.read(each + b"\n\n") for each in frames.split(b"\n\n")[:-1])
        return [each for each in events if each is not None]

    @property
    def frame(self) -> bytes:
        """The frame as clients get it."""
        return f"id: {self.number}\nevent: {self.method}\n".encode() + self.line

    @property
    def ends_run(self) -> bool:
        """Whether it is the last event of its run."""
        ends = tuple(f'"data":{{"event":"{end}"'.encode() for end in ENDS)
        return (
            self.channel == "lifecycle" and not self.namespace and any(map(self.line.count, ends))
        )


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _begins_with(namespace: Sequence[str], prefix: Sequence[str]) -> bool:
    """Return whether `namespace` begins with `prefix`, whose parts may lack the ids of tasks."""
    return len(prefix) <= len(namespace) and all(
        part in (each, each.partition(":")[0])
        for part, each in zip(prefix, namespace, strict=False)
    )


def custom_data(data: Any) -> tuple[str, Mapping[str, Any]]:
    """Return the channel and the data of what a graph's stream writer was called with."""
    match data:
        case {"name": str(name)} if "|" not in name and "\n" not in name:
            return f"custom:{name}", data
        case _:
            return "custom", {"payload": data}
