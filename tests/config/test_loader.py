from __future__ import annotations

import inspect
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from asgi_stream import EventFilter, Limits, Resume, StreamApp, StreamError, TableError
from asgi_stream._config.loader import find_file, load_routes, read_table
from asgi_stream._config.schema import TYPES, App, RouteDefaults
from asgi_stream.routes import OPTIONS
from asgi_stream.stores.memory import MemoryStore

from ..asgi import post, tokens
from ..bound import bound
from ..models import chain_of
from .table_reference import PAGE, page
from .table_schema import SHIPPED, schema

pytestmark = pytest.mark.anyio

chain = chain_of("Hel", "lo")
settings = {"tags": ["from-here"]}
store = MemoryStore()


class Question:
    question: str


def per_request(request: Any) -> Any:
    return {}


WHOLE = """
[app]
title = "Mine"
playground = true
client_js = true
health = false

[defaults]
debug = true
limits = { run = 60, concurrent = "none" }

[[route]]
path = "/chat"
runnable = "tests.config.test_loader:chain"

[[route]]
path = "/all/{name}"
runnable = "tests.config.test_loader:chain"
format = "tokens"
methods = ["GET", "POST"]
answer = ["a"]
config = { tags = ["web"], metadata = { env = "prod" } }
configure = "tests.config.test_loader:per_request"
configurable = ["temperature"]
authorize = "tests.config.test_loader:per_request"
debug = false

[route.filter]
include = ["on_chat_*"]
inputs = true

[route.limits]
first = 5
buffer = "none"

[route.resume]
store = "tests.config.test_loader:store"
keep = 10
on_disconnect = "cancel"

[route.errors."builtins:ValueError"]
message = "Not that."
code = "bad_value"
status = 418

[[route]]
path = "/models"
format = "openai"
runnable = { fast = "tests.config.test_loader:chain", deep = "tests.config.test_loader:chain" }
config = "tests.config.test_loader:settings"
conversation = "builtins:str"
astream_kwargs = { stream_mode = "values" }
"""


def written(folder: Path, text: str, name: str = "asgi_stream.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_all_that_a_route_takes_can_be_said(tmp_path: Path) -> None:
    file = read_table(written(tmp_path, WHOLE))
    assert file.app == {"title": "Mine", "playground": True, "client_js": True, "health": False}
    first, whole, models = file.routes
    assert first.debug
    assert first.limits == Limits(run=60, concurrent=None)
    assert first.runnable is chain
    assert whole.limits == Limits(first=5, buffer=None)
    assert not whole.debug
    assert bound(whole).methods == ("GET", "POST")
    assert whole.filter == EventFilter(include=["on_chat_*"], inputs=True)
    assert whole.config == {"tags": ["web"], "metadata": {"env": "prod"}}
    assert [whole.configure, whole.authorize] == [per_request] * 2
    assert isinstance(whole.resume, Resume)
    assert whole.resume.opened is store
    assert (whole.resume.keep, whole.resume.on_disconnect) == (10, "cancel")
    [(kind, replacement)] = whole.errors.items()
    assert kind is ValueError
    assert isinstance(replacement, StreamError)
    assert (replacement.message, replacement.code, replacement.status) == (
        "Not that.",
        "bad_value",
        418,
    )
    assert list(bound(models).runnables) == ["fast", "deep"]
    assert models.config is settings
    assert models.conversation is str
    assert models.astream_kwargs == {"stream_mode": "values"}


def test_a_resume_switch_and_a_class_for_the_input(tmp_path: Path) -> None:
    [route] = load_routes(
        written(
            tmp_path,
            '[[route]]\npath="/x"\nrunnable="tests.config.test_loader:chain"\nresume=true\n'
            'input="pydantic:BaseModel"',
        )
    )
    assert route.resume is True
    assert route.input.__name__ == "BaseModel"


async def test_an_app_of_a_file_serves_it(tmp_path: Path) -> None:
    app = StreamApp.from_toml(written(tmp_path, WHOLE), playground=False)
    assert tokens((await post(app, "/chat", {"question": "Hi?"})).body) == ["Hel", "lo"]


def test_a_table_in_pyproject_toml(tmp_path: Path) -> None:
    text = (
        '[project]\nname="x"\n[tool.asgi-stream.defaults]\ndebug=true\n'
        '[[tool.asgi-stream.route]]\npath="/x"\nrunnable="tests.config.test_loader:chain"\n'
    )
    [route] = load_routes(written(tmp_path, text, "pyproject.toml"))
    assert route.debug


def test_a_value_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        '[[route]]\npath="/x"\nrunnable="tests.config.test_loader:chain"\n'
        'config = { metadata = { keys = [{ from_env = "SECRET_KEY" }] } }\n'
    )
    monkeypatch.setenv("SECRET_KEY", "k3y")
    [route] = load_routes(written(tmp_path, text))
    assert route.config == {"metadata": {"keys": ["k3y"]}}
    monkeypatch.delenv("SECRET_KEY")
    with pytest.raises(TableError, match="variable 'SECRET_KEY' is not set") as raised:
        load_routes(tmp_path / "asgi_stream.toml")
    assert "route.1.config.metadata.keys.1" in str(raised.value)


def test_a_wrong_value_from_the_environment_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "k3y")
    text = '[defaults.limits]\nrun = { from_env = "SECRET_KEY" }\n[[route]]\npath="/x"\nrunnable=1'
    with pytest.raises(TableError) as raised:
        load_routes(written(tmp_path, text))
    assert "limits.run: expected a valid number, not (a value from the environment)" in str(
        raised.value
    )
    assert "k3y" not in str(raised.value)


ROUTE = '[[route]]\npath="/x"\nrunnable="tests.config.test_loader:chain"\n'
WRONG = [
    ("[[route]\n", "invalid TOML: Expected ']]' at the end of an array declaration (at line 1"),
    ("", "route: expected at least one [[route]] table"),
    ("[route]\npath='/x'", "route: expected [[route]] tables"),
    ("routes = 1", "routes: unknown key; did you mean route?"),
    (f"[app]\nplayground = 1\n{ROUTE}", "app.playground: expected a valid boolean, not 1"),
    (f"[app]\nauthorize = 'a:b'\n{ROUTE}", "authorize belongs in [[route]], or in [defaults]"),
    (f"[defaults]\nx = 1\n{ROUTE}", "defaults: x: unknown key; expected one of answer,"),
    (f"[defaults]\npath = '/x'\n{ROUTE}", "defaults: path: unknown key"),
    (f"{ROUTE}fomat='tokens'", "route '/x': fomat: unknown key; did you mean format?"),
    (f"{ROUTE}format='nope'", "route '/x': format: expected one of agui, chunks,"),
    (f"{ROUTE}limits={{run='x'}}", "route '/x': limits.run: expected a valid number, not 'x'"),
    (f"{ROUTE}limits={{runs=1}}", "limits.runs: unknown key; did you mean run?"),
    (f"{ROUTE}limits={{run=-1}}", "route '/x': limits.run must not be negative"),
    (f"{ROUTE}methods=['PUT']", "methods.0: expected 'GET' or 'POST', not 'PUT'"),
    (f"{ROUTE}resume={{keep='x'}}", "route '/x': resume.keep: expected a valid number, not 'x'"),
    (
        f"{ROUTE}resume={{kep=1}}",
        "resume.kep: unknown key; did you mean keep?",
    ),
    (f"{ROUTE}resume={{store='ftp://x'}}", 'resume.store: expected "memory" or a URL'),
    (f"{ROUTE}configure='json:no'", "configure: the module 'json' has no attribute 'no'"),
    (f"{ROUTE}input=1", 'input: expected a "module:attribute", not 1'),
    (f"{ROUTE}errors={{'builtins:Nope'={{message='x'}}}}", "has no attribute 'Nope'"),
    (
        f"{ROUTE}errors={{'builtins:ValueError'={{message='x',status=200}}}}",
        "errors.builtins:ValueError.status: expected greater than or equal to 400, not 200",
    ),
    (
        f"{ROUTE}errors={{'builtins:ValueError'={{}}}}",
        "errors.builtins:ValueError.message: this key is required",
    ),
    ("[[route]]\nrunnable='json:dumps'", "route 1: path: this key is required"),
    ("[[route]]\npath='/x'\nrunnable='no_such:x'", "cannot import the module 'no_such'"),
    ("[[route]]\npath='/x'\nrunnable='json:decoder'", "expected a Runnable, a function of"),
    (f"{ROUTE}{ROUTE}", "another route serves POST at '/x'"),
    ("route = 5", "route: expected [[route]] tables"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_what_is_wrong_is_told_with_the_file_and_the_key(
    tmp_path: Path, text: str, message: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(TableError) as raised:
        load_routes(path)
    assert message in str(raised.value)
    assert all(problem.startswith(f"{path}: ") for problem in raised.value.problems)


def test_every_mistake_is_told_not_just_the_first(tmp_path: Path) -> None:
    text = (
        "[app]\nsignal = true\n[defaults]\nx = 1\n"
        "[[route]]\npath='/a'\nrunnable='no:x'\nlimits={run='x', bdy=1}\n"
        "[[route]]\npath='/b'\nrunnable='tests.config.test_loader:chain'\nlimits={run=-1,body=0}\n"
    )
    with pytest.raises(TableError) as raised:
        load_routes(written(tmp_path, text))
    problems = [problem.partition("asgi_stream.toml: ")[2] for problem in raised.value.problems]
    assert [problem.rpartition(":")[0].split(" must")[0] for problem in problems] == [
        "app.signal",
        "defaults: x",
        "route '/a': runnable: cannot import the module 'no' (ModuleNotFoundError",
        "route '/a': limits.run",
        "route '/a': limits.bdy",
        "route '/b'",
        "route '/b'",
    ]


def test_a_slip_is_one_mistake(tmp_path: Path) -> None:
    for text in ('[route]\npath="/x"', "route = 5"):
        with pytest.raises(TableError) as raised:
            load_routes(written(tmp_path, text))
        assert len(raised.value.problems) == 1
    models = '[[route]]\npath="/v1"\nrunnable={a="tests.config.test_loader:chain"}\n'
    with pytest.raises(TableError) as raised:
        load_routes(written(tmp_path, f"[defaults]\nformat='openai'\ndebg=true\n{models}"))
    assert ["defaults: debg" in problem for problem in raised.value.problems] == [True]


def test_all_routes_that_are_there_twice_are_told(tmp_path: Path) -> None:
    text = ROUTE + ROUTE + ROUTE.replace("/x", "/y") * 2
    with pytest.raises(TableError) as raised:
        load_routes(written(tmp_path, text))
    assert ["'/x'" in raised.value.problems[0], "'/y'" in raised.value.problems[1]] == [True, True]


def test_how_a_file_s_text_is_written(tmp_path: Path) -> None:
    path = tmp_path / "asgi_stream.toml"
    path.write_bytes(b"\xef\xbb\xbf" + ROUTE.encode())  # as some editors begin it
    assert len(load_routes(path)) == 1
    path.write_bytes(b"# caf\xe9\n" + ROUTE.encode())
    with pytest.raises(TableError, match="invalid TOML: 'utf-8' codec"):
        load_routes(path)


@pytest.mark.parametrize("address", ["hunter2:pass", "redis://:hunter2/abc@host:6379/0", "ftp://x"])
def test_a_secret_address_is_not_shown_nor_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("STORE", address)
    with pytest.raises(TableError) as raised:
        load_routes(written(tmp_path, ROUTE + 'resume={store={from_env="STORE"}}'))
    assert str(raised.value).endswith(
        "route '/x': resume.store: expected the URL of a store, not (a value from the environment)"
    )
    monkeypatch.setenv("STORE", "redis://127.0.0.1:1/0")
    [route] = load_routes(tmp_path / "asgi_stream.toml")
    assert isinstance(route.resume, Resume)


@pytest.mark.parametrize("text", ["[project]", "tool = 3"])
def test_a_pyproject_without_a_table(tmp_path: Path, text: str) -> None:
    with pytest.raises(TableError, match=r"expected a table \[tool.asgi-stream\]"):
        load_routes(written(tmp_path, text, "pyproject.toml"))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_routes(tmp_path / "asgi_stream.toml")
    with pytest.raises(FileNotFoundError, match=r"no asgi_stream\.toml in"):
        find_file(tmp_path)


def test_where_a_table_is_looked_for(tmp_path: Path) -> None:
    other = written(tmp_path, "[project]", "pyproject.toml")
    with pytest.raises(FileNotFoundError):
        find_file(tmp_path)
    for text in ("[tool", "tool = 3"):
        other.write_text(text)
        with pytest.raises(FileNotFoundError):
            find_file(tmp_path)
    other.write_text("[tool]\nasgi-stream = {}")
    assert find_file(tmp_path) == other
    other.write_text("[tool.asgi-stream]")
    assert find_file(tmp_path) == other
    own = written(tmp_path, "")
    assert find_file(tmp_path) == own


def test_each_option_has_a_way_to_be_written() -> None:
    assert {option.toml for option in OPTIONS.values()} == set(TYPES)
    assert list(RouteDefaults.model_fields) == list(OPTIONS)


def test_each_option_of_the_app_has_one() -> None:
    named = inspect.signature(StreamApp).parameters.values()
    options = [each.name for each in named if each.kind is each.KEYWORD_ONLY]
    assert list(App.model_fields) == options


def test_the_schema_that_is_shipped_is_that_of_the_file() -> None:
    shipped = json.loads(SHIPPED.read_text())
    assert shipped == schema(), "run python -m tests.config.table_schema"
    assert page(shipped) == PAGE.read_text(), "run python -m tests.config.table_schema"
    Draft202012Validator.check_schema(shipped)
    validator = Draft202012Validator(shipped)
    validator.validate(tomllib.loads(WHOLE))
    tables = [*(SHIPPED.parent / "cli/project").rglob("asgi_stream.toml.txt")]
    assert tables
    for table in tables:
        validator.validate(tomllib.loads(table.read_text()))
    for text, message in WRONG[3:8]:
        assert list(validator.iter_errors(tomllib.loads(text))), message
    route = shipped["$defs"]["Route"]["properties"]
    assert all(each["description"] for each in route.values())
    secret = f"{ROUTE}resume={{store={{from_env='X'}}}}"
    validator.validate(tomllib.loads(secret))
