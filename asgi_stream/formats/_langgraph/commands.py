"""The commands of LangGraph's protocol v2, and what they are answered with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...errors import NotPending, StreamError
from .._content import refused
from .._spec import Answer, Document, FormatRequest, RunSpec
from .protocol import STREAM, ProtocolEncoder
from .run import answers_if_any, object_of, run_spec

ERRORS = {NotPending.code: "no_such_interrupt"}
"""The protocol's codes of errors, by those of this package, where the status does not say it."""


def command_spec(request: FormatRequest) -> tuple[RunSpec | Document, ProtocolEncoder]:
    """Return the run that a command asks for, or a document if there is no such command.

    Returns:
        The run, and what encodes it.

    Raises:
        InvalidInput: A field is not valid, or not supported.
        NotFound: The route has no such graph.
    """
    body = request.body
    params = body.get("params") if isinstance(body, dict) else None
    if not isinstance(params, dict | None) or not isinstance(body, dict):
        raise refused("body", "expected an object with id, method and params")
    match body.get("method"):
        case "run.start":
            return _run(request, params or {}), ProtocolEncoder()
        case "input.respond":
            spec = _respond(request, params or {})
            return spec, ProtocolEncoder([str(each.interrupt) for each in spec.answers])
        case method:
            error = {"type": "error", "id": body.get("id"), "error": "unknown_command"}
            message = f"There is no command {str(method)[:100]!r}."
            return Document({**error, "message": message}), ProtocolEncoder()


def command_result(body: Any, run_id: str, through: int) -> object:
    """Return the answer to a command that has started a run.

    Args:
        body: The request's body.
        run_id: The run.
        through: The number that the events of the run come after.
    """
    result = {"run_id": run_id}
    meta = {"applied_through_seq": through}
    return {"type": "success", "id": body["id"], "result": result, "meta": meta}


def command_error(body: Any, error: StreamError) -> object:
    """Return the answer to a command that cannot be carried out.

    Args:
        body: The request's body, if it could be read.
        error: Why not.
    """
    code = "unknown_error" if error.status == 409 else "invalid_argument"
    id_ = body.get("id") if isinstance(body, dict) else None
    answer = {"type": "error", "id": id_, "error": ERRORS.get(error.code, code)}
    return {**answer, "message": error.message}


def _run(request: FormatRequest, params: Mapping[str, Any]) -> RunSpec:
    config = object_of("config", params.get("config"))
    configurable = object_of("config.configurable", config.get("configurable"))
    multitask = params.get("multitaskStrategy", params.get("multitask_strategy"))
    position = {"checkpoint_id": configurable.get("checkpoint_id")}
    spec = _spec(request, {**params, **position, "multitask_strategy": multitask})
    # A ``RemoteGraph`` sends an answer like that.
    answers = () if spec.checkpoint else answers_if_any(params.get("input"), "input")
    return replace(spec, answers_if_waiting=answers)


def _respond(request: FormatRequest, params: Mapping[str, Any]) -> RunSpec:
    responses = params.get("responses", [params])
    answers = _answers(responses)
    command = {"update": params.get("update"), "goto": params.get("goto")}
    about = {key: params.get(key) for key in ("config", "metadata")}
    # Clients do not say which graph: it is that of the thread.
    body = {"assistant_id": request.models[0], "command": command, **about}
    spec = _spec(request, body)
    return replace(spec, answers=answers, input=None, resumes=False)


def _answers(responses: Any) -> Sequence[Answer]:
    if not isinstance(responses, list) or not responses:
        raise refused("responses", "expected a list of responses")
    answers = []
    for number, each in enumerate(responses):
        match each:
            case {"interrupt_id": str(id_), "response": value}:
                path = f"responses.{number}.response"
                answers.append(Answer(value=value, interrupt=id_, path=path))
            case _:
                raise refused(f"responses.{number}", "expected interrupt_id and response")
    return answers


def _spec(request: FormatRequest, body: Mapping[str, Any]) -> RunSpec:
    """Return a run in the background, which streams all that the protocol has."""
    keys = ("assistant_id", "input", "config", "metadata", "command", "checkpoint_id")
    known = {key: body[key] for key in (*keys, "multitask_strategy") if body.get(key) is not None}
    as_run = {**known, "if_not_exists": "create"}
    endpoint = request.endpoint.replace("/commands", "/runs")
    spec, _ = run_spec(replace(request, endpoint=endpoint, body=as_run))
    return replace(spec, astream_kwargs={**spec.astream_kwargs, **STREAM})
