"""A message that a run has sent reaches the next run equal, whichever way a client writes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from langchain_core.load import dumpd
from langchain_core.messages import BaseMessage, RemoveMessage, messages_to_dict

from asgi_stream import Limits
from asgi_stream._json import parse_json
from asgi_stream._langchain.messages import whole
from asgi_stream._langchain.schemas.coercion import coerced
from asgi_stream.serialize import to_json

from ..said import FEW, MESSAGES, as_read, written

# What a client has of a message: what it was sent; the envelope of Python's ``messages_to_dict``
# and JavaScript's ``toDict``; LangChain's own serializer, in both languages.
WRITERS: dict[str, Callable[[BaseMessage], Any]] = {
    "as it was sent": lambda message: message,
    "in an envelope": lambda message: messages_to_dict([message])[0],
    "by LangChain's serializer": dumpd,
}


def sent_back(value: Any) -> Any:
    """`value` as the server reads it when a client has got it from us and sends it again."""
    got = json.loads(to_json(value))
    return parse_json(json.dumps(got).encode(), Limits())


@pytest.mark.parametrize("way", WRITERS)
@settings(FEW, max_examples=300)
@given(message=MESSAGES)
def test_a_message_reaches_the_next_run_equal(way: str, message: BaseMessage) -> None:
    sent = sent_back([WRITERS[way](message)])
    [made] = coerced(sent, list[BaseMessage], "", Limits())
    kind, fields = written(whole(message))
    assert written(made) == (kind, as_read(fields))
    assert as_read(dict(made)) == dict(made)  # without half of a character anywhere


def test_what_removes_a_message_reaches_the_next_run_too() -> None:
    for way in WRITERS.values():
        sent = sent_back([way(RemoveMessage(id="m"))])
        assert coerced(sent, list[BaseMessage], "", Limits()) == [RemoveMessage(id="m")]
