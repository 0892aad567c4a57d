from __future__ import annotations

import typing
from collections.abc import Collection, Iterable, Sequence
from types import GenericAlias
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.agents import AgentAction, AgentActionMessageLog, AgentFinish
from langchain_core.documents import Document
from langchain_core.load import dumpd
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    AnyMessage,
    BaseMessage,
    BaseMessageChunk,
    ChatMessage,
    ChatMessageChunk,
    FunctionMessage,
    FunctionMessageChunk,
    HumanMessage,
    HumanMessageChunk,
    MessageLikeRepresentation,
    RemoveMessage,
    SystemMessage,
    SystemMessageChunk,
    ToolMessage,
    ToolMessageChunk,
    message_chunk_to_message,
    messages_to_dict,
)
from langchain_core.outputs import ChatGeneration, ChatResult, Generation, LLMResult
from langchain_core.prompt_values import ChatPromptValue, PromptValue, StringPromptValue
from langchain_core.prompts import ChatPromptTemplate, PromptTemplate
from langchain_core.runnables import (
    ConfigurableField,
    Runnable,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
)
from langgraph.graph import START, StateGraph, add_messages
from pydantic import BaseModel

from asgi_stream import Limits
from asgi_stream._langchain.schemas.coercion import coerced
from asgi_stream._langchain.schemas.input import ConfigurableSchema, InputSchema
from asgi_stream._langchain.schemas.messages import with_plain_messages
from asgi_stream._langchain.schemas.runnable import schema_of, schema_of_declared
from asgi_stream.errors import InvalidInput

from ...models import PROMPT, Scripted, chain_of
from .annotated import (
    Bare,
    BrokenSchema,
    Hidden,
    Plain,
    Question,
    State,
    Typed,
    Words,
    takes_anything,
    takes_hidden,
    takes_messages,
    takes_no_schema,
    takes_question,
    takes_typed,
)

USAGE: Any = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
CALL: Any = {"name": "f", "args": "{", "id": "c", "error": None, "type": "invalid_tool_call"}
MODEL = Scripted(script=["x"])
CHAIN = chain_of("x")
HI = [HumanMessage("hi"), AIMessage("hello")]


def hidden_annotation(value: OnlyForTypes) -> Any:  # type: ignore[name-defined]  # noqa: F821
    return value


GRAPH = StateGraph(State).add_node("n", lambda s: {}).add_edge(START, "n").compile()


@pytest.mark.parametrize(
    "likes",
    [
        [["human", "hi"], ["ai", "hello"]],
        [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}],
        [{"type": "human", "content": "hi"}, {"type": "ai", "content": "hello"}],
        ["hi", {"type": "ai", "content": "hello"}],
    ],
)
@pytest.mark.parametrize(
    ("runnable", "declared", "shape"),
    [
        (MODEL, None, lambda m: m),
        (CHAIN, None, lambda m: {"question": "q", "chat_history": m}),
        (GRAPH, None, lambda m: {"messages": m}),
        (RunnableLambda(takes_messages), None, lambda m: m),
        (CHAIN, Question, lambda m: {"question": "q", "chat_history": m}),
        (CHAIN, Typed, lambda m: {"count": 1, "history": m}),
        (MODEL, list[AnyMessage], lambda m: m),
    ],
)
def test_messages_are_built_wherever_the_type_wants_them(
    runnable: Runnable[Any, Any], declared: Any, shape: Any, likes: Any
) -> None:
    assert InputSchema(runnable, declared).check(shape(likes)) == shape(HI)


def test_a_single_message_is_taken_where_one_is_wanted_and_for_a_list_of_one() -> None:
    assert InputSchema(CHAIN, Plain).check({"question": "q", "last": ["ai", "x"]}) == {
        "question": "q",
        "last": AIMessage("x"),
    }
    assert InputSchema(GRAPH).check({"messages": "hi"}) == {"messages": [HumanMessage("hi")]}
    assert InputSchema(MODEL).check("hi") == "hi"


def test_content_blocks_are_kept() -> None:
    blocks: list[Any] = [
        {"type": "text", "text": "a"},
        {"type": "image_url", "image_url": {"url": "u"}},
    ]
    [message] = InputSchema(MODEL).check([{"role": "system", "content": blocks}])
    assert message == SystemMessage(blocks)


PASSES: list[tuple[Runnable[Any, Any], Any]] = [
    (CHAIN, {"question": 5}),
    (CHAIN, {"question": "q", "more": 1}),
    (PROMPT | MODEL, {"question": None}),
    (ChatPromptTemplate.from_messages([("human", "{only}")]) | MODEL, "bare"),
    (PromptTemplate.from_template("{only}") | MODEL, 3),
    (GRAPH, {}),
    (GRAPH, {"docs": ["a"]}),
    (RunnableLambda(takes_anything), {"other": 1}),
    (RunnableLambda(takes_no_schema), {"x": 1}),
    (RunnableLambda(hidden_annotation), {"x": 1}),
    (Bare(), {"x": 1}),
    (BrokenSchema(), {"x": 1}),
    (RunnableLambda(takes_hidden), {"question": 1}),
    (RunnableLambda(lambda x: x["a"] if "a" in x else 1), {"b": 1}),  # noqa: SIM401
    (RunnablePassthrough(), [1]),
    (RunnablePassthrough.assign(a=lambda x: x), {"b": 1}),
    (RunnableParallel(a=RunnablePassthrough()) | PROMPT, {"anything": 1}),
]


@pytest.mark.parametrize(("runnable", "value"), PASSES)
def test_the_runnable_s_own_schema_is_not_enforced(
    runnable: Runnable[Any, Any], value: Any
) -> None:
    assert InputSchema(runnable).check(value) == value


REFUSED: list[tuple[Runnable[Any, Any], Any, Any, str]] = [
    (CHAIN, None, {}, "question: Field required"),
    (CHAIN, None, {"chat_history": []}, "question: Field required"),
    (CHAIN, None, "text", "input: "),
    (CHAIN, None, {"question": "q", "chat_history": [["human"]]}, "chat_history.0: expected a"),
    (CHAIN, None, {"question": "q", "chat_history": [{"a": 1}]}, "chat_history.0: expected a"),
    (CHAIN, None, {"question": "q", "chat_history": [["alien", "x"]]}, "chat_history.0: exp"),
    (
        CHAIN,
        None,
        {"question": "q", "chat_history": 0.5},
        "chat_history: Input should be a valid l",
    ),
    (MODEL, None, [{"role": "user"}], "0: expected a message"),
    (MODEL, None, [{"role": "tool", "content": "no id"}], "0: expected a message"),
    (MODEL, None, {"question": "q"}, "should be"),
    (RunnableLambda(takes_question), None, {"chat_history": []}, "question: Field required"),
    (RunnableLambda(takes_typed), None, {"count": "many"}, "count: Input should be a valid int"),
    (GRAPH, None, {"count": "many"}, "count: Input should be a valid integer"),
    (GRAPH, None, [1], "input: "),
    (CHAIN, Question, {}, "question: Field required"),
    (CHAIN, Question, {"question": 5}, "question: Input should be a valid string"),
    (CHAIN, Typed, {"count": 1, "history": 5}, "history: Input should be a valid list"),
    (CHAIN, Plain, {"question": "q", "last": {"role": "x"}}, "last: expected a message"),
    (CHAIN, Words, {"a": 1}, "input: Input should be a valid list"),
]


@pytest.mark.parametrize(("runnable", "declared", "value", "message"), REFUSED)
def test_invalid_input_is_refused_by_field(
    runnable: Runnable[Any, Any], declared: Any, value: Any, message: str
) -> None:
    with pytest.raises(InvalidInput) as raised:
        InputSchema(runnable, declared).check(value)
    assert message in raised.value.message
    assert raised.value.status == 422
    assert raised.value.fields


def test_values_are_not_repeated_in_an_error() -> None:
    with pytest.raises(InvalidInput) as raised:
        InputSchema(CHAIN, Question).check({"question": {"secret": 1}})
    assert "secret" not in raised.value.message


@pytest.mark.parametrize("declared", [Question, Plain])
def test_chains_get_a_dict_of_a_declared_class(declared: Any) -> None:
    checked = InputSchema(CHAIN, declared).check({"question": "q"})
    assert checked["question"] == "q"
    assert isinstance(checked, dict)


def test_a_runnable_that_takes_the_class_gets_an_instance() -> None:
    checked = InputSchema(RunnableLambda(takes_question), Question).check({"question": "q"})
    assert checked == Question(question="q")


def test_hints_that_cannot_be_resolved_are_ignored() -> None:
    assert coerced({"question": ["human", "x"]}, Hidden, "", Limits()) == {
        "question": ["human", "x"]
    }


def postponed(question: Question) -> str:
    return question.question


def test_a_postponed_annotation_is_recognized_by_its_name() -> None:
    checked = InputSchema(RunnableLambda(postponed), Question).check({"question": "q"})
    assert checked == Question(question="q")
    assert InputSchema(RunnableLambda(postponed)).check({"any": 1}) == {"any": 1}


def test_a_declared_type_converts() -> None:
    assert InputSchema(CHAIN, Typed).check({"count": "3"}) == {"count": 3}
    assert InputSchema(CHAIN, Words).check(["a"]) == ["a"]


def test_no_class_is_built_from_an_lc_object() -> None:
    forged = {"lc": 1, "type": "constructor", "id": ["os", "system"], "kwargs": {"a": 1}}
    assert InputSchema(RunnableLambda(takes_anything)).check(forged) == forged
    with pytest.raises(InvalidInput):
        InputSchema(MODEL).check([forged])


def test_configurable_values_are_converted_or_refused() -> None:
    class Warm(Scripted):
        temperature: float = 0

    warm = Warm(script=[]).configurable_fields(temperature=ConfigurableField(id="temperature"))
    schema = ConfigurableSchema(PROMPT | warm)
    assert schema.check({"temperature": "0.5", "thread_id": "7"}) == {
        "temperature": 0.5,
        "thread_id": "7",
    }
    with pytest.raises(InvalidInput, match="temperature: Input should be a valid number"):
        schema.check({"temperature": "hot"})


def test_a_list_reducer_is_seen_through_its_annotation() -> None:
    class Annotated_(TypedDict):
        messages: Annotated[list[AnyMessage], add_messages]

    graph = StateGraph(Annotated_).add_node("n", lambda s: {}).add_edge(START, "n").compile()
    assert InputSchema(graph).check({"messages": [["human", "hi"]]}) == {
        "messages": [HumanMessage("hi")]
    }


@pytest.mark.parametrize(
    "hint", [list, Sequence, list[Any], list[dict[str, Any]], list[Any] | None]
)
def test_a_reducer_of_messages_makes_a_list_one_of_messages(hint: Any) -> None:
    made: Any = TypedDict
    state = made("State", {"messages": Annotated[hint, add_messages], "n": int})
    graph = StateGraph(state).add_node("n", lambda s: {}).add_edge(START, "n").compile()
    schema = InputSchema(graph)
    assert schema.check({"messages": [["human", "hi"]]}) == {"messages": [HumanMessage("hi")]}
    with pytest.raises(InvalidInput, match=r"messages\.0: expected a message"):
        schema.check({"messages": [{"a": 1}]})
    for wrong in ({"messages": 5}, {"messages": [], "n": "x"}):
        with pytest.raises(InvalidInput, match="Input should be"):
            schema.check(wrong)
    with pytest.raises(InvalidInput, match="at most 1"):
        schema.check({"messages": ["a", "b"]}, Limits(messages=1))
    for described in (schema.json_schema(), schema_of(graph, "output"), schema_of_declared(state)):
        messages = with_plain_messages(described)["properties"]["messages"]
        assert messages == {"$ref": "#/$defs/LangChainMessages", "title": "Messages"}


def test_messages_are_made_where_a_type_cannot_be_hashed() -> None:
    declared = Annotated[list[AnyMessage], {"not": "hashable"}]
    schema = InputSchema(RunnableLambda(lambda x: x), declared)
    assert schema.check([["human", "hi"]]) == [HumanMessage("hi")]


class Item(BaseModel):
    a: int


class Items(TypedDict):
    xs: list[Item]


def test_too_many_errors_refuse_the_input() -> None:
    graph = StateGraph(Items)
    graph.add_node("n", lambda _: {})
    graph.add_edge(START, "n")
    schema = InputSchema(graph.compile())
    few: Any = {"xs": [{}] * 3}
    assert schema.check(few) == few
    with pytest.raises(InvalidInput, match="Field required"):
        schema.check({"xs": [{}] * 1_001})


def test_a_union_takes_a_list_one_message_or_text() -> None:
    schema = InputSchema(RunnableLambda(takes_anything), str | BaseMessage | Sequence[BaseMessage])
    assert schema.check([["human", "hi"]]) == [HumanMessage("hi")]
    assert schema.check({"role": "user", "content": "hi"}) == HumanMessage("hi")
    assert schema.check(["human", "hi"]) == HumanMessage("hi")
    assert schema.check("hi") == "hi"


def test_messages_are_made_in_nested_containers() -> None:
    for wanted in (dict[str, list[BaseMessage]], list[dict[str, Sequence[BaseMessage]]] | None):
        value: Any = {"a": [["human", "hi"]]}
        made: Any = {"a": [HumanMessage("hi")]}
        listed = wanted != dict[str, list[BaseMessage]]
        schema = InputSchema(RunnableLambda(takes_anything), wanted)
        assert schema.check([value] if listed else value) == ([made] if listed else made)


@pytest.mark.parametrize(
    "message",
    [
        AIMessageChunk(content="x", usage_metadata=USAGE),
        HumanMessageChunk(content="x"),
        SystemMessageChunk(content="x"),
        ToolMessageChunk(content="x", tool_call_id="c"),
        FunctionMessageChunk(content="x", name="f"),
        ChatMessageChunk(content="x", role="critic"),
        ChatMessage(content="x", role="critic"),
        FunctionMessage(content="x", name="f"),
        RemoveMessage(id="m"),
        AIMessage("x", invalid_tool_calls=[CALL], usage_metadata=USAGE),
    ],
)
def test_messages_round_trip_and_chunks_become_whole(message: BaseMessage) -> None:
    wanted = message_chunk_to_message(message) if isinstance(message, BaseMessageChunk) else message
    for sent in (message.model_dump(), messages_to_dict([message])[0], dumpd(message)):
        assert coerced([sent], Sequence[BaseMessage], "", Limits()) == [wanted]
    assert coerced(
        [AIMessageChunk(content="x").model_dump()], list[AIMessageChunk], "", Limits()
    ) == [AIMessageChunk(content="x")]


def test_an_invalid_tool_call_stays_invalid() -> None:
    invalid: Any = {"type": "invalid_tool_call", "name": "f", "args": None, "id": "c", "error": "x"}
    cut = {**invalid, "args": '{"a": 1'}  # which LangChain would complete
    lists: list[list[Any]] = [[invalid], [cut], [invalid, cut]]
    for calls in lists:
        chunk = AIMessageChunk(content="", invalid_tool_calls=calls)
        for sent in (chunk.model_dump(), messages_to_dict([chunk])[0], dumpd(chunk)):
            [made] = coerced([sent], list[BaseMessage], "", Limits())
            assert made == AIMessage("", invalid_tool_calls=calls)


def test_tool_call_chunks_become_a_call_if_there_is_no_other() -> None:
    piece = {"name": "f", "args": '{"a": 1}', "id": "c", "index": 0}
    sent = {"type": "AIMessageChunk", "content": "", "tool_call_chunks": [piece]}
    call: Any = {"type": "tool_call", "name": "f", "args": {"a": 1}, "id": "c"}
    assert coerced([sent], list[BaseMessage], "", Limits()) == [AIMessage("", tool_calls=[call])]


def test_a_chunk_serialized_by_javascript_is_a_whole_message() -> None:
    # What npm @langchain/langgraph-sdk has of a streamed message: ``toDict()`` of its chunk.
    sent = {
        "type": "ai",
        "content": "x",
        "additional_kwargs": {},
        "response_metadata": {},
        "tool_calls": [],
        "invalid_tool_calls": [],
        "tool_call_chunks": [],
        "id": "m",
    }
    assert coerced([sent], list[BaseMessage], "", Limits()) == [AIMessage("x", id="m")]


class Rated(AIMessage):
    rating: int


def test_a_message_of_a_user_s_class_keeps_its_extra_fields() -> None:
    sent = Rated(content="x", rating=3, invalid_tool_calls=[CALL], usage_metadata=USAGE)
    [made] = coerced([sent.model_dump()], list[BaseMessage], "", Limits())
    assert type(made) is AIMessage
    assert made.model_dump() == sent.model_dump()


def test_escaped_dicts_are_unescaped() -> None:
    block = {"type": "x", "lc": 1, "inner": [{"lc": 2}]}
    message = HumanMessage([block], additional_kwargs={"a": [{"lc": 3}]})
    assert coerced([dumpd(message)], list[BaseMessage], "", Limits()) == [message]


def test_limits_apply_to_objects_that_hold_messages() -> None:
    limits = Limits(messages=2)
    one = {"type": "human", "content": "hi"}
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    for more in ({}, {"x": 1}, {"type": "ChatPromptValue"}):
        schema = InputSchema(MODEL)
        assert schema.check({"messages": [one] * 2, **more}, limits) == [HumanMessage("hi")] * 2
        with pytest.raises(InvalidInput, match="messages"):
            schema.check({"messages": [one] * 3, **more}, limits)
    generation = {"message": {"type": "ai", "content": "x"}}
    for wanted, value in (
        (ChatResult, {"generations": [generation] * 3}),
        (LLMResult, {"generations": [[generation]] * 3}),
    ):
        made = coerced(value, wanted, "", Limits(messages=3))
        assert isinstance(made, wanted)
        with pytest.raises(InvalidInput, match="messages"):
            coerced(value, wanted, "", limits)
    shown = {"message": {"type": "ai", "content": [image] * 2}, "text": ""}
    with pytest.raises(InvalidInput, match="file"):
        coerced(shown, ChatGeneration, "", Limits(files=1))


def test_each_part_of_a_tuple_has_its_type() -> None:
    wanted = tuple[int, list[BaseMessage], Document]
    value: Any = [1, [["human", "hi"]], {"page_content": "x"}]
    made = coerced(value, wanted, "", Limits())
    assert made == [1, [HumanMessage("hi")], Document("x")]
    assert coerced([["human", "hi"]] * 2, tuple[BaseMessage, ...], "", Limits()) == [
        HumanMessage("hi"),
        HumanMessage("hi"),
    ]
    assert coerced([1], wanted, "", Limits()) == [1]
    documents = tuple[Document, ...]
    assert coerced([{"page_content": "x"}] * 2, documents, "", Limits()) == [Document("x")] * 2


def test_prompt_values_and_documents_are_built_where_a_type_names_them() -> None:
    messages = {"messages": [{"type": "human", "content": "hi"}]}
    assert InputSchema(MODEL).check(messages) == [HumanMessage("hi")]
    chat = ChatPromptValue(messages=[HumanMessage("hi")])
    assert coerced(messages, ChatPromptValue, "", Limits()) == chat
    assert coerced(messages, PromptValue, "", Limits()) == chat
    assert coerced("hi", StringPromptValue, "", Limits()) == StringPromptValue(text="hi")
    assert coerced({"text": "hi"}, PromptValue, "", Limits()) == StringPromptValue(text="hi")
    document = Document(page_content="p")
    assert coerced([document.model_dump()], list[Document], "", Limits()) == [document]


class Own(BaseModel):
    a: int

    def __init__(self, a: int) -> None:
        raise TypeError("own bug")


@pytest.mark.parametrize(
    "built",
    [
        Document("p", metadata={"a": 1}, id="d"),
        AgentAction("t", {"a": 1}, "l"),
        AgentActionMessageLog(tool="t", tool_input="i", log="", message_log=[AIMessage("x")]),
        AgentFinish({"o": 1}, "l"),
        Generation(text="x"),
        ChatGeneration(message=AIMessage("x")),
        StringPromptValue(text="x"),
        ChatPromptValue(messages=[SystemMessage("s"), ChatMessage(content="x", role="critic")]),
    ],
)
def test_constructor_objects_are_unwrapped(built: Any) -> None:
    listed = GenericAlias(list, type(built))
    assert InputSchema(RunnableLambda(takes_anything), type(built)).check(dumpd(built)) == built
    assert InputSchema(RunnableLambda(takes_anything), listed).check([dumpd(built)]) == [built]
    other = {"lc": 1, "type": "constructor", "id": ["x", "Other"], "kwargs": {"odd": 1}}
    with pytest.raises(InvalidInput):
        InputSchema(RunnableLambda(takes_anything), type(built)).check(other)


def test_the_class_with_most_of_the_fields_is_built() -> None:
    sent = {"text": "x", "message": {"type": "ai", "content": "x"}}
    made = ChatGeneration(message=AIMessage("x"))
    assert coerced(sent, Generation | ChatGeneration, "", Limits()) == made
    assert coerced({"generations": [[sent]]}, LLMResult, "", Limits()).generations == [[made]]


@pytest.mark.parametrize(
    ("wanted", "value", "field"),
    [
        (Document, {"metadata": {}}, "page_content"),
        (list[Document], [{"page_content": "x"}, {"self": 1}], "1.page_content"),
        (AgentAction | AgentFinish, {"tool": "t"}, "tool_input"),
        (AgentFinish | None, {"log": ""}, "return_values"),
        (Own | Document, {"b": 1}, "input"),
        (Own, {"b": 1}, "input"),
    ],
)
def test_a_missing_argument_is_named(wanted: Any, value: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        InputSchema(RunnableLambda(takes_anything), wanted).check(value)
    assert list(raised.value.fields) == [field]


def test_unknown_fields_are_not_passed_to_init() -> None:
    assert coerced({"page_content": "x", "self": 1}, Document, "", Limits()) == Document("x")


def test_an_exception_of_a_user_s_init_is_raised() -> None:
    with pytest.raises(TypeError, match="own bug"):
        InputSchema(RunnableLambda(takes_anything), Own).check({"a": 1})


def test_a_runnable_s_type_that_cannot_be_validated_is_ignored() -> None:
    def takes_either(value: Any) -> None: ...

    takes_either.__annotations__["value"] = Document | dict[str, int]
    schema = InputSchema(RunnableLambda(takes_either))
    assert schema.check({"a": 1}) == {"a": 1}
    assert schema.check({"page_content": "x"}) == Document("x")


def test_another_member_of_a_union_may_take_the_value() -> None:
    assert coerced({"a": 1}, dict[str, int] | BaseMessage, "", Limits()) == {"a": 1}
    assert coerced([1], list[int] | list[BaseMessage], "", Limits()) == [1]
    assert coerced({"role": "user", "content": "hi"}, list[BaseMessage], "", Limits()) == [
        HumanMessage("hi")
    ]


def test_openai_s_tool_calls_are_parsed() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    sent = {"type": "ai", "content": "", "tool_calls": [call]}
    [made] = coerced([sent], list[BaseMessage], "", Limits())
    assert [each["name"] for each in made.tool_calls] == ["f"]


@pytest.mark.parametrize("arguments", ["{", "", "[1]", "null", '{"a": 1'])
def test_invalid_arguments_of_openai_s_tool_calls_become_empty(arguments: str) -> None:
    calls = [
        {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}},
        {"id": "d", "type": "function", "function": {"name": "f", "arguments": '{"a": "\n"}'}},
        {"id": "e", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}},
        {"id": "g", "type": "tool_call", "name": "f", "args": {"a": 2}},
    ]
    wanted: list[Any] = [
        {"type": "tool_call", "name": "f", "args": args, "id": id_}
        for id_, args in (("c", {}), ("d", {"a": "\n"}), ("e", {"a": 1}), ("g", {"a": 2}))
    ]
    for who in ({"role": "assistant"}, {"type": "ai"}):
        sent = {**who, "content": "", "tool_calls": calls}
        assert coerced([sent], list[BaseMessage], "", Limits()) == [
            AIMessage("", tool_calls=wanted)
        ]
    for odd in ("x", ["x"], {"f": calls[0]}):
        with pytest.raises(InvalidInput, match="expected a message"):
            coerced([{**sent, "tool_calls": odd}], list[BaseMessage], "", Limits())


def test_javascript_s_objects_are_accepted() -> None:
    # As npm @langchain/core 0.3 and 1 send them: RemoteRunnable, ``toDict()``, ``JSON.stringify``.
    remote = {"content": "x", "type": "generic", "role": "critic", "additional_kwargs": {}}
    [made] = coerced([{**remote, "example": False}], list[BaseMessage], "", Limits())
    assert (type(made), made.role, made.content) == (ChatMessage, "critic", "x")
    dicts = {"type": "generic", "data": {"content": "x", "role": "critic"}}
    wanted = ChatMessage(content="x", role="critic")
    assert coerced([dicts], list[BaseMessage], "", Limits()) == [wanted]
    text = {"lc_serializable": True, "lc_kwargs": {"value": "x"}, "value": "x"}
    for sent in (text, {"lc": 1, "id": ["x", "StringPromptValue"], "kwargs": {"value": "x"}}):
        assert InputSchema(MODEL).check(sent) == StringPromptValue(text="x")
    assert coerced({"value": "x"}, PromptValue, "", Limits()) == {"value": "x"}
    document = {"pageContent": "x", "metadata": {"a": 1}}
    assert coerced([document], list[Document], "", Limits()) == [Document("x", metadata={"a": 1})]
    action = {"tool": "t", "toolInput": "i", "log": ""}
    assert coerced(action, AgentAction, "", Limits()) == AgentAction("t", "i", "")


def test_each_part_of_a_tuple_has_its_own_type() -> None:
    hi: Any = {"role": "user", "content": "hi"}
    schema = InputSchema(RunnableLambda(takes_anything), tuple[BaseMessage, str])
    assert schema.check([hi, "x"]) == (HumanMessage("hi"), "x")
    assert coerced([hi, "x"], tuple[BaseMessage, BaseMessage], "", Limits()) == [
        HumanMessage("hi"),
        HumanMessage("x"),
    ]
    assert coerced([[hi]], tuple[list[BaseMessage] | int, ...], "", Limits()) == [
        [HumanMessage("hi")]
    ]


def test_a_list_may_hold_more_than_messages() -> None:
    hi: Any = {"role": "user", "content": "hi"}
    made = HumanMessage("hi")
    blank = list[BaseMessage | None]
    assert coerced([hi, None], blank, "", Limits()) == [made, None]
    with pytest.raises(InvalidInput, match="1: expected a message"):
        coerced([hi, {"odd": 1}], blank, "", Limits())
    mixed = list[BaseMessage | int | Document]
    assert coerced([5, hi, {"page_content": "x"}], mixed, "", Limits()) == [5, made, Document("x")]
    likes = list[MessageLikeRepresentation]
    assert coerced([hi, "hi"], likes, "", Limits()) == [made, made]
    with pytest.raises(InvalidInput, match="0: expected a message"):
        coerced([{"odd": 1}], likes, "", Limits())
    for either in (list[BaseMessage] | list[str], list[str] | list[BaseMessage]):
        assert coerced(["a", "b"], either, "", Limits()) == ["a", "b"]
        assert coerced([hi], either, "", Limits()) == [made]


@pytest.mark.parametrize(
    ("wanted", "value", "message"),
    [
        (list[AIMessage], [["human", "hi"]], "0: expected a message of the class AIMessage"),
        (list[ToolMessage | None], [["ai", "hi"]], "of the class ToolMessage"),
        (HumanMessage | AIMessage, ["system", "x"], "of the class HumanMessage or AIMessage"),
        (AIMessageChunk, {"type": "ai", "content": "x"}, "of the class AIMessageChunk"),
        (AIMessage, "hi", "input: the fields do not match the input type"),
        (AIMessage | dict[str, int], 5, "input: the fields do not match the input type"),
        (ToolMessage | dict[str, int], {"a": "b"}, "input: the fields do not match the input type"),
    ],
)
def test_a_message_of_another_class_is_refused(wanted: Any, value: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        InputSchema(RunnableLambda(takes_anything), wanted).check(value)


def test_an_iterable_is_validated_as_a_list() -> None:
    hi: Any = {"role": "user", "content": "hi"}
    for kind in (Iterable, typing.Iterable, Collection):
        assert coerced([hi], kind[BaseMessage], "", Limits()) == [HumanMessage("hi")]
        assert coerced([{"page_content": "x"}], kind[Document], "", Limits()) == [Document("x")]
    wanted = Iterable[BaseMessage]
    for declared in (wanted, wanted | None, Annotated[wanted, "note"], str | Annotated[wanted, 1]):
        schema = InputSchema(RunnableLambda(takes_anything), declared)
        assert schema.check([hi]) == [HumanMessage("hi")]
        with pytest.raises(InvalidInput):
            schema.check([5])
    assert InputSchema(RunnableLambda(takes_anything), typing.Iterable).check([1]) == [1]


def test_a_recursive_type_is_examined_once() -> None:
    assert coerced([{"inner": [{}]}], list[Loop], "", Limits()) == [{"inner": [{}]}]


class Loop(BaseModel):
    inner: list[Loop] = []
