"""Answers HTTP requests: from what matched a request to its response."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from .._delivery.observability import guarded_telemetry
from .._delivery.response import refuse, respond, respond_to_disconnected
from .._lifecycle.active import ActiveRuns
from .._lifecycle.loops import Loops
from .._lifecycle.server_sockets import address_of
from .._request.disconnect import cancel_if_disconnected
from .._request.origins import check_origin, check_page
from .._request.unread_body import RequestBody
from .._resume.reader import StoredRunReader
from .._routing.bound import BoundRoute
from .._routing.hosts import AllowedHosts
from .._routing.table import Match
from ..errors import MethodNotAllowed, ShuttingDown, StreamError
from ..limits import Limits
from ..requests import ClientDisconnect, StreamRequest
from .dispatch import Dispatch

if TYPE_CHECKING:
    from ..telemetry import Telemetry

RECEIVE_SECONDS = Limits().receive
"""How long a body may take to arrive that no route reads."""


class RequestHandler:
    """Answers HTTP requests of one app.

    Args:
        loops: What the app holds on its event loops.
        telemetry: Records runs and rejected requests, if telemetry is on.
        hosts: Whose pages may use formats that check the origin.
    """

    def __init__(self, loops: Loops, telemetry: Telemetry | None, hosts: AllowedHosts) -> None:
        self._loops = loops
        self._hosts = hosts
        self._telemetry = telemetry

    async def handle(
        self,
        match: Match | Callable[[], Awaitable[Response]] | StreamError,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        """Answer a request.

        Args:
            match: The route and its endpoint, or a page, or the error if neither matched.
            scope: The request's.
            receive: The request's.
            send: The request's.
        """
        body = RequestBody(scope, receive, send, RECEIVE_SECONDS)
        active = self._loops.current
        active.note(address_of(scope))
        if isinstance(match, tuple):
            await self._serve(*match, scope, body, active)
        elif not isinstance(match, StreamError):
            await (await match())(scope, body.receive, body.send)
        elif scope["method"] == "OPTIONS" and isinstance(match, MethodNotAllowed):
            options = Response(status_code=204, headers=match.headers)
            await options(scope, body.receive, body.send)
        else:
            await refuse(match, scope, body.receive, body.send)

    async def _serve(
        self, route: BoundRoute, endpoint: str, scope: Scope, body: RequestBody, active: ActiveRuns
    ) -> None:
        receive, send, address = body.receive, body.send, address_of(scope)
        body.seconds = route.limits.receive
        request = StreamRequest(scope, receive, route.limits)
        hold = partial(self._loops.hold, route.path, route.limits.concurrent)
        dispatch = Dispatch(route, endpoint, request, active, hold, self._telemetry)
        try:
            if active.ends(address):
                raise ShuttingDown
            check_origin(request)
            if route.format_class.checks_origin:
                check_page(request, self._hosts)
            answer = await cancel_if_disconnected(dispatch.response(), body)
        except ClientDisconnect:
            return await respond_to_disconnected(scope, receive, send)
        except Exception as exception:
            error = await refuse(exception, scope, receive, send, route, request.format)
            if self._telemetry is not None:
                with guarded_telemetry():
                    self._telemetry.rejected(route.path, route.format, error.code)
            return None
        if isinstance(answer, Response):
            return await answer(scope, receive, send)
        if isinstance(answer, StoredRunReader):
            answer.location = dispatch.location(answer.run_id)
        active.add(answer, address)
        try:
            await respond(answer, route, scope, *body.direct())
        finally:
            active.streams.pop(answer)
            answer.leave()
        if active.ends(address):
            # Without a lifespan, a server that stops waits only for its requests.
            await active.ended_for_all(self._loops.clean_up_seconds)
        return None
