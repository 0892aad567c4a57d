"""The parts of tool calls: from their input to their result, with approvals in between."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from ...events import (
    Event,
    Interrupt,
    ToolCallDelta,
    ToolCalled,
    ToolCallResumed,
    ToolCallStarted,
    ToolFailed,
    ToolFinished,
)
from .._open_calls import OpenCalls
from .._spec import FormatRequest, RunSpec
from .approvals import Part, answered_parts, approval_request, interrupt_part, is_rejection

APPROVALS_SINCE = 6
"""The first version of the AI SDK that knows approvals of tool calls."""

AUTOMATIC_SINCE = 7
"""The first version that knows calls which need no approval, beside others that do."""

WITHDRAWN = "The server that made this call was lost; the model is asked again."

NOT_RUN = "The tool has not run yet, because other calls wait for approval."


class ToolParts:
    """Makes the parts of one run's tool calls.

    Args:
        request: The request that starts the run.
        spec: What it asks for.
        continued: The message that the answer continues, if it continues one.

    Attributes:
        answered: The parts of the questions in that message that the request answers.
    """

    def __init__(
        self, request: FormatRequest, spec: RunSpec, continued: Mapping[str, Any] | None
    ) -> None:
        self._threads = request.threads
        self._sdk_version = request.sdk_version
        self._approves = request.threads and request.sdk_version >= APPROVALS_SINCE
        self._known = {str(part.get("toolCallId")) for part in (continued or {}).get("parts", ())}
        """The calls in the message that the answer continues."""
        self._rejected = {each.call for each in spec.answers if is_rejection(each.value)}
        """The calls that a person has rejected in this request."""
        others = [each for each in spec.answers if not (each.call and self._approves)]
        self.answered = list(answered_parts(continued, others))
        self._client_calls: set[str] = set()
        """The calls of a chat model that is served alone, which the client executes."""
        self._open = OpenCalls()

    def of(self, event: Event, run_id: str, *, in_step: bool) -> Iterator[Part]:
        """Yield the parts of an event.

        Args:
            event: Any event.
            run_id: The id of the run.
            in_step: Whether the answer has an open step.
        """
        match event:
            case ToolCallStarted(call_id=id_, name=name, message=message):
                if message == run_id and not event.hosted:
                    self._client_calls.add(id_)
                yield {"type": "tool-input-start", "toolName": name, **self._label(id_)}
            case ToolCallDelta(call_id=id_, text=text):
                yield {"type": "tool-input-delta", "toolCallId": id_, "inputTextDelta": text}
            case ToolCalled(call_id=id_, name=name, arguments=arguments, valid=True):
                self._open[id_] = name, arguments
                yield self._input(id_, name, arguments)
            case ToolCalled(call_id=id_, name=name, arguments=arguments):
                call = {"type": "tool-input-error", "toolName": name, "input": arguments}
                error = "The arguments are not JSON."
                yield {**call, "errorText": error, **self._label(id_)}
            case ToolCallResumed(call_id=id_, name=name):
                # The client looks for the call in the message of the answer, and fails without.
                # When it reads this stream again from the start, that message is empty.
                if id_ not in self._known or (self._threads and not in_step):
                    yield self._input(id_, name, event.arguments)
            case ToolFinished(call_id=id_, output=output):
                self._open.pop(id_, None)
                yield {"type": "tool-output-available", "output": output, **self._label(id_)}
            case ToolFailed(call_id=id_) if self._approves and id_ in self._rejected:
                yield {"type": "tool-output-denied", "toolCallId": id_}
            case ToolFailed(call_id=id_, message=message):
                self._open.pop(id_, None)
                yield {"type": "tool-output-error", "errorText": message, **self._label(id_)}

    def restore(
        self, open_calls: Mapping[str, Mapping[str, Any]], known: Collection[str]
    ) -> Iterator[Part]:
        """Go on with a stream; yield the parts that close the calls that nobody will answer.

        Args:
            open_calls: The newest parts of the calls in it that have no answer.
            known: The calls that the thread has, which may be answered yet.
        """
        for id_, part in open_calls.items():
            name, arguments = part["toolName"], part.get("input")
            if not part.get("providerExecuted"):
                self._client_calls.add(id_)
            if id_ in known:
                self._known.add(id_)
                self._open[id_] = name, arguments
            elif part["type"] == "tool-input-available":
                yield {"type": "tool-output-error", "errorText": WITHDRAWN, **self._label(id_)}
            else:
                call = {"type": "tool-input-error", "toolName": name, "input": None}
                yield {**call, "errorText": WITHDRAWN, **self._label(id_)}

    def questions(self, interrupts: Sequence[Interrupt]) -> Iterator[Part]:
        """Yield the parts of the interrupts at which the run has stopped.

        No step may begin after them: the client sends the answers when all calls of the last step
        have one.
        """
        streamed, waits = set(self._open), False
        for interrupt in interrupts:
            calls = self._open.take(interrupt.approvals) if self._approves else []
            if not calls:
                yield interrupt_part(interrupt)
            for call_id, approval in calls:
                waits = True
                if call_id not in streamed:
                    yield self._input(call_id, approval.name, approval.arguments)
                yield approval_request(interrupt, approval, call_id)
        for call_id in self._open if waits else ():
            yield from self._needs_none(call_id)

    def _needs_none(self, call_id: str) -> Iterator[Part]:
        """Yield what lets the client answer though a call beside the others has not run."""
        if self._sdk_version < AUTOMATIC_SINCE:
            yield {"type": "tool-output-available", "output": NOT_RUN, **self._label(call_id)}
            return
        ids = {"approvalId": call_id, "toolCallId": call_id}
        yield {"type": "tool-approval-request", **ids, "isAutomatic": True}
        yield {"type": "tool-approval-response", "approvalId": call_id, "approved": True}

    def _input(self, call_id: str, name: str, arguments: Any) -> Part:
        call = {"type": "tool-input-available", "toolName": name, "input": arguments}
        return {**call, **self._label(call_id)}

    def _label(self, call_id: str) -> Part:
        executed = {} if call_id in self._client_calls else {"providerExecuted": True}
        return {"toolCallId": call_id, "dynamic": True, **executed}
