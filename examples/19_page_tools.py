# uvicorn examples.19_page_tools:app
"""An agent whose model calls the tools of the page, which CopilotKit or ``HttpAgent`` runs there.

The client sends them with each request, and they come in the field ``tools`` of the graph's state.
A call of one ends the run; its result comes with the next request. CopilotKit's own middleware does
the same with the field ``copilotkit``.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from langchain.agents import AgentState, create_agent
from langchain.agents.middleware import AgentMiddleware, ModelRequest, hook_config

from asgi_stream import StreamApp, StreamRoute

from .scripted import ScriptedModel


class PageState(AgentState[Any]):
    tools: list[dict[str, Any]]


class PageTools(AgentMiddleware[PageState]):
    """Gives the model the page's tools, and ends when it calls one."""

    state_schema = PageState

    async def awrap_model_call(
        self, request: ModelRequest, handler: Callable[[ModelRequest], Awaitable[Any]]
    ) -> Any:
        theirs: Any = request.state.get("tools", [])
        return await handler(request.override(tools=[*request.tools, *theirs]))

    @hook_config(can_jump_to=["end"])
    async def aafter_model(self, state: PageState, runtime: Any) -> dict[str, Any] | None:
        theirs = {tool["name"] for tool in state.get("tools", [])}
        called: Any = state["messages"][-1]
        ends = any(call["name"] in theirs for call in called.tool_calls)
        return {"jump_to": "end"} if ends else None


model = ScriptedModel(answer="The page says: {question}")
agent = create_agent(model, middleware=[PageTools()])

app = StreamApp([StreamRoute("/chat", agent, format="agui")])
