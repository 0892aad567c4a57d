"""Runs as LangGraph's protocol v2 shows them, for ``@langchain/react`` and ``threads.stream``.

https://www.npmjs.com/package/@langchain/protocol, read in version 0.0.21, and in npm
``@langchain/langgraph-sdk`` 1.11.0 and PyPI ``langgraph-sdk`` 0.4.14, which use it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ...errors import RunReplaced, WorkerLost
from ...events import Event, OutputChunk, RunError, RunFinished, RunStarted
from ...serialize import to_json
from .._frame import Frame
from .blocks import MESSAGE_ENDS, ROLES, BlockStream, failure
from .envelopes import Envelopes, custom_data

STREAM = {
    "stream_mode": ["values", "messages", "updates", "custom", "checkpoints", "tasks", "tools"],
    "subgraphs": True,
}
"""What a run has to stream for the channels of the protocol."""

MODEL = "ls_model_type"
"""The key of a message's metadata that says that a model has written it.

As on the LangGraph Server, others are in the values only: clients take each for an answer.
"""

Namespace = tuple[str, ...]


class ProtocolEncoder:
    """Encodes one run.

    Args:
        answered: The ids of the interrupts that the run's answers are for.
        envelopes: Makes the frames.
        run_id: The run's id, until its start says it.
    """

    def __init__(
        self,
        answered: Sequence[str] = (),
        envelopes: Envelopes | None = None,
        run_id: str = "",
    ) -> None:
        self._answered = answered
        self._run_id = run_id
        self._envelopes = envelopes or Envelopes()
        self._frame = self._envelopes.frame
        self._values: dict[Namespace, Any] = {}
        """The values that wait for their checkpoint, which clients expect before them."""
        self._messages: dict[tuple[Namespace, str], BlockStream] = {}
        self._streamed: set[str] = set()
        """The ids of messages that have been sent."""
        self._running: set[Namespace] = set()
        """The namespaces of subgraphs that have started."""

    def restore(self, frames: Iterable[Frame], attempt: int) -> bytes:
        """Go on with a run whose worker has died, as `Format.restore`."""
        self._answered, self._envelopes.attempt = (), attempt
        open_messages: dict[str, tuple[Namespace, str | None]] = {}
        for frame in frames:
            match frame.json():
                case {"type": "event", "seq": int(number), "method": method, "params": about}:
                    self._envelopes.last = number
                    namespace, data = tuple(about["namespace"]), about["data"]
                    self._read(method, namespace, data)
                    if method == "messages" and data["event"] == "message-start":
                        open_messages[data["message_id"]] = namespace, about.get("node")
                    elif method == "messages" and data["event"] in MESSAGE_ENDS:
                        open_messages.pop(data["message_id"], None)
        return b"".join(
            self._frame("messages", namespace, failure(id_, WorkerLost.message), node=node)
            for id_, (namespace, node) in open_messages.items()
        )

    def _read(self, method: str, namespace: Namespace, data: Any) -> None:
        """Remember what an event says of subgraphs and messages."""
        if method == "messages":
            self._streamed.add(data["message_id"])
        elif method == "lifecycle" and namespace:
            if data["event"] == "started":
                self._running.add(namespace)
            else:
                self._running.discard(namespace)

    def encode(self, event: Event) -> bytes:
        """Return the frames of an event."""
        match event:
            case RunStarted(run_id=run_id):
                self._run_id = run_id
                return self._status("running", ()) + self._answers()
            case OutputChunk():
                return b"".join(self._chunk(event, event.namespace or ()))
            case RunFinished() | RunError():
                return b"".join(self._end(event))
        return b""

    def _answers(self) -> bytes:
        """Return the event by which all who show the interrupts know that they are answered."""
        data = {"interrupt_ids": list(self._answered)}
        return self._frame("input.answered", (), to_json(data)) if self._answered else b""

    def _chunk(self, chunk: OutputChunk, namespace: Namespace) -> Iterator[bytes]:
        data: Any = chunk.data
        yield from self._started(namespace)
        if chunk.mode == "checkpoints":
            yield self._frame("checkpoints", namespace, to_json(_checkpoint(data)))
        if self._values:
            yield from self._flush(namespace)
        match chunk.mode:
            case "messages":
                yield from self._message(namespace, *data)
            case "values":
                self._values[namespace] = _without_interrupts(data)
            case "updates" if isinstance(data, Mapping):
                for node, values in data.items():
                    if node != "__interrupt__":
                        update = {"node": node, "values": values}
                        yield self._frame("updates", namespace, to_json(update), node=node)
            case "custom":
                channel, data = custom_data(data)
                yield self._frame("custom", namespace, to_json(data), channel=channel)
            case "tools":
                yield self._frame("tools", namespace, to_json(data))
            case "tasks":
                task = {key: each for key, each in data.items() if key != "metadata"}
                yield self._frame("tasks", namespace, to_json(task), node=data["name"])
                if "result" in data:
                    yield from self._finished((*namespace, f"{data['name']}:{data['id']}"), data)

    def _message(
        self, namespace: Namespace, message: Any, metadata: Mapping[str, Any]
    ) -> Iterator[bytes]:
        if message.type not in ROLES:
            return
        is_chunk = type(message).__name__.endswith("Chunk")
        key = namespace, message.id
        stream = self._messages.get(key)
        if stream is None:
            if message.id in self._streamed or not (is_chunk or MODEL in metadata):
                return
            self._streamed.add(message.id)
            stream = self._messages[key] = BlockStream(message, metadata)
            yield self._frame("messages", namespace, stream.start(), node=stream.node)
        for data in stream.add(message):
            yield self._frame("messages", namespace, data, node=stream.node)
        if not is_chunk or getattr(message, "chunk_position", None) == "last":
            yield from self._finish_message(key)

    def _finish_message(self, key: tuple[Namespace, str]) -> Iterator[bytes]:
        stream = self._messages.pop(key)
        for data in stream.finish():
            yield self._frame("messages", key[0], data, node=stream.node)

    def _flush(self, namespace: Namespace) -> Iterator[bytes]:
        """Return the values of a namespace that have waited."""
        if namespace in self._values:
            yield self._frame("values", namespace, to_json(self._values.pop(namespace)))

    def _started(self, namespace: Namespace) -> Iterator[bytes]:
        """Return the start of a subgraph, and of those around it, when it shows up first."""
        if namespace in self._running or not namespace:
            return
        yield from self._started(namespace[:-1])
        self._running.add(namespace)
        yield self._status("started", namespace, graph_name=_name(namespace))

    def _finished(self, namespace: Namespace, task: Mapping[str, Any]) -> Iterator[bytes]:
        """Return the end of the subgraph of a task, if it has one."""
        if namespace in self._running:
            self._running.discard(namespace)
            failed, asks = bool(task.get("error")), bool(task.get("interrupts"))
            status = "failed" if failed else "interrupted" if asks else "completed"
            yield from self._flush(namespace)
            yield self._status(status, namespace, graph_name=_name(namespace))

    def _end(self, end: RunFinished | RunError) -> Iterator[bytes]:
        for namespace in tuple(self._values):
            yield from self._flush(namespace)
        for key in tuple(self._messages):
            if isinstance(end, RunFinished):
                yield from self._finish_message(key)
            else:
                stream = self._messages.pop(key)
                yield self._frame("messages", key[0], stream.fail(end.message), node=stream.node)
        status, error = "completed", {}
        match end:
            case RunFinished() if end.graph_interrupts:
                # Without a request, as at a breakpoint, the Python SDK would wait for one.
                status = "interrupted"
                for each in end.graph_interrupts:
                    # ``value`` is what the Python SDK reads.
                    data = {"interrupt_id": each.id, "payload": each.value, "value": each.value}
                    yield self._frame("input.requested", (), to_json(data))
            case RunError(message=RunReplaced.message):
                # The thread goes on: who has sent the next input would take an error for its own.
                status = "interrupted"
            case RunError():
                status = "failed"
                error = {"error": end.message, "code": end.code, "id": end.id}
        for namespace in sorted(self._running, key=len, reverse=True):  # which nobody has ended
            yield self._status(status, namespace, graph_name=_name(namespace))
        yield self._status(status, (), **error)

    def _status(self, status: str, namespace: Namespace, **more: Any) -> bytes:
        return self._envelopes.lifecycle(self._run_id, status, namespace, **more)


def _checkpoint(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the protocol has of a checkpoint."""
    metadata, parent = data.get("metadata") or {}, data.get("parent_config")
    position = (parent or {}).get("configurable", {}).get("checkpoint_id")
    return {
        "id": data["config"]["configurable"]["checkpoint_id"],
        **({"parent_id": position} if position else {}),
        "step": metadata.get("step"),
        "source": metadata.get("source"),
    }


def _name(namespace: Namespace) -> str:
    return namespace[-1].partition(":")[0]


def _without_interrupts(values: Any) -> Any:
    if isinstance(values, Mapping) and "__interrupt__" in values:
        return {key: each for key, each in values.items() if key != "__interrupt__"}
    return values
