"""``asgi-stream call``: post to a route and print the answer as it streams."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace

import click

from ..client._connection import RemoteStream
from ..client._request import RemoteRequest
from ..errors.text import mask_passwords
from ..events import RunFinished
from .answers import answering_options
from .message_body import NoMessageInput
from .parameters import checked_seconds, checked_url, header, json_of, pair
from .printer import Printer
from .route_schema import addressed


@click.command()
@click.argument("url", callback=checked_url)
@click.option(
    "-m", "--message", "messages", multiple=True, help="A message of the user. Repeatable."
)
@click.option("--input", "body", help="The request body as JSON; - reads it from stdin.")
@click.option(
    "-H", "--header", "headers", multiple=True, help="A request header, 'Name: value'. Repeatable."
)
@click.option(
    "-p", "--param", "params", multiple=True, help="A query parameter, key=value. Repeatable."
)
@click.option("--thread", "thread_id", help="The id of the thread, for a route with threads.")
@click.option(
    "--format", "format", help="The route's format, if the server does not send its name."
)
@click.option("--raw", is_flag=True, help="Print the frames as they arrive.")
@click.option(
    "--timeout",
    default=60.0,
    show_default=True,
    callback=checked_seconds,
    help="Seconds of silence before giving up.",
)
def call(
    url: str,
    messages: Sequence[str],
    body: str | None,
    headers: Sequence[str],
    params: Sequence[str],
    thread_id: str | None,
    format: str | None,
    raw: bool,
    timeout: float,
) -> None:
    """Post to URL and print the answer as it streams. Ctrl-C stops the run.

    With -m the body is made from the route's schema, which the server has at /openapi.json. With
    --input it is what a client of the route posts. The format of the answer is detected. If the
    connection to a resumable route breaks, the command reconnects. If the run stops at an
    interrupt, the command prints the options that answer it, in the plain formats and vercel. The
    exit code is 1 if the run fails.
    """
    if messages and body is not None:
        raise click.UsageError("-m and --input exclude each other.")
    thread = {} if thread_id is None else {"thread_id": thread_id}
    request = RemoteRequest(
        url=url,
        body=json_of(sys.stdin.read() if body == "-" else body or "{}"),
        headers=dict(map(header, headers)),
        params={**dict(pair(each, "=", "--param") for each in params), **thread},
        timeout=timeout,
    )
    with Printer(url, raw) as printer:
        if messages:
            request = _with_messages(request, messages, thread_id)
        asyncio.run(_follow(RemoteStream(request, format, recognize=True), printer))


def _with_messages(
    request: RemoteRequest, messages: Sequence[str], thread_id: str | None
) -> RemoteRequest:
    about = {"headers": request.headers, "thread_id": thread_id, "timeout": request.timeout}
    try:
        url, body = addressed(request.url, messages, **about)  # type: ignore[arg-type]
    except NoMessageInput as reason:
        raise click.UsageError(
            f"-m cannot make the input of {mask_passwords(request.url)}: {reason}. Send it with"
            " --input."
        ) from None
    return replace(request, url=url, body=body)


async def _follow(stream: RemoteStream, printer: Printer) -> None:
    advice = ""
    async with aclosing(stream.frames()) as frames:
        async for decoded in frames:
            printer.print(stream, decoded)
            for event in decoded.events:
                if isinstance(event, RunFinished) and event.interrupts and stream.thread_id:
                    advice = answering_options(stream.format, stream.thread_id, event.interrupts)
    thread = f" on thread {stream.thread_id}" if stream.thread_id else ""
    summary = f"run {stream.run_id}{thread}, {stream.format or 'unknown format'}"
    printer.end(summary, advice and f"To answer: {advice}")
