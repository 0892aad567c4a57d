from __future__ import annotations

from typing import Any

import pytest

from asgi_stream import Limits


def test_the_defaults_can_work() -> None:
    assert list(Limits().problems()) == []


def test_none_is_no_limit() -> None:
    limits = Limits(
        run=None, first=None, idle=None, send=None, ping=None, receive=None, body=None, depth=None,
        buffer=None, concurrent=None,
    )  # fmt: skip
    assert list(limits.problems()) == []


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"run": -1}, "limits.run must not be negative or infinite, not -1"),
        ({"send": float("inf")}, "limits.send must not be negative or infinite, not inf"),
        ({"idle": float("nan")}, "limits.idle must not be negative or infinite, not nan"),
        ({"first": 0}, "limits.first must be greater than 0 (None means no limit)"),
        ({"body": 1.5}, "limits.body must be a whole number, not 1.5"),
        ({"run": "60"}, "limits.run must be a number of seconds, not '60'"),
        ({"concurrent": True}, "limits.concurrent must be a whole number, not True"),
        ({"hold": None}, "limits.hold must be a number of seconds, not None"),
    ],
)
def test_a_bound_that_cannot_work_is_told(limits: dict[str, Any], message: str) -> None:
    assert list(Limits(**limits).problems()) == [message]


@pytest.mark.parametrize("name", ["ping", "hold", "grace"])
def test_zero_turns_these_off(name: str) -> None:
    zero: dict[str, Any] = {name: 0}
    assert list(Limits(**zero).problems()) == []
