"""``asgi-stream migrate langserve``: what becomes of a file. A client calls it in frontends/."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from langchain_core.runnables import RunnableConfig, RunnableLambda
from starlette.exceptions import HTTPException

from asgi_stream import StreamApp, StreamRoute
from asgi_stream.cli.commands import main
from asgi_stream.cli.migrate.imports import FUNCTIONS
from asgi_stream.cli.migrate.options import OPTIONS
from asgi_stream.cli.migrate.rewrite import Rewritten, rewrite

from ..asgi import post

pytestmark = pytest.mark.anyio

APPS = Path(__file__).parent / "langserve_apps"
START = "from fastapi import APIRouter, FastAPI\nfrom langserve import add_routes, APIHandler\n"
APP = START + "app = FastAPI()\n"


def invoke(path: Path) -> Result:
    return CliRunner().invoke(main, ["migrate", "langserve", str(path)])


def rewritten(text: str) -> Rewritten:
    result = rewrite(text)
    ast.parse(result.text)
    return result


def notes(text: str) -> str:
    result = rewritten(text)
    return "\n".join(note for _, note in (*result.notes, *result.todo))


@pytest.mark.parametrize("name", [each.name for each in APPS.iterdir()])
def test_nothing_of_langserves_server_is_left(name: str) -> None:
    result = rewritten((APPS / name).read_text())
    assert result.count
    for word in ("add_routes", "APIHandler", "import CustomUserType"):
        assert word not in result.text


def test_the_command_prints_the_app_and_what_to_do() -> None:
    done = invoke(APPS / "routes.py.txt")
    assert done.exit_code == 1
    assert done.stdout == rewrite((APPS / "routes.py.txt").read_text()).text
    assert "routes.py.txt:71: TODO: dependencies: FastAPI's do not run" in done.stderr
    assert "routes.py.txt:60: astream_events_version: " in done.stderr
    assert "For every route: /stream_log" in done.stderr
    assert done.stderr.endswith("7 calls rewritten, 1 to do.\n")
    assert invoke(APPS / "factory.py.txt").exit_code == 1
    assert "1 call rewritten, 0 to do." in invoke(APPS / "handlers.py.txt").stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = (", "is not Python"),
        ("x = 1", "has no call of LangServe's"),
        (f"{APP}def configurable_keys(): ...\nadd_routes(app, c)", "configurable_keys is needed"),
    ],
)
def test_a_file_that_cannot_be_rewritten(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "app.py").write_text(text)
    done = invoke(tmp_path / "app.py")
    assert done.exit_code == 1
    assert message in done.stderr
    assert done.stdout == ""


def test_a_file_in_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "app.py"
    path.write_bytes(f"# coding: latin-1\n{APP}add_routes(app, c)  # caf\xe9\n".encode("latin-1"))
    assert "is not in UTF-8" in invoke(path).stderr
    path.write_text(f"{APP}add_routes(app, c)\n", "utf-8-sig")
    done = invoke(path)
    assert (done.exit_code, done.stdout[:4]) == (0, "from")


def test_a_file_with_an_expression_that_is_too_deep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parse(*_: Any) -> Any:
        raise RecursionError  # at a depth that is another one in each version of Python

    monkeypatch.setattr("ast.parse", parse)
    path = tmp_path / "app.py"
    path.write_text("x")
    done = invoke(path)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "has an expression that is too deep." in done.stderr


def test_a_file_that_begins_with_code_keeps_its_first_lines() -> None:
    text = rewritten(f"#!/usr/bin/env python\n# Mine.\nf()\n{APP}add_routes(app, c)\n").text
    assert text.startswith("#!/usr/bin/env python\n# Mine.\nfrom asgi_stream import")


def test_a_handler_in_a_decorator_is_something_to_do() -> None:
    text = "@wrap(APIHandler(c))\ndef f(): ...\nfrom langserve import APIHandler\n"
    assert rewritten(text).text.startswith("# TODO: this use of LangServe is left as it is")


def test_what_still_needs_langserve_is_a_note() -> None:
    text = f"from langserve.pydantic_v1 import BaseModel\n{APP}add_routes(app, c)\n"
    expected = "import: LangServe has to stay installed for this: from langserve.pydantic_v1 import"
    assert expected in notes(text)
    assert "import: " not in notes(f"import langserve, os\n{APP}add_routes(app, c)\n")


def test_a_modifier_that_may_read_what_it_no_longer_gets_is_something_to_do() -> None:
    call = "add_routes(app, c, config_keys=['tags', 'configurable'], per_req_config_modifier=f)"
    [(_, todo)] = rewritten(f"{APP}{call}\n").todo
    assert "per_req_config_modifier: it gets no tags of the client's" in todo


def test_comments_and_other_code_stay() -> None:
    result = rewritten(f"# Mine.\n{APP}add_routes(app, chain)  # first\nx = 1  # other")
    assert result.text.startswith("# Mine.\nfrom fastapi import APIRouter, FastAPI\n")
    assert "first" not in result.text
    assert "app = FastAPI()\nx = 1  # other\n\nstreams = StreamApp(" in result.text
    assert 'StreamRoute(\n            "/",\n            chain,\n' in result.text
    assert result.text.endswith("answers every path\n")


def test_the_table_is_before_the_app_is_run_or_returned() -> None:
    run = rewritten(f"{APP}add_routes(app, chain)\nimport uvicorn\nuvicorn.run(app)\n").text
    assert run.index("app.mount(") < run.index("uvicorn.run(app)")
    inner = "async def lifespan(x):\n    app = FastAPI()\n    add_routes(app, c)\n    yield app\n"
    text = rewritten(START + inner).text
    assert text.index("app.mount(") < text.index("yield app")


def test_tabs_and_odd_line_ends_stay() -> None:
    text = "def f():\n\tapp = FastAPI()\n\tadd_routes(app, c)\n\treturn app\n"
    assert "\tapp.mount(" in rewritten(START + text).text
    text = f"{APP}add_routes(app, c)\nx = 'a\u2028b'\n\fy = '\\x0c \x0c'\nz = 1\n"
    assert "\nx = 'a\u2028b'\n\fy = '\\x0c \x0c'\nz = 1\n" in rewritten(text).text


@pytest.mark.parametrize("empty", ["", "\n", "\n\n", "\n\n\n"])
def test_two_empty_lines_are_after_the_functions_that_are_added(empty: str) -> None:
    text = (
        f"import fastapi\nfrom langserve import add_routes\n{empty}X = 1\napp = fastapi.FastAPI()\n"
    )
    lines = rewritten(f"{text}add_routes(app, chain)\n").text.split("\nX = 1\n")[0]
    assert lines.endswith("config_specs]\n\n" + ("\n" if len(empty) > 2 else ""))


def test_a_route_that_needs_no_function_gets_an_import_only() -> None:
    text = rewritten(f"{APP}add_routes(app, chain, config_keys=[])\n").text
    assert "def " not in text
    assert "from asgi_stream import StreamApp, StreamRoute\napp = FastAPI()\n" in text


def test_a_file_of_which_nothing_can_be_rewritten(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(f"{APP}add_routes(app, chain, **options)\n")
    done = invoke(tmp_path / "app.py")
    assert done.exit_code == 1
    assert "For every route" not in done.stderr
    assert done.stderr.endswith("0 calls rewritten, 1 to do.\n")


def test_a_file_without_leading_imports() -> None:
    text = "def make():\n    from langserve import add_routes\n    app = FastAPI()\n"
    text = rewritten(f"{text}    add_routes(app, chain)\n").text
    assert text.startswith("from asgi_stream import StreamApp, StreamRoute\n")
    assert "    pass\n    app = FastAPI()" in text


def test_an_exception_that_the_file_has_imported_is_not_shadowed() -> None:
    call = "add_routes(app, chain, dependencies=[Depends(user)])"
    own = f"from fastapi import Depends, HTTPException\n{APP}{call}"
    assert "starlette" not in rewritten(own).text
    assert "from starlette.exceptions import HTTPException" in rewritten(f"{APP}{call}").text


def test_an_import_with_other_names_keeps_them() -> None:
    text = "import os, langserve\nfrom langserve import add_routes, RemoteRunnable as R\n"
    result = rewritten(f"{text}app = FastAPI()\nadd_routes(app, chain)\n")
    assert "import os\n" in result.text
    assert "from langserve import RemoteRunnable as R\n" in result.text
    kept = rewritten("import langserve as ls\nls.add_routes(app, ls.RemoteRunnable(url))\n").text
    assert "import langserve as ls\n" in kept


def test_routers_within_routers_have_the_whole_prefix() -> None:
    text = (
        "inner = APIRouter(prefix='/inner')\n"
        "outer: APIRouter = APIRouter(prefix=OUTER, dependencies=[Depends(user)])\n"
        "add_routes(inner, chain, path='/chat')\n"
        "outer.include_router(inner)\n"
        "app.include_router(outer, prefix='/v1', dependencies=[])\n"
    )
    result = rewritten(APP + text)
    assert "'/v1' + OUTER + '/inner' + '/chat'" in result.text
    assert "authorize=not_migrated" in result.text
    assert "[Depends(user)]" in result.todo[0][1]


@pytest.mark.parametrize(
    "text",
    [
        "add_routes(app, c, enabled_endpoints=['invoke'], dependencies=[Depends(user)])",
        "add_routes(app, c, dependencies=[Depends(user)], enabled_endpoints=['invoke'])",
        "r = APIRouter(dependencies=[Depends(user)])\napp.include_router(r, dependencies=[D])\n"
        "add_routes(r, c, enabled_endpoints=['invoke'])",
    ],
)
def test_endpoints_stay_refused_where_dependencies_have_to_be_migrated(text: str) -> None:
    result = rewritten(APP + text)
    expected = "authorize=only_endpoints(enabled=['invoke'], authorize=not_migrated)"
    assert expected in result.text
    assert all("the authorize= of only_endpoints" in note for _, note in result.todo)


async def test_an_endpoint_is_refused_before_the_caller_is() -> None:
    names: dict[str, Any] = {"HTTPException": HTTPException}
    exec(FUNCTIONS["only_endpoints"], names)

    async def authorize(request: Any) -> str:
        raise HTTPException(401)

    check = names["only_endpoints"](enabled=["invoke"], authorize=authorize)
    app = StreamApp([StreamRoute("/c", RunnableLambda(str), format="langserve", authorize=check)])
    assert (await post(app, "/c/batch", {"inputs": ["a"]})).status == 404
    assert (await post(app, "/c/invoke", {"input": "a"})).status == 401


async def test_a_key_that_a_modifier_takes_away_is_refused() -> None:
    names: dict[str, Any] = {"HTTPException": HTTPException}
    exec(FUNCTIONS["configured_by"], names)

    async def modifier(config: Any, request: Any) -> Any:
        keys = {key: value for key, value in config["configurable"].items() if key != "model"}
        return {"configurable": {**keys, "user": "ann"}}

    def show(text: str, config: RunnableConfig) -> str:
        return f"{text} {config['configurable']['user']}"

    for each in (modifier, lambda config, request: {"configurable": {"user": "ann"}}):
        route = StreamRoute(
            "/c",
            RunnableLambda(show),
            format="langserve",
            configurable=["model", "user"],
            configure=names["configured_by"](each),
        )
        app = StreamApp([route])
        body = {"input": "for", "config": {"configurable": {"model": "big"}}}
        refused = await post(app, "/c/invoke", body)
        assert (refused.status, "model" in str(refused.json())) == (422, True)
        assert (await post(app, "/c/invoke", {"input": "for"})).json()["output"] == "for ann"


def test_a_router_of_another_file_s_app_is_something_to_do() -> None:
    text = "router = APIRouter(prefix='/ai')\nadd_routes(router, chain, path='/chat')\n"
    result = rewritten(START + text)
    assert 'StreamRoute(\n            "/ai/chat"' in result.text
    assert "those of router, and of what includes it, cannot be read here" in result.todo[0][1]
    assert "router is an APIRouter: mount streams where the router is included" in result.todo[1][1]
    assert "authorize=not_migrated" in result.text
    assert ".mount(" not in result.text.replace("app.mount(prefix", "")
    itself = rewritten(f"{START}{text}router.include_router(router)\n")
    assert itself.todo
    loop = f"{START}r = APIRouter()\nfor x in y:\n    add_routes(r, x, path=x.path)\n"
    assert rewritten(loop).todo[1][0] == 5


def test_an_app_from_elsewhere_gets_a_mount_for_each_route() -> None:
    text = "def add(app):\n    add_routes(app, chain, path='/x', playground_type='default')\n"
    result = rewritten(APP + text)
    assert '    app.mount(\n        "/x",\n        StreamApp(' in result.text
    assert "            # playground=True,  #" in result.text
    with_dependencies = START + "app = FastAPI(dependencies=[Depends(user)])\n" + text
    assert "authorize=not_migrated" in rewritten(with_dependencies).text


@pytest.mark.parametrize(
    "text",
    [
        "if __name__ == '__main__':\n    app = FastAPI()\n    add_routes(app, c, path='/x')\n"
        "    uvicorn.run(app)",
        "app = FastAPI()\nif __name__ == '__main__':\n    add_routes(app, c, path='/x')\n"
        "    uvicorn.run(app)",
        "app = FastAPI()\nadd_routes(app, c, path='/x')\nserver = Server(Config(app))",
        "app = FastAPI()\nadd_routes(app, c, path='/x')\ntest(app)\n@app.get('/y')\ndef y(): ...",
        "app = FastAPI()\ndef main():\n    f(app)\nadd_routes(app, c, path='/x')\nmain()",
        "app = FastAPI()\nadd_routes(app, c, path='/x')\nrun(app)\n@app.get('/y')\ndef y(): ...",
        "app = FastAPI()\nadd_routes(app, c, path='/x')\napp.mount('/', StaticFiles())",
        "app = FastAPI()\nadd_routes(app, c, path='/x')\n@app.get(path='/{y:path}')\ndef y(): ...",
        "app = FastAPI()\ndef f():\n    add_routes(app, c, path='/x')",
    ],
)
def test_a_route_is_mounted_where_it_was_if_no_place_is_certain_to_be_the_last(text: str) -> None:
    result = rewritten(f"{START}{text}\n")
    assert "app.mount(\n" in result.text
    assert '    "/x",\n' in result.text
    assert "not_migrated" not in result.text
    assert 'order: this mount answers every path at and below "/x"' in result.todo[0][1]
    assert "# TODO: order: " in result.text


def test_a_router_of_such_an_app_has_a_table_to_mount() -> None:
    text = "r = APIRouter(prefix='/r')\nadd_routes(r, c, path='/x')\napp.include_router(r)\n"
    assert not rewritten(APP + text).todo
    result = rewritten(f"{APP}{text}app.mount('/', StaticFiles())\n")
    assert 'streams is not mounted: write app.mount("/", streams)' in result.todo[0][1]
    assert 'StreamRoute("/r/x", c, ' in result.text
    assert '\napp.mount("/", streams)' not in result.text


def test_a_handler_before_its_app_has_a_table_to_mount() -> None:
    text = (
        "handler = APIHandler(c)\napp = FastAPI()\n"
        "@app.post('/x/invoke')\nasync def f(request): return await handler.invoke(request)\n"
    )
    assert "\napp.mount(" in rewritten(START + text).text
    result = rewritten(f"{START}{text}app.mount('/', StaticFiles())\n")
    assert "streams is not mounted" in result.todo[0][1]


def test_other_routes_and_apps_do_not_change_the_order() -> None:
    text = (
        "add_routes(app, c)\n"
        "root.mount('/', app)\n"
        "app.mount('/files', StaticFiles())\n"
        "app.add_middleware(CORS)\n"
        "app.include_router(other, prefix='/other')\n"
        "@app.get('/y')\ndef y(): return app\n"
        "def make(): uvicorn.run(app)\n"
        "if __name__ == '__main__':\n    make()\n"
    )
    result = rewritten(APP + text)
    assert not result.todo
    assert result.text.index("def make()") < result.text.index('app.mount("/", streams)')


LOGIN = "FastAPI(dependencies=[Depends(login)])"


@pytest.mark.parametrize(
    "text",
    [
        "def add(app):\n    add_routes(app, c)\n",
        f"class A:\n    def __init__(self):\n        self.app = {LOGIN}\n"
        "        add_routes(self.app, c)\n",
        f"app = application = {LOGIN}\nadd_routes(app, c)\n",
        "app = FastAPI(**OPTIONS)\nadd_routes(app, c)\n",
        "app = make()\nadd_routes(app, c)\n",
        "from other import app\nadd_routes(app, c)\n",
        f"app = {LOGIN}\nadd_routes(app, c)\napp = CORSMiddleware(app)\n",
        f"app = FastAPI()\ndef f():\n    global app\n    app = {LOGIN}\nf()\nadd_routes(app, c)\n",
        f"app = FastAPI()\ndef f():\n    app = {LOGIN}\n    def g():\n        add_routes(app, c)\n",
        f"app = {LOGIN}\nadd_routes(app, c)\n",
        "r = APIRouter()\nadd_routes(r, c)\napp = FastAPI()\n"
        "def f():\n    app.include_router(r, dependencies=[Depends(login)])\n",
        "r = APIRouter()\nadd_routes(r, c)\napp = FastAPI()\napp.include_router(r, **OPTIONS)\n",
        "r = APIRouter()\nadd_routes(r, c)\nfrom other import app\napp.include_router(router=r)\n",
        "r = APIRouter()\ndef f():\n    add_routes(r, c)\n",
        "app = FastAPI()\nadd_routes(app, c)\napp.router.dependencies.append(Depends(login))\n",
        "app = FastAPI()\nr = APIRouter(route_class=A)\nadd_routes(r, c)\napp.include_router(r)\n",
    ],
)
def test_a_route_of_which_the_login_is_not_certain_refuses_every_request(text: str) -> None:
    result = rewritten(START + text)
    assert "authorize=not_migrated" in result.text
    assert any("TODO: dependencies: " in each for each in result.text.splitlines())
    assert "dependencies: " in result.todo[0][1]


def test_only_fastapi_s_own_classes_are_known() -> None:
    for name, line in {"own": "import FastAPI", "fastapi": "import FastAPI as A"}.items():
        made = f"app = {line.split()[-1]}()\nadd_routes(app, c)\n"
        result = rewritten(f"from {name} {line}\nfrom langserve import add_routes\n{made}")
        assert ("authorize=not_migrated" in result.text) is (name == "own")


def test_a_router_that_is_included_twice_is_something_to_do() -> None:
    text = f"{APP}r = APIRouter()\nadd_routes(r, c)\n"
    assert not rewritten(f"{text}app.include_router(r, prefix='/a')\n").todo
    twice = "app.include_router(r, prefix='/a')\napp.include_router(r, prefix='/b')\n"
    assert "mount streams where the router is included" in rewritten(text + twice).todo[1][1]


def test_routes_whose_names_change_are_appended_where_they_are() -> None:
    text = (
        "stream_routes = chain = 1\n"
        "add_routes(app, chain)\n"
        "chain = other\n"
        "try:\n    add_routes(app, chain, path='/other')\n"
        "except ValueError:\n    pass\n"
        "match x:\n    case 1:\n        add_routes(app, chain, path='/third')\n"
    )
    result = rewritten(APP + text)
    assert result.text.count("stream_routes_.append(") == 3
    assert result.text.count("stream_routes_: list[StreamRoute] = []") == 1
    assert "        *stream_routes_,\n" in result.text


@pytest.mark.parametrize("again", ["from b import c", "del c", "class c: ...", "c = other"])
def test_a_runnable_whose_name_changes_is_the_one_of_its_line(again: str) -> None:
    text = rewritten(f"{APP}from a import c\nadd_routes(app, c)\n{again}\n").text
    assert text.index("stream_routes.append(") < text.index(again)
    text = rewritten(f"{APP}add_routes(app, x.c)\nx.c = other\n").text
    assert text.index("stream_routes.append(") < text.index("x.c = other")


def test_an_expression_stays_where_it_is_and_has_a_new_name() -> None:
    text = (
        "def chat_v1_runnable(): ...\n"
        "add_routes(app, make(1), path='/chat-v1')\n"
        "add_routes(app, make(2), path='/chat_v1')\n"
        "add_routes(app, make(3), path='/4o²')\n"
        "change()\n"
    )
    result = rewritten(APP + text).text
    names = ("chat_v1_runnable_", "chat_v1_runnable__", "_4o_runnable")
    for number, name in enumerate(names, 1):
        assert result.index(f"{name} = make({number})\n") < result.index("change()")
        assert f"            {name},\n" in result


def test_a_class_or_function_of_the_same_name_is_an_assignment() -> None:
    text = "class chain: ...\nadd_routes(app, chain, config_keys=[])\ndef chain(): ...\n"
    expected = 'stream_routes.append(StreamRoute("/", chain, format="langserve"))\n'
    assert expected in rewritten(APP + text).text


UNREAD = [
    ("add_routes(app, chain, **options)\n", "what ** stands for cannot be read"),
    ("add_routes(*arguments)\n", "its positional arguments cannot be read"),
    ("add_routes(app)\n", "it has no 'runnable'"),
    ("register = add_routes\n", "it is not a statement of its own"),
    ("x = [\n  add_routes(app, each)\n  for each in y]\n", "it is not a statement of its own"),
    ("if x: add_routes(app, chain)\n", "other code is on the same line"),
    ("handler = APIHandler(**options)\n", "what ** stands for cannot be read"),
    ("handler = APIHandler(chain, path='/x')\n", "not all that calls it is an endpoint"),
    (
        "handler = APIHandler(chain, path='/x')\n"
        "@app.post('/x/invoke')\n"
        "async def f(request, user=Depends(user)): return await handler.invoke(request)\n",
        "not all that calls it is an endpoint",
    ),
    (
        "handler = APIHandler(chain, path='/x')\n"
        "@app.post('/x/invoke', dependencies=[Depends(user)])\n"
        "async def f(request): return await handler.invoke(request)\n",
        "not all that calls it is an endpoint",
    ),
    (
        "handler = APIHandler(chain, path='/x')\n"
        "@app.post('/x/call')\n"
        "async def f(request): return await handler.invoke(request)\n",
        "not all that calls it is an endpoint",
    ),
    (
        "handler = APIHandler(chain, path='/x')\n"
        "@app.post('/x/invoke')\n"
        "async def f(request): return await handler.invoke(request)\n"
        "@app.post('/y/stream')\n"
        "async def g(request): return await handler.stream(request)\n",
        "its endpoints do not have one path",
    ),
]


@pytest.mark.parametrize(("text", "why"), UNREAD)
def test_what_cannot_be_read_is_left_alone_and_reported(text: str, why: str) -> None:
    result = rewritten(APP + text)
    assert text.splitlines()[-1] in result.text
    assert "from langserve import add_routes, APIHandler\n" in result.text
    [(line, todo)] = result.todo
    assert line >= 4
    assert why in todo
    assert "# TODO: this use of LangServe is left as it is" in result.text


def test_what_can_be_read_is_rewritten_beside_what_cannot() -> None:
    result = rewritten(f"{APP}add_routes(app, chain)\nadd_routes(app, chain, **options)\n")
    assert (result.count, len(result.todo)) == (1, 1)
    assert "from langserve import add_routes, APIHandler\n" in result.text
    assert "from asgi_stream import StreamApp, StreamRoute\n" in result.text


def test_a_handler_s_endpoints_become_those_of_the_route() -> None:
    text = (
        "if True:\n"
        "    handler = APIHandler(runnable=chain, path='/x', prefix='/y')\n"
        "    @app.post('/x/stream_events')\n"
        "    async def f(request): return await handler.astream_events(request)\n"
        "if True:\n"
        "    @app.get('/x/input_schema')\n"
        "    def g(request): return handler.input_schema(request)\n"
    )
    result = rewritten(APP + text)
    assert "only_endpoints(enabled=['stream_events', 'input_schema'])" in result.text
    assert '"/x",' in result.text
    assert "def g" not in result.text


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_becomes_something(option: str) -> None:
    plain = rewritten(f"{APP}add_routes(app, chain)\n").text
    result = rewritten(f"{APP}add_routes(app, chain, {option}=VALUE)\n")
    assert result.text != plain
    assert f"{option}: " in notes(f"{APP}add_routes(app, chain, {option}=VALUE)\n") or (
        "VALUE" in result.text
    )


def test_the_options_are_those_of_langserve_0_3_3() -> None:
    assert {*OPTIONS} == {
        *("astream_events_version", "config_keys", "dependencies", "disabled_endpoints"),
        *("enable_feedback_endpoint", "enable_public_trace_link_endpoint", "enabled_endpoints"),
        *("include_callback_events", "input_type", "output_type", "path", "playground_type"),
        *("per_req_config_modifier", "serializer", "stream_log_name_allow_list"),
        "token_feedback_config",
    }


def test_defaults_that_are_spelled_out_add_nothing() -> None:
    plain = rewritten(f"{APP}add_routes(app, chain)\n")
    spelled = rewritten(
        f"{APP}add_routes(app, chain, input_type='auto', output_type='auto', dependencies=None,"
        " config_keys=('configurable',), enable_feedback_endpoint=False, path='',"
        " per_req_config_modifier=None, astream_events_version='v2')\n"
    )
    assert spelled.text == plain.text
    assert not spelled.notes
    assert "LangServe 0.3.3 has no such option" in notes(f"{APP}add_routes(app, c, tags=['x'])\n")


def test_endpoints_that_are_not_served_are_named() -> None:
    text = f"{APP}add_routes(app, chain, enabled_endpoints=['stream_log', 'config_hashes'])\n"
    assert "stream_log is not served" in notes(text)
    assert "config_hashes is not served" in notes(text)
    with_dependencies = "enabled_endpoints=['invoke'], dependencies=[Depends(user)]"
    text = rewritten(f"{APP}add_routes(app, chain, {with_dependencies})\n").text
    assert "authorize=not_migrated" in text
