# uvicorn examples.recipes.sentry:app
"""Errors of runs in Sentry, with the ids that the client and the log have.

    export SENTRY_DSN=https://...  # without it nothing is sent
    curl -N localhost:8000/ai/agent -H 'x-user: ann' -H 'content-type: application/json' \\
        -d '{"messages": [["human", "What is the weather in Paris?"]]}'

The tool of the agent fails: search for the ``id`` of the answer with ``error_id:<id>`` in Sentry.
"""

import os

import sentry_sdk
from langchain.agents import create_agent
from langchain_core.tools import tool
from sentry_sdk.types import Event, Hint
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Mount

from asgi_stream import StreamApp, StreamError, StreamRoute

from ..scripted import ScriptedModel


def with_ids(event: Event, hint: Hint) -> Event | None:
    """Tag an event with what its log record has; its exception and traceback are there already."""
    values = event.get("exception", {}).get("values", ())
    if any(value.get("mechanism", {}).get("type") == "langchain" for value in values):
        # Sentry's own integration of LangChain has reported what a model or a tool has raised:
        # without an id, also if the run goes on with a retry, or if the client has left.
        return None
    record = hint.get("log_record")
    if record is not None and record.name == "asgi_stream" and hasattr(record, "error_id"):
        ids = {name: getattr(record, name) for name in ("error_id", "run_id", "code")}
        event["tags"] = {**event.get("tags", {}), **ids}
    return event


sentry_sdk.init(
    dsn=os.environ.get("SENTRY_DSN"),
    before_send=with_ids,
    traces_sample_rate=float(os.environ.get("SENTRY_TRACES", "0")),
    include_local_variables=False,  # they have the messages of your users
)


async def authorize(request: Request) -> str:
    """Return the user, and set what all events of the request have."""
    user = request.headers.get("x-user")  # examples/recipes/jwt_auth.py has a real check
    if user is None:
        raise StreamError("Who are you?", code="unauthorized", status=401)
    sentry_sdk.set_user({"id": user})
    # Sentry knows where the table is mounted only. An id in the path is no part of the name.
    path = request.scope["path"]
    for name, value in request.path_params.items():
        path = path.replace(value, f"{{{name}}}")
    sentry_sdk.get_current_scope().set_transaction_name(path, source="custom")
    return user


@tool
async def weather(city: str) -> str:
    """Return the weather in a city."""
    raise ConnectionError(f"The weather service does not know {city}.")


model = ScriptedModel()  # or ChatOpenAI(model="gpt-5-mini") of langchain-openai
agent = create_agent(model, tools=[weather])

streams = StreamApp(
    routes=[
        StreamRoute("/agent", agent),
        StreamRoute("/{bot}/chat", create_agent(model, tools=[])),
        StreamRoute(
            "/patient",
            agent,
            errors={ConnectionError: StreamError("Ask later.", code="unavailable", status=429)},
        ),
    ],
    authorize=authorize,
)
app = Starlette(routes=[Mount("/ai", streams)])
