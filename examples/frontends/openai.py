# uvicorn examples.frontends.openai:app
"""An OpenAI-compatible API with a chat model and an agent as its models.

python -m examples.frontends.openai_clients
"""

from typing import Any

from langchain_core.runnables import RunnableLambda

from asgi_stream import StreamApp, StreamError, StreamRoute

from ..agent import agent
from ..scripted import ScriptedModel
from .login import user_of


class TooManyQuestions(Exception):
    """What a provider's client raises when it is told to slow down."""


async def ask_busy_provider(_: Any) -> str:
    raise TooManyQuestions


# --8<-- [start:server]
models: dict[str, Any] = {
    "script": ScriptedModel(),  # a chat model alone gets the client's tools and response_format
    "agent": agent,  # runs its own tools, and hides their calls
    "forecast": ScriptedModel(answer='{{"city": "Paris", "degrees": 20}}'),
    "busy": RunnableLambda(ask_busy_provider),
}
slow_down = StreamError("Slow down.", code="rate_limited", status=429)

app = StreamApp(
    routes=[StreamRoute("/v1", models, format="openai", errors={TooManyQuestions: slow_down})],
    authorize=user_of,  # gets "Bearer <api_key>"
    resume=True,  # stores responses of the Responses API
)
# --8<-- [end:server]
