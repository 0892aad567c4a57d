# uvicorn examples.recipes.open_webui:app --port 9000
"""An agent as a model in Open WebUI, with a small model beside it for titles and tags.

    docker run -p 3000:8080 --add-host=host.docker.internal:host-gateway \\
        -e OPENAI_API_BASE_URL=http://host.docker.internal:9000/v1 -e OPENAI_API_KEY=secret \\
        -e TASK_MODEL_EXTERNAL=small -e ENABLE_FORWARD_USER_INFO_HEADERS=true \\
        ghcr.io/open-webui/open-webui:main

For the container to reach it, start this with ``--host 0.0.0.0``.
"""

import os
import secrets
from typing import Any

from langchain.agents import create_agent
from langchain_core.runnables import Runnable
from langchain_core.tools import tool
from starlette.requests import Request

from asgi_stream import StreamApp, StreamError, StreamRoute

from ..scripted import ScriptedModel

KEY = os.environ.get("OPEN_WEBUI_KEY", "secret")


def user_of(request: Request) -> str | None:
    """Return the id of the user in Open WebUI, which only who has the key may name."""
    key = request.headers.get("authorization", "").removeprefix("Bearer ")
    if not secrets.compare_digest(key.encode(), KEY.encode()):
        raise StreamError("The API key is wrong.", code="invalid_api_key", status=401)
    return request.headers.get("x-openwebui-user-id")  # None if Open WebUI forwards no users


@tool
async def weather(city: str) -> str:
    """Return the weather in a city."""
    return f"It rains in {city}."


# Or ChatOpenAI(model="gpt-5-mini") of langchain-openai, and a cheaper one for "small".
agent = create_agent(ScriptedModel(answer="I have looked: {question}"), tools=[weather])
small = ScriptedModel(answer='{{"title": "Weather in Paris", "tags": ["Weather"]}}', seconds=0)

models: dict[str, Runnable[Any, Any]] = {"weather-agent": agent, "small": small}
app = StreamApp(routes=[StreamRoute("/v1", models, format="openai", authorize=user_of)])
