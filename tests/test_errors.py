from __future__ import annotations

import inspect
import re

from asgi_stream import StreamError, errors
from asgi_stream.errors import RunFailed, RunTimeout, public_error


class Limited(Exception):
    pass


class Worse(Limited):
    pass


LIMITED = StreamError("Slow down.", code="rate_limited", status=429)
WORSE = StreamError("Stop.", code="stop", status=403)


def test_a_foreign_exception_says_only_that_the_run_failed() -> None:
    told = public_error(ValueError("secret"), {})
    assert (told.code, told.status, told.message) == ("run_failed", 500, "The run failed.")


def test_the_most_specific_class_has_the_word() -> None:
    table: dict[type[BaseException], StreamError] = {Limited: LIMITED, Worse: WORSE}
    assert public_error(Limited(), table) is LIMITED
    assert public_error(Worse(), table) is WORSE
    assert public_error(Worse(), {Limited: LIMITED}) is LIMITED


def test_a_group_stands_for_its_first_member_with_an_answer() -> None:
    group = ExceptionGroup("g", [ValueError(), ExceptionGroup("h", [Limited()])])
    assert public_error(group, {Limited: LIMITED}) is LIMITED
    assert isinstance(public_error(group, {}), RunFailed)


def test_an_error_of_our_own_is_told_as_it_is_unless_the_route_says_otherwise() -> None:
    late = RunTimeout()
    assert public_error(late, {}) is late
    assert public_error(late, {RunTimeout: LIMITED}) is LIMITED


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = dict(re.findall(r"── (\w+) +(\d{3} +\w+)", inspect.getdoc(errors) or ""))
    built = {
        name: f"{kind.status}  {kind.code}"
        for name, kind in vars(errors).items()
        if inspect.isclass(kind) and issubclass(kind, StreamError) and kind is not StreamError
    }
    assert drawn == built
