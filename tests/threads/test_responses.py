"""OpenAI's Responses on a route with threads: ``previous_response_id``, and questions as items."""

from __future__ import annotations

import json
import operator
from typing import Annotated, Any

import pytest
from langchain_core.messages import AIMessage, AnyMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt
from openai.types.responses import Response as OpenAIResponse
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter
from starlette.requests import Request
from typing_extensions import TypedDict

from asgi_stream import StreamApp, StreamRoute, TableError

from ..asgi import Exchange, call, get, post
from .agents import SLOW, Listener, agent_of, result
from .test_approvals import MODES

pytestmark = pytest.mark.anyio

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
ANN, BOB = {"x-user": "ann"}, {"x-user": "bob"}
NOBODY = "resp_" + "0" * 32


class LocalListener(Listener):
    """Calls tools whose names begin with "my_", too, which are the client's."""

    async def _agenerate(self, messages: Any, *_: Any, **kwargs: Any) -> Any:
        if str(messages[-1].content).startswith("my_") and messages[-1].type == "human":
            name = str(messages[-1].content)
            call = {"name": name, "args": {"order": "A"}, "id": f"{messages[-1].id}-0"}
            return result(AIMessage("", tool_calls=[call]))
        return await super()._agenerate(messages)


@pytest.fixture
def model() -> LocalListener:
    return LocalListener()


def who(request: Request) -> str | None:
    return request.headers.get("x-user")


def app_of(graph: Any, **options: Any) -> StreamApp:
    about: dict[str, Any] = {"format": "openai", "authorize": who, "resume": True, "threads": True}
    graphs = graph if isinstance(graph, dict) else {"m": graph}
    return StreamApp([StreamRoute("/v1", graphs, **about, **options)], signals=False)


async def exchanged(
    app: StreamApp, input: Any = None, user: dict[str, str] = ANN, **more: Any
) -> Exchange:
    body = {"model": "m", "input": input, **more}
    return await post(app, "/v1/responses", body, headers=user)


async def respond(app: StreamApp, input: Any, previous: Any = None, **more: Any) -> Any:
    """The response to an input, which goes on with a response if there is one."""
    if previous is not None:
        more["previous_response_id"] = previous["id"]
    exchange = await exchanged(app, input, **more)
    assert exchange.status == 200, exchange.body
    response = json.loads(exchange.body)
    OpenAIResponse.model_validate(response)
    return response


async def refused(app: StreamApp, input: Any, **more: Any) -> tuple[int, str, str | None]:
    exchange = await exchanged(app, input, **more)
    error = json.loads(exchange.body)["error"]
    return exchange.status, error["code"], error["param"]


def text_of(response: Any) -> str:
    return "".join(
        part["text"]
        for item in response["output"]
        if item["type"] == "message"
        for part in item["content"]
    )


def items(response: Any, kind: str) -> list[Any]:
    return [item for item in response["output"] if item["type"] == kind]


def approval(item: Any, approve: bool = True, **more: Any) -> dict[str, Any]:
    id_ = item["id"]
    return {"type": "mcp_approval_response", "approval_request_id": id_, "approve": approve, **more}


def output(item: Any, value: Any) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": item["call_id"], "output": value}


async def test_a_response_goes_on_with_the_thread_of_another(model: LocalListener) -> None:
    app = app_of(agent_of(model))
    first = await respond(app, "one")
    second = await respond(app, "two", first)
    third = await respond(app, [{"role": "user", "content": "three"}], second)
    assert model.hears[-1] == [
        "user: one",
        "ai: re: one",
        "user: two",
        "ai: re: two",
        "user: three",
    ]
    assert text_of(third) == "re: three"
    assert (second["previous_response_id"], second["store"]) == (first["id"], True)
    assert len(third["output"]) == 1


async def test_an_old_response_forks(model: LocalListener) -> None:
    app = app_of(agent_of(model))
    first = await respond(app, "one")
    await respond(app, "two", first)
    fork = await respond(app, "other", first)
    assert model.hears[-1] == ["user: one", "ai: re: one", "user: other"]
    await respond(app, "last", fork)
    assert model.hears[-1][2:] == ["user: other", "ai: re: other", "user: last"]


@pytest.mark.parametrize("shared", [True, False])
async def test_another_model_goes_on_if_it_has_the_same_checkpointer(
    shared: bool, model: LocalListener
) -> None:
    one, other = agent_of(model), agent_of(model)
    if shared:
        other.checkpointer = one.checkpointer
    app = app_of({"one": one, "other": other})
    first = await respond(app, "I am Ann.", model="one")
    if shared:
        await respond(app, "Who am I?", first, model="other")
    else:
        about = {"model": "other", "previous_response_id": first["id"]}
        assert await refused(app, "Who am I?", **about) == (422, "invalid_request", "model")
        await respond(app, "Who am I?", first, model="one")
    assert model.hears[-1] == ["user: I am Ann.", "ai: re: I am Ann.", "user: Who am I?"]


async def test_a_first_request_may_have_a_whole_conversation(model: LocalListener) -> None:
    app = app_of(agent_of(model))
    call = {"type": "function_call", "call_id": "c", "name": "look", "arguments": '{"order": "A"}'}
    conversation = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "look A"},
        call,
        {"type": "function_call_output", "call_id": "c", "output": "there"},
        {"role": "user", "content": "And?"},
    ]
    first = await respond(app, conversation)
    assert model.hears[-1] == [
        *("system: Be brief.", "user: Hi", "ai: Hello", "user: look A", "calls: A"),
        *("tool: there", "user: And?"),
    ]
    await respond(app, [*conversation[:1], {"role": "user", "content": "Well?"}], first)
    assert model.hears[-1][-2:] == ["ai: re: And?", "user: Well?"]
    assert sum(each.startswith("system") for each in model.hears[-1]) == 1


async def test_instructions_are_for_one_response(model: LocalListener) -> None:
    app = app_of(agent_of(model))
    first = await respond(app, "one")
    heard = ["user: one", "ai: re: one"]
    for words, more in [
        (["system: French."], {"instructions": "French."}),
        (["system: German."], {"instructions": "German."}),
        ([], {}),
        (["system: German."], {"instructions": "German."}),
    ]:
        first = await respond(app, "two", first, **more)
        assert model.hears[-1] == [*words, *heard, "user: two"]
        heard += ["user: two", "ai: re: two"]


async def test_instructions_stay_where_messages_cannot_be_removed(model: LocalListener) -> None:
    class Added(TypedDict):
        messages: Annotated[list[AnyMessage], operator.add]

    async def answer(state: Added) -> Any:
        return {"messages": [await model.ainvoke(state["messages"])]}

    graph = StateGraph(Added).add_node("answer", answer).add_edge(START, "answer")
    app = app_of(graph.compile(checkpointer=InMemorySaver()))
    first = await respond(app, "one", instructions="French.")
    await respond(app, "two", first)
    assert model.hears[-1] == ["system: French.", "user: one", "ai: re: one", "user: two"]


@pytest.mark.parametrize("stream", [True, False])
async def test_chat_completions_and_what_is_not_stored_leave_no_thread(
    model: LocalListener, stream: bool
) -> None:
    app = app_of(agent_of(model))
    chat = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    body = {"model": "m", "messages": [*chat, {"role": "user", "content": "?"}], "stream": stream}
    assert (await post(app, "/v1/chat/completions", body, headers=ANN)).status == 200
    assert model.hears[-1] == ["user: Hi", "ai: Hello", "user: ?"]
    response = await respond(app, "Hi", store=False)
    assert response["store"] is False
    threads = await get(app, "/v1/threads", headers=ANN)
    assert json.loads(threads.body) == {"threads": []}


async def test_threads_are_listed_and_deleted(model: LocalListener) -> None:
    app = app_of(agent_of(model))
    exchange = await exchanged(app, "Hi")
    thread = exchange.headers["x-thread-id"]
    listed = json.loads((await get(app, "/v1/threads", headers=ANN)).body)["threads"]
    assert [each["thread_id"] for each in listed] == [thread]
    assert json.loads((await get(app, "/v1/threads", headers=BOB)).body) == {"threads": []}
    messages = json.loads((await get(app, f"/v1/threads/{thread}/messages", headers=ANN)).body)
    assert [each["content"] for each in messages["messages"]] == ["Hi", "re: Hi"]
    assert (await call(app, "DELETE", f"/v1/threads/{thread}", headers=ANN)).status == 204
    status, _, _ = await refused(app, "?", previous_response_id=json.loads(exchange.body)["id"])
    assert status == 404


async def test_a_thread_named_in_the_query_gets_what_is_new(model: LocalListener) -> None:
    app = app_of(agent_of(model))
    conversation: list[Any] = [{"role": "user", "content": "Hi"}]
    for words in ("two", "three"):
        body = {"model": "m", "input": conversation}
        exchange = await post(app, "/v1/responses?thread_id=t", body, headers=ANN)
        assert exchange.headers["x-thread-id"] == "t"
        conversation += json.loads(exchange.body)["output"]
        conversation.append({"role": "user", "content": words})
    assert model.hears[-1] == ["user: Hi", "ai: re: Hi", "user: two"]


@pytest.mark.parametrize("id_", [NOBODY, "resp_1", 1])
async def test_an_unknown_response_is_not_found(id_: Any, model: LocalListener) -> None:
    app = app_of(agent_of(model))
    expected = (404, "previous_response_not_found", "previous_response_id")
    assert await refused(app, "Hi", previous_response_id=id_) == expected


async def test_a_response_of_another_owner_is_not_found(model: LocalListener) -> None:
    app = app_of(agent_of(model))
    first = await respond(app, "refund A")
    [request] = items(first, "mcp_approval_request")
    for more in ({"previous_response_id": first["id"]}, {}):
        status, code, _ = await refused(app, [approval(request)], user=BOB, **more)
        assert (status, code) == (404, "previous_response_not_found")
    assert len(model.hears) == 1


async def test_what_goes_on_is_stored(model: LocalListener) -> None:
    app = app_of(agent_of(model))
    first = await respond(app, "Hi")
    expected = (400, "invalid_request", "store")
    assert await refused(app, "?", previous_response_id=first["id"], store=False) == expected


async def test_a_response_that_goes_on_is_busy(model: LocalListener) -> None:
    app = app_of(agent_of(model))
    first = await respond(app, SLOW, background=True)
    status, code, _ = await refused(app, "?", previous_response_id=first["id"])
    assert (status, code) == (409, "thread_busy")
    await post(app, f"/v1/responses/{first['id']}/cancel", {}, headers=ANN)


async def test_a_response_that_is_cancelled_before_it_begins(model: LocalListener) -> None:
    app = app_of(agent_of(model), multitask="enqueue")
    first = await respond(app, "one")
    busy = await respond(app, SLOW, first, background=True)
    waiting = await respond(app, "two", first, background=True, metadata={"a": "b"})
    await post(app, f"/v1/responses/{waiting['id']}/cancel", {}, headers=ANN)
    cancelled = json.loads((await get(app, f"/v1/responses/{waiting['id']}", headers=ANN)).body)
    assert (cancelled["id"], cancelled["status"]) == (waiting["id"], "cancelled")
    assert (cancelled["metadata"], cancelled["background"]) == ({"a": "b"}, True)
    stream = await get(app, f"/v1/responses/{waiting['id']}?stream=true", headers=ANN)
    names = [line for line in stream.body.decode().split("\n") if line.startswith("event: ")]
    assert names == [f"event: response.{each}" for each in ("created", "queued", "failed")]
    await post(app, f"/v1/responses/{busy['id']}/cancel", {}, headers=ANN)


def test_threads_need_resume(model: LocalListener) -> None:
    with pytest.raises(TableError, match="threads: the openai format also needs resume"):
        StreamApp([StreamRoute("/v1", agent_of(model), format="openai", threads=True)])


# Questions.


@MODES
async def test_a_call_is_approved(
    mode: str, model: LocalListener, caplog: pytest.LogCaptureFixture
) -> None:
    app = app_of(agent_of(model, mode=mode))
    first = await respond(app, "refund A")
    assert first["status"] == "completed"
    [request] = first["output"]
    assert (request["type"], request["name"]) == ("mcp_approval_request", "refund")
    assert json.loads(request["arguments"]) == {"order": "A"}
    second = await respond(app, [approval(request)], first)
    assert model.hears[-1][-1] == "tool: refunded A"
    [made] = items(second, "mcp_call")
    assert (made["output"], made["approval_request_id"]) == ("refunded A", request["id"])
    assert text_of(second) == "done"
    assert "dropped" not in caplog.text


@MODES
async def test_calls_are_approved_and_rejected(mode: str, model: LocalListener) -> None:
    app = app_of(agent_of(model, mode=mode))
    first = await respond(app, "refund A B")
    yes, no = items(first, "mcp_approval_request")
    answers = [approval(no, False, reason="not B"), approval(yes)]
    await respond(app, answers, first)
    rejected, approved = sorted(model.hears[-1][2:])
    assert "not B" in rejected
    assert approved == "tool: refunded A"


async def test_questions_are_answered_one_by_one(model: LocalListener) -> None:
    app = app_of(agent_of(model, mode="per_call"))
    first = await respond(app, "refund A B")
    one, _ = items(first, "mcp_approval_request")
    second = await respond(app, [approval(one)], first)
    [other] = items(second, "mcp_approval_request")
    assert json.loads(other["arguments"]) == {"order": "B"}
    third = await respond(app, [approval(other, False)], second)
    assert text_of(third) == "done"
    assert len(model.hears[-1][2:]) == 2


async def test_an_answer_names_its_thread(model: LocalListener) -> None:
    app = app_of(agent_of(model))
    question: dict[str, Any] = {"role": "user", "content": "refund A"}
    first = await respond(app, [question])
    [request] = first["output"]
    reference = {"type": "item_reference", "id": request["id"]}
    conversation = [question, reference, approval(request)]
    second = await respond(app, conversation)
    assert text_of(second) == "done"
    assert items(second, "mcp_call")[0]["approval_request_id"] == request["id"]
    # It is a part of the history then.
    done = [{"type": "item_reference", "id": each["id"]} for each in second["output"]]
    third = await respond(app, [*conversation, *done, {"role": "user", "content": "Well?"}])
    assert text_of(third) == "re: Well?"
    assert model.hears[-1] == [
        *("user: refund A", "calls: A", "tool: refunded A", "ai: done", "user: Well?"),
    ]


@MODES
async def test_an_answer_counts_once(mode: str, model: LocalListener) -> None:
    app = app_of(agent_of(model, mode=mode))
    first = await respond(app, "refund A")
    [request] = first["output"]
    answers = [approval(request)]
    second = await respond(app, answers, first)
    heard = len(model.hears)
    for previous in (first, second):
        status, code, _ = await refused(app, answers, previous_response_id=previous["id"])
        assert (status, code) == (409, "not_pending")
    assert (await refused(app, answers))[:2] == (409, "not_pending")
    unknown = {**request, "id": request["id"] + "9"}
    status, code, _ = await refused(app, [request, approval(unknown)])
    assert (status, code) == (409, "not_pending")
    third = await respond(app, "refund B", second)
    status, code, _ = await refused(app, [approval(unknown)], previous_response_id=third["id"])
    assert (status, code) == (409, "not_pending")
    status, code, _ = await refused(app, [{**approval(request), "approval_request_id": "x"}])
    assert (status, code) == (404, "previous_response_not_found")
    assert len(model.hears) == heard + 1


@MODES
async def test_a_question_is_answered_on_its_branch_although_the_thread_has_another(
    mode: str, model: LocalListener
) -> None:
    app = app_of(agent_of(model, mode=mode))
    hello = await respond(app, "hello")
    question = await respond(app, "refund A", hello)
    await respond(app, "something else", hello)
    answers = [approval(*items(question, "mcp_approval_request"))]
    answered = await respond(app, answers, question)
    assert text_of(answered) == "done"
    assert model.hears[-1][-3:] == ["user: refund A", "calls: A", "tool: refunded A"]
    status, code, _ = await refused(app, answers, previous_response_id=question["id"])
    assert (status, code) == (409, "not_pending")


async def test_answers_that_contradict_each_other_are_refused(model: LocalListener) -> None:
    app = app_of(agent_of(model))
    first = await respond(app, "refund A")
    [request] = first["output"]
    answers = [approval(request, False), approval(request, False), approval(request)]
    status, _, field = await refused(app, answers, previous_response_id=first["id"])
    assert (status, field) == (422, "input.2")
    second = await respond(app, [approval(request), approval(request)], first)
    assert text_of(second) == "done"


async def test_a_response_goes_on_with_something(model: LocalListener) -> None:
    app = app_of(agent_of(model))
    first = await respond(app, "one")
    status, _, field = await refused(app, [], previous_response_id=first["id"])
    assert (status, field) == (422, "input")


async def test_a_wrong_decision_is_refused_by_its_field(model: LocalListener) -> None:
    app = app_of(agent_of(model))
    first = await respond(app, "refund A B")
    one, other = items(first, "mcp_approval_request")
    id_ = first["id"]
    for answers, field in (
        ([{**approval(one), "approve": "yes"}, approval(other)], "input.0.approve"),
        ([approval(one), approval(other, reason=1)], "input.1.reason"),
        ([approval(one)], "input.0"),
        ([approval(one), {"role": "user", "content": "?"}], "input.1"),
    ):
        status, _, param = await refused(app, answers, previous_response_id=id_)
        assert (status, param) == (422, field)
    assert len(model.hears) == 1


@pytest.mark.parametrize("id_", [[], {}, None, "message"])
async def test_an_answer_to_what_is_no_request_for_approval_is_refused(
    id_: Any, model: LocalListener
) -> None:
    app = app_of(agent_of(model))
    first = await respond(app, "refund A")
    if id_ == "message":
        first = await respond(app, "one")  # which asks nothing
        id_ = first["output"][0]["id"]
    answer = {"type": "mcp_approval_response", "approval_request_id": id_, "approve": True}
    about = {"previous_response_id": first["id"]}
    assert await refused(app, [answer], **about) == (409, "not_pending", None)


@pytest.mark.parametrize("id_", [[], "message"])
async def test_an_answer_to_a_question_needs_no_other_fields(id_: Any) -> None:
    app = app_of(asking())
    first = await respond(app, "Hi")
    [question] = items(first, "function_call")
    extra = {"approval_request_id": question["id"] if id_ else id_}
    second = await respond(app, [{**output(question, "yes"), **extra}], first)
    assert second["status"] == "completed"


async def test_a_new_message_instead_of_an_answer(model: LocalListener) -> None:
    app = app_of(agent_of(model))
    first = await respond(app, "refund A")
    second = await respond(app, "No, wait.", first)
    assert text_of(second) == "re: No, wait."
    assert model.hears[-1][-1] == "user: No, wait."
    [request] = first["output"]
    status, code, _ = await refused(app, [approval(request)], previous_response_id=first["id"])
    assert (status, code) == (409, "not_pending")


class Choice(TypedDict):
    allowed_decisions: list[str]


async def test_a_call_that_cannot_just_be_approved_is_a_function_call(model: LocalListener) -> None:
    from langchain.agents import create_agent
    from langchain.agents.middleware import HumanInTheLoopMiddleware
    from langgraph.checkpoint.memory import InMemorySaver

    from .agents import refund

    gate = HumanInTheLoopMiddleware({"refund": {"allowed_decisions": ["edit", "respond"]}})
    agent = create_agent(model, [refund], checkpointer=InMemorySaver(), middleware=[gate])
    app = app_of(agent)
    first = await respond(app, "refund A")
    [question] = first["output"]
    assert (question["type"], question["name"]) == ("function_call", "langgraph_interrupt")
    decisions = {"decisions": [{"type": "respond", "message": "later"}]}
    second = await respond(app, [output(question, json.dumps(decisions))], first)
    assert model.hears[-1][-1] == "tool: later"
    assert text_of(second) == "done"


def asking() -> Any:
    from langgraph.checkpoint.memory import InMemorySaver

    async def ask(state: MessagesState) -> dict[str, Any]:
        where = interrupt({"ask": "Where to?"})
        return {"messages": [AIMessage(f"To {where!r}.")]}

    built = StateGraph(MessagesState).add_node(ask).add_edge(START, "ask")
    return built.compile(checkpointer=InMemorySaver())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Paris", "To 'Paris'."),
        ('{"city": "Rome"}', "To {'city': 'Rome'}."),
        ([{"type": "input_text", "text": "1"}], "To 1."),
    ],
)
async def test_any_other_question_is_a_function_call(value: Any, expected: str) -> None:
    app = app_of(asking())
    tool = {"type": "function", "name": "langgraph_interrupt", "parameters": {"type": "object"}}
    first = await respond(app, "Hi", tools=[tool])
    [question] = first["output"]
    assert json.loads(question["arguments"]) == {"value": {"ask": "Where to?"}}
    assert question["status"] == "completed"
    second = await respond(app, [output(question, value)], first)
    assert text_of(second) == expected
    third = await respond(app, [{"role": "user", "content": "Hi"}])
    [question] = third["output"]
    conversation = [{"role": "user", "content": "Hi"}, question, output(question, value)]
    assert text_of(await respond(app, conversation)) == expected
    status, code, _ = await refused(app, [output(question, "x")])
    assert (status, code) == (409, "not_pending")
    wrong = [output({"call_id": question["call_id"]}, "x")]
    status, code, _ = await refused(app, wrong, previous_response_id=second["id"])
    assert (status, code) == (409, "not_pending")


async def test_a_question_is_streamed() -> None:
    app = app_of(asking())
    exchange = await exchanged(app, "Hi", stream=True)
    events = [
        json.loads(line.removeprefix("data: "))
        for line in exchange.body.decode().split("\n")
        if line.startswith("data: ")
    ]
    for event in events:
        EVENT.validate_python(event, strict=False)
    assert [event["type"].removeprefix("response.") for event in events] == [
        *("created", "in_progress", "output_item.added", "function_call_arguments.delta"),
        *("function_call_arguments.done", "output_item.done", "completed"),
    ]
    assert events[2]["item"]["arguments"] == ""
    assert events[3]["delta"] == events[4]["arguments"] == events[5]["item"]["arguments"]


async def test_a_breakpoint_is_a_question(model: LocalListener) -> None:
    app = app_of(agent_of(model, gated=False, interrupt_before=["tools"]))
    first = await respond(app, "look A")
    [question] = items(first, "function_call")
    second = await respond(app, [output(question, "go")], first)
    assert text_of(second) == "done"


async def test_the_client_s_own_calls_are_answered_on_the_thread(model: LocalListener) -> None:
    class State(MessagesState):
        tools: list[Any]

    from langgraph.checkpoint.memory import InMemorySaver

    async def think(state: State) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    built = StateGraph(State).add_node(think).add_edge(START, "think")
    app = app_of(built.compile(checkpointer=InMemorySaver()))
    tools = [{"type": "function", "name": "my_tool", "parameters": {"type": "object"}}]
    first = await respond(app, "my_tool", tools=tools)
    [made] = items(first, "function_call")
    status, code, _ = await refused(
        app, [output({"call_id": "x"}, "1")], previous_response_id=first["id"], tools=tools
    )
    assert (status, code) == (409, "not_pending")
    second = await respond(app, [output(made, "sunny")], first, tools=tools)
    assert text_of(second) == "done"
    assert model.hears[-1][-1] == "tool: sunny"
