"""References of a request of OpenAI's Responses to earlier ones: items and questions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...errors import InvalidRequest, NotFound, ThreadBusy
from .._content import refused, text_of
from .._spec import FormatRequest, Recall, RunSpec
from .._stored_run import StoredRun
from .object import run_of_item, run_of_response
from .questions import answers_to, is_question, last_answers, run_of_answer

CURE = "send the item itself (with @ai-sdk/openai: providerOptions.openai.store = false)"
PREVIOUS = "previous_response_id"
NOT_KEPT = f"this server does not store items; {CURE}"


class EarlierResponses:
    """The earlier responses of one request.

    The run goes on from ``previous_response_id``, or from the response whose questions the last
    items answer.

    Args:
        request: The request, with a body that is an object.
        messages_of: Returns the conversation in an ``input``.

    Attributes:
        approvals: The ids of the requests for approval that the request answers, by the ids of the
            calls; empty until they are known.

    Raises:
        StreamError: The request refers to what cannot be.
    """

    def __init__(
        self, request: FormatRequest, messages_of: Callable[[Any], Sequence[dict[str, Any]]]
    ) -> None:
        self.approvals: dict[str, str] = {}
        self._input = request.body.get("input")
        self._messages_of = messages_of
        self._references = references_in(self._input, stored=request.resumable)
        self._answers: list[tuple[int, Any]] = []
        self._run_id: str | None = None
        self._path = PREVIOUS
        if request.threads and request.resumable:
            self._find_run(request.body.get(PREVIOUS))
            if self._run_id is not None and request.body.get("store") is False:
                problem = "a response that goes on with an earlier one is stored"
                raise InvalidRequest(f"store: {problem}.", fields={"store": problem})

    @property
    def recall(self) -> Recall | None:
        """What the route has to find; None if the request is whole."""
        run_ids = [run_id for _, run_id in self._references.values()]
        if self._run_id is not None:
            run_ids.append(self._run_id)
        return Recall(run_ids, self._complete) if run_ids else None

    def _find_run(self, previous: Any) -> None:
        """Find out which run to go on from, and the answers to its questions."""
        items = self._input if isinstance(self._input, list) else []
        if previous is None:
            self._answers = last_answers(items)
            if self._answers:
                n, last = self._answers[-1]
                self._run_id, self._path = run_of_answer(last), f"input.{n}"
            return
        self._run_id = run_of_response(previous) or ""
        pairs = [*enumerate(items)]
        self._answers = [(n, each) for n, each in pairs if run_of_answer(each) is not None]
        for n, each in pairs if self._answers else ():
            if run_of_answer(each) is None and not is_question(each):
                raise refused(f"input.{n}", "expected answers to questions only, as there are some")

    def _complete(self, spec: RunSpec, runs: Mapping[str, StoredRun]) -> RunSpec:
        items = with_items(self._input, self._references, runs)
        if self._run_id is None:
            return replace(spec, messages=self._messages_of(items), recall=None)
        run = runs.get(self._run_id)
        if run is None or run.record.thread is None:
            problem = "there is no such response, or it has expired"
            code = f"{PREVIOUS.removesuffix('_id')}_not_found"
            raise NotFound(f"{self._path}: {problem}.", code=code, fields={self._path: problem})
        if run.record.ended is None:
            raise ThreadBusy("The previous response is still in progress.")
        spec = replace(
            spec, thread=run.record.thread, ephemeral=False, after_run=self._run_id, recall=None
        )
        if not self._answers:
            return replace(spec, messages=self._messages_of(items))
        questions = {item["id"]: item for item in output_of(run)}
        answers = [*answers_to(questions, self._run_id, self._answers)]
        for (_, item), answer in zip(self._answers, answers, strict=True):
            if answer.call is not None:
                self.approvals[answer.call] = item["approval_request_id"]
        return replace(spec, messages=[], dropped=frozenset(), answers=answers)


def references_in(value: Any, *, stored: bool) -> dict[str, tuple[str, str]]:
    """Return the ids of the items that an ``input`` refers to, with their runs, by their paths.

    Args:
        value: The input.
        stored: Whether the route stores items.

    Raises:
        InvalidRequest: It refers to some, and the route stores none.
        NotFound: One of them is no id of an item.
    """
    references: dict[str, tuple[str, str]] = {}
    known: set[str] = set()
    for n, item in enumerate(value if isinstance(value, list) else ()):
        if _is_reference(item):
            path = f"input.{n}"
            if not stored:
                raise InvalidRequest(f"{path}: {NOT_KEPT}.", fields={path: NOT_KEPT})
            id_ = text_of(f"{path}.id", item.get("id"))
            run_id = run_of_item(id_)
            if run_id is None:
                raise _missing(path)
            if id_ not in known:
                known.add(id_)
                references[path] = id_, run_id
    return references


def with_items(
    value: Any, references: Mapping[str, tuple[str, str]], runs: Mapping[str, StoredRun]
) -> Any:
    """Return an ``input`` with the items that it refers to, each once.

    A small request that refers to one many times would become a big conversation.

    Args:
        value: The input.
        references: What `references_in` has returned for it.
        runs: The runs of these items that the caller has.

    Raises:
        NotFound: The caller has no such item.
    """
    if not references:
        return value
    items = {item["id"]: item for run in runs.values() for item in output_of(run)}
    for path, (id_, _) in references.items():
        if id_ not in items:
            raise _missing(path)
    return [
        items[item["id"]] if _is_reference(item) else item
        for n, item in enumerate(value)
        if not _is_reference(item) or f"input.{n}" in references
    ]


def without_references(value: Any) -> Any:
    """Return an ``input`` with None in place of each reference."""
    if not isinstance(value, list):
        return value
    return [None if _is_reference(item) else item for item in value]


def output_of(run: StoredRun) -> Iterator[dict[str, Any]]:
    """Yield the output items of a response that has ended."""
    content = run.last.json() if run.last else None
    yield from ((content or {}).get("response") or {}).get("output") or ()


def _is_reference(item: Any) -> bool:
    if not isinstance(item, dict):
        return False
    return item.get("type") == "item_reference" or item.keys() == {"id"}


def _missing(path: str) -> NotFound:
    problem = f"there is no such item, or it has expired; {CURE}"
    return NotFound(f"{path}: {problem}.", code="item_not_found", fields={path: problem})
