"""LangChain's tools as tools of MCP: their arguments are those of the LangChain tool."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

import pytest
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import StructuredTool, tool
from pydantic import BaseModel, Field

from asgi_stream._langchain.schemas.input import InputSchema
from asgi_stream.errors import InvalidInput

from .test_mcp_calls import app_of, called, fails_with, listed

pytestmark = pytest.mark.anyio


@tool
def plan(days: int, kind: Literal["sea", "city"] = "sea", start: dt.date | None = None) -> str:
    """Plans a trip."""
    return f"{days} {kind}"


class Bounded(BaseModel):
    number: int = Field(ge=3)


@tool(args_schema=Bounded)
def bounded(number: int) -> str:
    """Takes three or more."""
    return str(number)


CITY = {"type": "string", "minLength": 2}
SCHEMA = {
    "type": "object",
    "properties": {"city": {"$ref": "#/$defs/City"}, "days": {"type": ["integer", "null"]}},
    "required": ["city"],
    "additionalProperties": False,
    "$defs": {"City": CITY},
}


async def look(**arguments: Any) -> str:
    return str(arguments)


def remote(**schema: Any) -> Any:
    """A tool of another server, as `langchain-mcp-adapters` makes it."""
    about: Any = {"name": "look", "description": "Looks.", "args_schema": {**SCHEMA, **schema}}
    return StructuredTool.from_function(coroutine=look, **about)


@pytest.mark.parametrize(
    ("runnable", "arguments", "problem"),
    [
        (plan, {}, "days: Field required"),
        (plan, {"days": "x"}, "days: Input should be a valid integer, unable to parse"),
        (plan, {"days": 1, "kind": "z"}, "kind: Input should be 'sea' or 'city'"),
        (plan, {"days": 1, "start": "z"}, "start: Input should be a valid date"),
        (plan.bind(), {"days": "x"}, "days: Input should be a valid integer"),
        (plan | RunnableLambda(str), {"days": "x"}, "days: Input should be a valid integer"),
        (bounded, {"number": 1}, "number: Input should be greater than or equal to 3"),
        (remote(), {}, "city: required"),
        (remote(), {"city": 5}, "city: does not fit the schema"),
        (remote(), {"city": "x"}, "city: does not fit the schema"),
        (remote(), {"city": "Rome", "days": 1.5}, "days: does not fit the schema"),
        (remote(), {"city": "Rome", "input": 1}, "input: unexpected"),
    ],
)
async def test_arguments_that_do_not_fit_are_named(
    runnable: Any, arguments: Any, problem: str
) -> None:
    code, text = fails_with(await called(app_of({"x": runnable}), "x", arguments))
    assert code == "invalid_request"
    assert text.startswith(problem)


@pytest.mark.parametrize(
    ("runnable", "arguments", "output"),
    [
        (plan, {"days": 2, "start": "2020-01-01"}, "2 sea"),
        (bounded, {"number": 3}, "3"),
        (remote(), {"city": "Rome"}, "{'city': 'Rome'}"),
        (
            remote() | RunnableLambda(str),
            {"city": "Rome", "days": 2.0},
            "{'city': 'Rome', 'days': 2.0}",
        ),
        (remote(additionalProperties={}), {"city": "Rome", "x": 1}, "{'city': 'Rome', 'x': 1}"),
        (
            remote(patternProperties={"^x": {}}),
            {"city": "Rome", "x": 1},
            "{'city': 'Rome', 'x': 1}",
        ),
    ],
)
async def test_arguments_that_fit_reach_the_tool(
    runnable: Any, arguments: Any, output: str
) -> None:
    result = await called(app_of({"x": runnable}), "x", arguments)
    assert result["structuredContent"] == {"output": output}


async def test_a_tool_with_a_json_schema_takes_no_bare_value() -> None:
    with pytest.raises(InvalidInput, match="input: expected an object"):
        InputSchema(remote()).check("Rome")


async def test_a_tool_with_a_json_schema_is_listed_with_it() -> None:
    assert (await listed(app_of({"x": remote()})))["x"]["inputSchema"] == SCHEMA


async def test_a_declared_input_comes_before_the_schema_of_a_tool() -> None:
    typed = remote().with_types(input_type=dict[str, int])
    for app in (app_of({"x": typed}), app_of({"x": remote()}, input=dict[str, int])):
        tool = (await listed(app))["x"]
        assert tool["inputSchema"]["additionalProperties"] == {"type": "integer"}
