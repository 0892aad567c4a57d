# uvicorn examples.19_page_tools:app
"""An agent that calls the tools of a page, which CopilotKit or ``HttpAgent`` runs in the browser.

The client sends the tools with each request, and the graph gets them in its state, in the field
``tools``. A call of one ends the run; the next request has the result. CopilotKit's middleware does
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
    """Binds the page's tools to the model, and ends the run when the model calls one."""

    state_schema = PageState

    async def awrap_model_call(
        self, request: ModelRequest, handler: Callable[[ModelRequest], Awaitable[Any]]
    ) -> Any:
        page_tools: Any = request.state.get("tools", [])
        return await handler(request.override(tools=[*request.tools, *page_tools]))

    @hook_config(can_jump_to=["end"])
    async def aafter_model(self, state: PageState, runtime: Any) -> dict[str, Any] | None:
        page_tools = {tool["name"] for tool in state.get("tools", [])}
        message: Any = state["messages"][-1]
        ends = any(call["name"] in page_tools for call in message.tool_calls)
        return {"jump_to": "end"} if ends else None


model = ScriptedModel(answer="The page says: {question}")
agent = create_agent(model, middleware=[PageTools()])

app = StreamApp([StreamRoute("/chat", agent, format="agui")])
