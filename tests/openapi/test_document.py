from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from langchain_core.runnables import RunnableLambda
from openapi_spec_validator import validate
from pydantic import BaseModel, create_model
from starlette.routing import Mount, Router

from asgi_stream import Limits, StreamApp, StreamError, StreamRoute
from asgi_stream.formats import FormatRequest, ThreadQuery
from asgi_stream.formats.tokens import TokensFormat
from asgi_stream.openapi import add_to_openapi, document

from ..asgi import call, get
from ..corpus import graph_of
from ..formats.langgraph_app import app_of as langgraph_app
from ..langchain.odd_types import saying
from ..models import Scripted, chain_of
from ..servers import serving
from ..threads.native_graphs import counts
from ..threads.native_graphs import graph_of as counting_of
from .test_schemas import Trip

pytestmark = pytest.mark.anyio

MODEL = Scripted(script=["Hel", "lo"])
TEAPOT = {ValueError: StreamError("x", status=418)}
TOKEN = {"type": "object", "required": ["token"], "properties": {"token": {"type": "string"}}}
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance"


class Gap(BaseModel):
    """Another definition of the same name."""


def counting() -> Any:
    return counting_of(counts)


def make(request: Any) -> Any:
    return chain_of("x")


def routes() -> list[StreamRoute]:
    return [
        StreamRoute("/chat", chain_of("Hel", "lo"), resume=True, configurable=("temperature",)),
        StreamRoute("/get/{id:int}", chain_of("a"), methods=("GET", "POST")),
        StreamRoute("/trip/{id:uuid}", lambda request: RunnableLambda(str), input=Trip),
        StreamRoute("/chunks", MODEL, format="chunks"),
        StreamRoute("/text", MODEL, format="text"),
        StreamRoute("/events", MODEL, format="events"),
        StreamRoute("/vercel", MODEL, format="vercel", resume=True),
        StreamRoute("/openai", {"fast": MODEL, "deep": MODEL}, format="openai"),
        StreamRoute("/agui", MODEL, format="agui"),
        StreamRoute("/langserve", MODEL, format="langserve"),
        StreamRoute("/mcp", {"fast": MODEL, "deep": MODEL}, format="mcp"),
        StreamRoute("/langgraph", graph_of(MODEL), format="langgraph", resume=True),
        *[
            StreamRoute(f"/threads-{name}", counting(), format=name, threads=True)
            for name in ("tokens", "chunks", "events", "text", "langserve", "agui", "mcp")
        ],
        *[
            StreamRoute(f"/threads-{name}", counting(), format=name, threads=True, resume=True)
            for name in ("vercel", "langgraph")
        ],
        StreamRoute("/asks", counting(), methods=("GET", "POST"), threads=True, resume=True),
        StreamRoute(
            "/own",
            MODEL,
            format="tests.formats.own:Lines",
            errors={ValueError: StreamError("x", status=418)},
        ),
    ]


app = StreamApp(routes(), title="All of it", limits=Limits(run=5))


async def test_the_document_is_valid_and_has_every_endpoint() -> None:
    response = await get(app, "/openapi.json", timeout=60)
    result = json.loads(response.body)
    validate(result)
    assert result["openapi"] == "3.1.1"
    assert result["info"]["title"] == "All of it"
    served = {
        (method, route.path + endpoint)
        for route in app.table
        for method, endpoint in route.endpoints
    }
    assert sum(len(each) for each in result["paths"].values()) == len(served)
    assert "/get/{id}" in result["paths"]
    parameters = result["paths"]["/get/{id}"]["get"]["parameters"]
    assert {
        "name": "id",
        "in": "path",
        "required": True,
        "schema": {"type": "integer"},
    } in parameters
    assert {each["name"] for each in parameters} == {"id", "input", "question"}
    assert result["paths"]["/trip/{id}"]["post"]["parameters"][0]["schema"]["format"] == "uuid"


async def test_it_describes_frames_documents_errors_and_headers() -> None:
    result = document(routes())
    chat = result["paths"]["/chat"]["post"]
    frames = chat["responses"]["200"]["content"]["text/event-stream"]["schema"]
    assert {
        "type": "object",
        "required": ["token"],
        "properties": {"token": {"type": "string"}},
    } in (frames["contentSchema"]["anyOf"])
    assert "application/json" in chat["responses"]["200"]["content"]
    assert set(chat["responses"]["200"]["headers"]) == {"X-Run-ID", "Content-Location"}
    assert [each["name"] for each in chat["parameters"]] == ["temperature", "Idempotency-Key"]
    assert "`timeout`" in chat["responses"]["504"]["description"]
    assert {"200", "204", "404", "410"} <= set(
        result["paths"]["/chat/runs/{run_id}"]["get"]["responses"]
    )
    assert "202" in result["paths"]["/chat/runs/{run_id}"]["delete"]["responses"]
    assert list(result["paths"]["/vercel"]["post"]["responses"]["500"]["content"]) == ["text/plain"]
    invoke = result["paths"]["/langserve/invoke"]["post"]
    assert list(invoke["responses"]["200"]["content"]) == ["application/json"]
    models = result["paths"]["/openai/models"]["get"]
    assert "headers" not in models["responses"]["200"]
    body = result["paths"]["/openai/chat/completions"]["post"]["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    assert schema["properties"]["model"] == {"enum": ["fast", "deep"]}
    mcp = result["paths"]["/mcp"]["post"]["responses"]
    assert mcp["202"] == {"description": "The notification is accepted."}
    own = result["paths"]["/own"]["post"]["responses"]
    assert own["418"]["description"] == "Error `run_failed`."
    assert own["200"]["content"] == {"application/x-ndjson": {"schema": {"type": "string"}}}
    events = result["paths"]["/events"]["post"]["parameters"]
    assert "include" in {each["name"] for each in events}


async def test_it_describes_stored_responses() -> None:
    route = StreamRoute("/v1", MODEL, format="openai", resume=True)
    result = document([route])
    stored = result["paths"]["/v1/responses/{run_id}"]
    content = stored["get"]["responses"]["200"]["content"]
    assert set(content) == {"text/event-stream", "application/json"}
    assert [each["name"] for each in stored["get"]["parameters"]] == [
        *("run_id", "stream", "starting_after"),
    ]
    assert stored["get"]["parameters"][0]["schema"] == {"type": "string"}
    cancel = result["paths"]["/v1/responses/{run_id}/cancel"]["post"]
    assert "requestBody" not in cancel
    for operation in (stored["get"], stored["delete"], cancel):
        assert "200" in operation["responses"]
        assert not {"202", "204"} & set(operation["responses"])


async def test_it_describes_the_endpoints_of_threads() -> None:
    result = document(routes())
    run = result["paths"]["/threads-tokens"]["post"]
    assert {each["name"] for each in run["parameters"]} == {"checkpoint_id", "thread_id"}
    assert set(run["responses"]["200"]["headers"]) == {"X-Run-ID", "X-Thread-ID"}
    assert "`not_pending`" in run["responses"]["409"]["description"]
    assert "`thread_busy`" in run["responses"]["409"]["description"]
    body = run["requestBody"]["content"]["application/json"]["schema"]
    assert body["anyOf"][1] == {"$ref": "#/components/schemas/Resume"}
    thread = result["paths"]["/threads-tokens/threads/{stored_thread}"]
    assert thread["post"]["requestBody"] == run["requestBody"]
    names = [each["name"] for each in thread["post"]["parameters"]]
    assert names == ["stored_thread", "checkpoint_id"]
    assert thread["get"]["summary"] == "A thread."
    assert "204" not in thread["get"]["responses"]
    assert {"204", "404"} <= set(thread["delete"]["responses"])
    assert "200" not in thread["delete"]["responses"]

    def answer_of(path: str, method: str = "get") -> Any:
        content = result["paths"][path][method]["responses"]["200"]["content"]
        return content["application/json"]["schema"]

    of_one = "/threads-tokens/threads/{stored_thread}"
    reference = {"$ref": "#/components/schemas/ThreadState"}
    assert answer_of(f"{of_one}/state") == reference
    history = answer_of(f"{of_one}/history")
    assert history["properties"] == {"states": {"type": "array", "items": reference}}
    parameters = result["paths"][f"{of_one}/history"]["get"]["parameters"]
    assert [each["name"] for each in parameters] == ["stored_thread", "limit", "before"]
    threads = result["paths"]["/threads-tokens/threads"]["get"]
    assert [each["name"] for each in threads["parameters"]] == ["limit", "offset"]
    assert list(threads["responses"]["200"]["headers"]) == ["X-Pagination-Next"]
    assert "post" not in result["paths"]["/threads-langserve/threads/{stored_thread}"]
    assert {each["name"] for each in result["paths"]["/asks"]["get"]["parameters"]} == {
        *("input", "thread_id", "checkpoint_id", "Last-Event-ID")
    }
    assert "thread_id" not in json.dumps(result["paths"]["/chunks"])


async def test_it_describes_the_runs_of_a_thread() -> None:
    runs = "/threads-langgraph/threads/{stored_thread}/runs"
    paths = document(routes())["paths"]

    def content_of(path: str, method: str) -> Any:
        return paths[path][method]["responses"]["200"].get("content")

    assert [*content_of(f"{runs}/stream", "post")] == ["text/event-stream"]
    assert [*content_of(runs, "post")] == ["application/json"]
    assert "requestBody" in paths[runs]["post"]
    for path, method in (
        (runs, "get"),
        (f"{runs}/{{run_id}}", "get"),
        (f"{runs}/{{run_id}}/join", "get"),
    ):
        assert [*content_of(path, method)] == ["application/json"]
        names = {each["name"] for each in paths[path][method]["parameters"]}
        assert "input" not in names
    assert [*content_of(f"{runs}/{{run_id}}/stream", "get")] == ["text/event-stream"]
    deleted = paths[f"{runs}/{{run_id}}"]["delete"]["responses"]
    assert (deleted["204"]["description"], "200" in deleted) == ("It is deleted.", False)
    assert "202" in paths[f"{runs}/{{run_id}}/cancel"]["post"]["responses"]
    assert "requestBody" not in paths[f"{runs}/{{run_id}}/cancel"]["post"]


class OwnThreads(TokensFormat):
    """Has threads in a form of its own."""

    threads = {  # noqa: RUF012  # as a format of one's own would write it
        ("POST", "/threads"): "create",
        ("PATCH", "/threads/{stored_thread}"): "change",
        ("GET", "/threads/{stored_thread}"): "show",
        ("POST", "/threads/{stored_thread}/state"): "update",
        ("POST", "/threads/count"): "count",
    }

    def thread_query(self, operation: str, request: FormatRequest) -> ThreadQuery:
        return ThreadQuery(metadata=request.body or {})

    def thread_document(self, operation: str, result: Any) -> object:
        return {"mine": str(result)}


async def test_it_describes_threads_of_another_format_by_their_operations() -> None:
    name = f"{__name__}:OwnThreads"
    result = document([StreamRoute("/x", counting(), format=name, threads=True)])
    validate(result)
    thread = result["paths"]["/x/threads/{stored_thread}"]
    assert thread["patch"]["summary"] == "Change a thread's metadata."
    assert thread["patch"]["requestBody"]["content"]["application/json"]["schema"] == {
        "type": "object"
    }
    assert thread["get"]["responses"]["200"]["content"]["application/json"]["schema"] == {}
    assert "parameters" not in result["paths"]["/x/threads/count"]["post"]


async def test_two_meanings_of_a_name_are_two_components() -> None:
    class Error(BaseModel):
        mine: int

    class FormatRequest(BaseModel):
        error: Error

    result = document([StreamRoute("/x", make, input=FormatRequest)])
    validate(result)
    schemas = result["components"]["schemas"]
    assert schemas["Error"]["properties"] == {"mine": {"title": "Mine", "type": "integer"}}
    assert "error" in schemas["Error2"]["properties"]
    schema = result["paths"]["/x"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert schema["properties"]["error"] == {"$ref": "#/components/schemas/Error"}


async def test_a_name_of_the_route_s_own_inside_its_input() -> None:
    class Run(BaseModel):
        name: str

    class Input(BaseModel):
        deep: int

    class FormatRequest(BaseModel):
        run: Run
        input: Input

    result = document([StreamRoute("/x", make, input=FormatRequest, resume=True)])
    validate(result)
    schema = result["paths"]["/x"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    schemas = result["components"]["schemas"]
    named = {key: each["$ref"].rpartition("/")[2] for key, each in schema["properties"].items()}
    assert list(schemas[named["run"]]["properties"]) == ["name"]
    assert list(schemas[named["input"]]["properties"]) == ["deep"]


async def test_definitions_that_differ_only_in_what_they_refer_to() -> None:
    def trip_of(kind: Any) -> Any:
        nested = create_model("Place", at=(kind, ...))
        return create_model("Trip", to=(nested, ...))

    result = document(
        [StreamRoute(f"/{kind.__name__}", make, input=list[trip_of(kind)]) for kind in (int, str)]  # type: ignore[misc]
    )
    validate(result)
    schemas = result["components"]["schemas"]
    for kind, name in ((int, "integer"), (str, "string")):
        body = result["paths"][f"/{kind.__name__}"]["post"]["requestBody"]
        trip = body["content"]["application/json"]["schema"]["items"]["$ref"].rpartition("/")[2]
        nested = schemas[trip]["properties"]["to"]["$ref"].rpartition("/")[2]
        assert schemas[nested]["properties"]["at"]["type"] == name


async def test_a_long_chain_of_definitions_is_complete() -> None:
    chain = {
        f"A{n}": {"type": "object", "properties": {"next": {"$ref": f"#/$defs/A{n + 1}"}}}
        for n in range(900)
    }
    runnable = saying("get_input_jsonschema", {"$ref": "#/$defs/A0", "$defs": chain})
    result = document([StreamRoute("/x", runnable)])
    assert {f"A{n}" for n in range(900)} <= set(result["components"]["schemas"])


@pytest.mark.parametrize("configurable", [(), ("input",)])
async def test_a_query_key_is_listed_once(configurable: tuple[str, ...]) -> None:
    model = create_model("FormatRequest", input=(int, 0), own=(int, 0))
    route = StreamRoute("/x", make, methods=("GET",), input=model, configurable=configurable)
    result = document([route])
    validate(result)
    parameters = result["paths"]["/x"]["get"]["parameters"]
    assert sorted(each["name"] for each in parameters) == ["input", "own"]
    [whole] = [each for each in parameters if each["name"] == "input"]
    assert ("content" in whole) is (not configurable)


async def test_paths_that_look_alike() -> None:
    routes = [
        StreamRoute("/bots/{name}", make),
        StreamRoute("/bots/name", make),
        StreamRoute("/x/{id:int}", make),
        StreamRoute("/x/{id}", make),
    ]
    result = document(routes)
    validate(result)
    ids = [each["post"]["operationId"] for each in result["paths"].values()]
    assert ids == ["post_bots_name", "post_bots_name_2", "post_x_id"]
    [number] = result["paths"]["/x/{id}"]["post"]["parameters"]
    assert number["schema"] == {"type": "integer"}


async def test_codes_that_share_a_status_are_listed_together() -> None:
    errors: Any = {
        ValueError: StreamError("Slow down.", code="rate_limited", status=429),
        KeyError: StreamError("x", code="one", status=418),
        OSError: StreamError("x", code="two", status=418),
    }
    result = document([StreamRoute("/x", make, errors=errors)])
    responses = result["paths"]["/x"]["post"]["responses"]
    assert "`rate_limited`, `too_many_runs`" in responses["429"]["description"]
    assert responses["418"]["description"] == "Error `one`, `two`."


async def test_it_can_be_turned_off_and_allows_only_get() -> None:
    quiet = StreamApp(routes(), openapi=False)
    assert (await get(quiet, "/openapi.json")).status == 404
    response = await call(app, "POST", "/openapi.json")
    assert (response.status, response.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert (await call(app, "OPTIONS", "/openapi.json")).status == 204


def test_fastapi_s_document_has_mounted_apps() -> None:
    fastapi = FastAPI()

    @fastapi.get("/own")
    def own() -> Gap:
        return Gap()

    fastapi.mount("/ai", app)
    fastapi.mount("/deep", Router(routes=[Mount("/er", app)]))
    add_to_openapi(fastapi)
    with TestClient(fastapi) as client:
        result = client.get("/openapi.json").json()
        assert client.get("/openapi.json").json() == result
    validate(result)
    assert {"/own", "/ai/chat", "/deep/er/chat"} <= set(result["paths"])
    assert {"Gap", "Gap2"} <= set(result["components"]["schemas"])
    assert "Error2" not in result["components"]["schemas"]


def test_schemathesis_finds_no_server_error(tmp_path: Path) -> None:
    with serving("tests.openapi.test_document:app", tmp_path) as server:
        result = httpx.get(f"{server.url}/openapi.json", timeout=60).json()
        done = subprocess.run(
            [
                *(
                    str(Path(sys.executable).with_name("schemathesis")),
                    "run",
                    f"{server.url}/openapi.json",
                ),
                *(
                    "--checks",
                    "not_a_server_error,status_code_conformance,content_type_conformance",
                ),
                *("--max-examples", "12", "--seed", "1", "--no-color", "--request-timeout", "60"),
                *("--phases", "examples,coverage,fuzzing"),
                # This stream stays open as long as its reader does.
                *("--exclude-path-regex", "/stream/events$"),
            ],
            capture_output=True,
            timeout=600,
            cwd=tmp_path,
        )
        out = done.stdout.decode()
        assert done.returncode == 0, out[-6000:]
        assert str(sum(len(each) for each in result["paths"].values())) in out
        assert "Traceback" not in server.log()


@pytest.mark.anyio
async def test_the_runs_of_a_thread_are_described() -> None:
    paths = (await get(langgraph_app(resume=True), "/openapi.json")).json()["paths"]
    runs = "/lg/threads/{stored_thread}/runs"
    run = {"$ref": "#/components/schemas/LangGraphRun"}

    def schema(path: str, method: str = "get") -> Any:
        return paths[path][method]["responses"]["200"]["content"]["application/json"]["schema"]

    assert schema(runs, "post") == schema(f"{runs}/{{run_id}}") == run
    assert schema(f"{runs}/{{run_id}}/join") == {}
    assert {"200", "202"}.isdisjoint(paths[f"{runs}/{{run_id}}"]["delete"]["responses"])
    body = paths[f"{runs}/stream"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert "command" in body["properties"]
