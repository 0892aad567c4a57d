"""OpenAI's Chat Completions and Responses, so that any OpenAI client can call a Runnable.

https://platform.openai.com/docs/api-reference, read in PyPI ``openai`` 3.54.0 and npm ``openai``
7.57.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar, cast

from ..events import ALL_EVENTS, Event, RunError, RunFinished
from ..serialize import to_json
from ..stores import RunRecord
from ._decoded import object_in
from ._format import Format
from ._frame import Frame
from ._openai.chat import ChatCompletion
from ._openai.request import error_document, model_name, model_object
from ._responses.encoder import Response
from ._responses.stored import RESPONSES, ResponseResource, cut_response
from ._spec import Document, FormatRequest, RunSpec
from ._stored_run import StoredRun
from ._threads import THREADS_WITHOUT_RUNS


class OpenAIFormat(Format):
    """``POST /chat/completions``, ``POST /responses`` and ``GET /models`` below the route's path.

    The models are the names of the route's Runnables. A parameter such as ``temperature`` has an
    effect only where the route lists it as ``configurable``. A form of the answer's text
    (``response_format``, ``text.format``) is bound to a chat model that is served alone. Other
    parameters that change the form of the answer are refused. Calls of the client's own tools are
    sent. Those that the run executes itself are items of type ``mcp_call`` in a response, and are
    not part of a chat completion.

    A resumable route stores responses, unless a request has ``store: false``, and no chat
    completions. Then ``background``, references to items of stored responses, and
    ``/responses/{response_id}`` are offered: GET, with ``?stream=true&starting_after=N`` its
    events, DELETE, and POST to ``/cancel`` below it.

    With threads, which need ``resume``, a response goes on with the thread of its
    ``previous_response_id``, from where that response has left it; without one it begins a thread.
    An interrupt is an ``mcp_approval_request`` for each call to be approved, otherwise a call of
    the function ``langgraph_interrupt``.
    """

    endpoints = (
        ("POST", "/chat/completions"),
        ("POST", "/responses"),
        ("GET", "/models"),
        ("GET", "/models/{model:path}"),
    )
    chooses = converses = True
    threads = THREADS_WITHOUT_RUNS
    threads_by_runs = True
    # OpenAI's clients repeat a request after a 5xx, 409 or 429; the tools would act once more.
    failed_headers: ClassVar[Mapping[str, str]] = {"x-should-retry": "false"}
    runs = RESPONSES
    joins_at_location = False
    run_resource = ResponseResource()
    wants = ALL_EVENTS

    def __init__(self) -> None:
        self._answer: ChatCompletion | Response = ChatCompletion()

    def parse(self, request: FormatRequest) -> RunSpec | Document:
        if request.endpoint == "/models":
            return Document({"object": "list", "data": [*map(model_object, request.models)]})
        if request.endpoint == "/models/{model:path}":
            return Document(model_object(model_name(request.params["model"], request.models)))
        if request.endpoint == "/responses":
            self._answer = Response()
        self.wants = self._answer.wants
        return self._answer.spec(request)

    def encode(self, event: Event) -> bytes:
        return self._answer.encode(event)

    def gather(self, event: Event) -> object:
        return self._answer.gather(event)

    def document(self, run_id: str, gathered: object, end: RunFinished) -> object:
        return gathered

    def id_prefix(self, run_id: str) -> None:
        return None  # an event of a response has a number of its own

    def gap(self, run_id: str, first: int, last: int) -> bytes:
        return b""

    def cut(self, error: RunError, run: StoredRun, number: int, *, ended: bool) -> bytes:
        return cut_response(error, run, number, ended=ended)

    def run_object(self, record: RunRecord) -> object:
        # Only responses are stored.
        return cast(Response, self._answer).begun(record.run_id, record.created)

    @classmethod
    def refusal(cls, error: RunError) -> tuple[bytes, str]:
        return to_json(error_document(error)), "application/json"

    def decode(self, frame: Frame) -> Iterable[Event]:
        if frame.event.startswith("response.") and isinstance(self._answer, ChatCompletion):
            self._answer = Response()
        return self._answer.decode(frame)

    @classmethod
    def recognizes(cls, frame: Frame) -> bool:
        if frame.event == "response.created":
            return True
        return object_in(frame).get("object") == "chat.completion.chunk"
