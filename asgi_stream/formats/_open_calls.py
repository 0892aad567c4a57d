"""Tool calls of an answer that have no result, which a person may have to approve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..events import Approval


class OpenCalls(dict[str, tuple[str, Any]]):
    """The names and arguments of the calls without a result, by their ids, in order."""

    def take(self, approvals: Sequence[Approval]) -> list[tuple[str, Approval]]:
        """Return the calls to be approved, and remove them; nothing if one is not known.

        A call in a subgraph has no id that the event could know. It is the first one of that name
        with those arguments, so equal calls are told apart by their order.
        """
        left = dict(self)
        calls: list[tuple[str, Approval]] = []
        for each in approvals:
            wanted = each.name, each.arguments
            call_id = each.call_id or next((id_ for id_ in left if left[id_] == wanted), "")
            if not call_id:
                return []
            left.pop(call_id, None)
            calls.append((call_id, each))
        for call_id, _ in calls:
            self.pop(call_id, None)
        return calls
