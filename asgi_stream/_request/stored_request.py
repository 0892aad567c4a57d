"""The request of a stored run, as another worker needs it to go on with the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import orjson

from .._routing.bound import BoundRoute
from ..filters import WORDS, EventFilter
from ..formats import RunSpec
from ..requests import StreamRequest
from ..serialize import to_json
from .parse import Parsed, format_request

MAX_BYTES = 1_048_576
"""Bytes of a request that is stored: a store has it in memory for as long as the run goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRequest:
    """What a client has asked for. It has no header of the request, and no cookie.

    Attributes:
        endpoint: The endpoint of the route that was requested.
        body: The request's JSON, or the input in its query.
        params: The parameters in its path.
        configurable: The ``configurable`` keys in its query.
        words: The filter in its query.
        thread: The client's id of the thread.
        ephemeral: Whether the thread is for this run only.
        model: The name of the Runnable.
        metadata: Metadata for the thread.
    """

    endpoint: str
    body: Any
    params: Mapping[str, str]
    configurable: Mapping[str, str]
    words: Mapping[str, Any] | None
    thread: str | None
    ephemeral: bool
    model: str | None
    metadata: Mapping[str, Any]

    @classmethod
    def of(cls, endpoint: str, request: StreamRequest, spec: RunSpec) -> StoredRequest:
        """Return what is stored of a request for the run that it asks for."""
        filter = request.parsed.filter
        return cls(
            endpoint=endpoint,
            body=request.data,
            params={key: str(value) for key, value in request.path_params.items()},
            configurable=request.parsed.configurable,
            words=filter and {word: getattr(filter, word) for word in WORDS},
            thread=spec.thread,
            ephemeral=spec.ephemeral,
            model=spec.model,
            metadata=spec.metadata,
        )

    def encode(self) -> bytes | None:
        """Return this as bytes; None if they are more than `MAX_BYTES`."""
        data = to_json(asdict(self))
        return data if len(data) <= MAX_BYTES else None

    @classmethod
    def decode(cls, data: bytes) -> StoredRequest:
        """Return what `encode` was called on."""
        return cls(**orjson.loads(data))

    def again(self, route: BoundRoute, reader: StreamRequest, attempt: int) -> StreamRequest:
        """Return the request again, from a client that reads the run, parsed.

        Args:
            route: The route.
            reader: The client's request.
            attempt: The `RunSpec.attempt` of the run.

        Raises:
            StreamError: The route has changed, and it is not valid any more.
        """
        request = reader.with_body(self.body)
        format = route.format_class()
        about = route, self.endpoint, self.body, self.params
        spec = cast(RunSpec, format.parse(format_request(*about)))
        spec = replace(
            spec,
            thread=self.thread,
            ephemeral=self.ephemeral,
            model=self.model,
            metadata=self.metadata,
            gathered=False,
            attempt=attempt,
        )
        filter = None if self.words is None else EventFilter(**self.words)
        request.parsed = Parsed(format, spec, dict(self.configurable), filter)
        return request
