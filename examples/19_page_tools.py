# uvicorn examples.19_page_tools:app
"""An agent that calls the tools of a page, which CopilotKit or ``HttpAgent`` runs in the browser.

The client sends the tools with each request, and the graph gets them in its state, in the field
``tools``. A call of one ends the run; the next request has the result. CopilotKit's middleware does
the same with the field ``copilotkit``.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, NotRequired
from uuid import uuid4

from langchain.agents import AgentState, create_agent
from langchain.agents.middleware import AgentMiddleware, ModelRequest, hook_config
from langchain.agents.middleware.types import PrivateStateAttr
from langchain_core.messages import AIMessage, RemoveMessage, ToolMessage
from langgraph.graph.message import REMOVE_ALL_MESSAGES

from asgi_stream import StreamApp, StreamRoute

from .scripted import ScriptedModel


class PageState(AgentState[Any]):
    tools: list[dict[str, Any]]
    waiting: Annotated[NotRequired[AIMessage | None], PrivateStateAttr]
    run_id: Annotated[NotRequired[str | None], PrivateStateAttr]


class PageTools(AgentMiddleware[PageState]):
    """Binds the page's tools to the model, and ends the run when the model calls one.

    If the same message calls the agent's own tools, they run before that: it has only their calls
    until they have run. If they do in a later run, after an approval, it gets a new id then: pages
    look for their calls in the messages that are new to them.
    """

    state_schema = PageState

    async def awrap_model_call(
        self, request: ModelRequest, handler: Callable[[ModelRequest], Awaitable[Any]]
    ) -> Any:
        page_tools: Any = request.state.get("tools", [])
        return await handler(request.override(tools=[*request.tools, *page_tools]))

    @hook_config(can_jump_to=["end"])
    async def aafter_model(self, state: PageState, runtime: Any) -> dict[str, Any] | None:
        page_tools = {tool["name"] for tool in state.get("tools", [])}
        # Not always the last message: an approval adds results to the calls that are rejected.
        message = next(each for each in reversed(state["messages"]) if isinstance(each, AIMessage))
        own = [call for call in message.tool_calls if call["name"] not in page_tools]
        if len(own) == len(message.tool_calls):
            return {"waiting": None}
        if not own:
            return {"jump_to": "end"}
        return {"messages": [message.model_copy(update={"tool_calls": own})], "waiting": message}

    @hook_config(can_jump_to=["end"])
    async def abefore_model(self, state: PageState, runtime: Any) -> dict[str, Any] | None:
        message, messages = state.get("waiting"), state["messages"]
        run_id = runtime.execution_info.run_id
        if message is None or not isinstance(messages[-1], ToolMessage):
            return {"run_id": run_id}
        if run_id == state["run_id"]:
            return {"messages": [message], "waiting": None, "jump_to": "end"}
        new = message.model_copy(update={"id": str(uuid4())})
        messages = [new if each.id == message.id else each for each in messages]
        everything = [RemoveMessage(REMOVE_ALL_MESSAGES), *messages]
        return {"messages": everything, "waiting": None, "jump_to": "end"}


model = ScriptedModel(answer="The page says: {question}")
agent = create_agent(model, middleware=[PageTools()])

app = StreamApp([StreamRoute("/chat", agent, format="agui")])
