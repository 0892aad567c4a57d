from __future__ import annotations

from typing import Any

import pytest
from starlette.types import Scope

from asgi_stream import Resume, StreamApp, StreamRoute
from asgi_stream._routing.table import Table
from asgi_stream.errors import MethodNotAllowed, NotFound
from asgi_stream.stores.redis import RedisStore

from ..frontends.bank import bank
from ..models import chain_of

CHAT = StreamRoute("/chat", chain_of("a"))
BOTH = StreamRoute("/both/", chain_of("b"), methods=("GET", "POST"))
BOT = StreamRoute("/bots/{name}/{n:int}", chain_of("c"))
ROOT = StreamRoute("/", chain_of("d"))
TABLE = Table([CHAT, BOTH, BOT, ROOT], {})


def scope(method: str, path: str, root_path: str = "") -> Scope:
    return {"type": "http", "method": method, "path": path, "root_path": root_path}


@pytest.mark.parametrize(
    ("path", "root_path", "route"),
    [
        ("/chat", "", CHAT),
        ("/chat/", "", CHAT),
        ("/both", "", BOTH),
        ("/", "", ROOT),
        ("", "", ROOT),
        ("/ai/chat", "/ai", CHAT),
        ("/ai", "/ai", ROOT),
        ("/ai/", "/ai/", ROOT),
        ("/chat", "/ai", CHAT),
        ("/a/b/chat/", "/a/b", CHAT),
    ],
)
def test_a_path_is_found_wherever_the_app_is_mounted(
    path: str, root_path: str, route: StreamRoute
) -> None:
    assert TABLE.find(scope("POST", path, root_path))[0].path == route.path


@pytest.mark.parametrize("path", ["/cha", "/chat/x", "/bots/a/x", "/aichat", "/chat\n"])
def test_other_paths_are_not_found(path: str) -> None:
    with pytest.raises(NotFound):
        TABLE.find(scope("POST", path, "/ai"))


def test_parameters_of_a_path_reach_the_request() -> None:
    request_scope: dict[str, Any] = {**scope("POST", "/bots/ada/7"), "path_params": {"outer": "x"}}
    assert TABLE.find(request_scope)[0].path == BOT.path
    assert request_scope["path_params"] == {"outer": "x", "name": "ada", "n": 7}


@pytest.mark.parametrize(
    ("raw", "path", "root_path", "name", "left"),
    [
        ("/bots/a%2Fb/7", "/bots/a/b/7", "", "a/b", "/bots/a%2Fb/7"),
        ("/bots/%2f/7/", "/bots///7/", "", "/", "/bots/%2F/7"),
        ("/ai/bots/a%2Fb/7", "/ai/bots/a/b/7", "/ai", "a/b", "/ai/bots/a%2Fb/7"),
        ("/ai/bots/a%2Fb/7", "/bots/a/b/7", "/ai", "a/b", "/bots/a%2Fb/7"),
        ("/bots/a%2Fb/7", "/bots/a/b/7/", "", "a/b", "/bots/a%2Fb/7"),  # Litestar
        ("/bots/%252F/7", "/bots/%2F/7", "", "%2F", "/bots/%2F/7"),
    ],
)
def test_a_slash_within_a_segment_is_no_separator(
    raw: str, path: str, root_path: str, name: str, left: str
) -> None:
    sent: dict[str, Any] = {**scope("POST", path, root_path), "raw_path": raw.encode()}
    assert TABLE.find(sent)[0].path == BOT.path
    assert sent["path_params"] == {"name": name, "n": 7}
    assert sent["path"] == left


def test_a_path_that_another_app_has_changed_is_taken_as_it_is() -> None:
    sent: dict[str, Any] = {**scope("POST", "/chat"), "raw_path": b"/other/a%2Fb"}
    assert TABLE.find(sent)[0].path == CHAT.path
    assert sent["path"] == "/chat"


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/chat", "OPTIONS, POST"),
        ("HEAD", "/chat", "OPTIONS, POST"),
        ("PUT", "/both", "GET, HEAD, OPTIONS, POST"),
        ("OPTIONS", "/chat", "OPTIONS, POST"),
    ],
)
def test_another_method_is_told_which_are_allowed(method: str, path: str, allow: str) -> None:
    with pytest.raises(MethodNotAllowed) as raised:
        TABLE.find(scope(method, path))
    assert raised.value.headers == {"Allow": allow}
    assert raised.value.message == f"This path does not allow {method}; allowed: {allow}."


def test_head_goes_where_get_goes() -> None:
    assert TABLE.find(scope("HEAD", "/both"))[0].path == BOTH.path


def test_apps_that_share_a_redis_have_keys_of_their_own() -> None:
    def keys(title: str | None, url: str) -> list[bytes]:
        resume = Resume(store=url)
        options: Any = {} if title is None else {"title": title}
        app = StreamApp(
            [
                StreamRoute("/a", chain_of("a"), resume=resume),
                StreamRoute("/b", chain_of("b"), resume=resume),
            ],
            **options,
        )
        [store] = app._table.stores  # one for both routes
        assert isinstance(store, RedisStore)
        return [store._keys.name("x")]

    assert keys(None, "redis://h/0") == [b"asgi_stream:name:x"]
    assert keys("shop", "redis://h/0") == [b"asgi_stream:shop:name:x"]
    assert keys("shop", "redis://h/0?prefix=mine&socket_timeout=3") == [b"mine:name:x"]
    assert keys("shop", "redis://h/0?prefix=") == [b"asgi_stream:shop:name:x"]


def test_a_route_in_two_apps_is_kept_by_each() -> None:
    route = StreamRoute("/a", chain_of("a"), resume=Resume(store="redis://h/0"))
    one, other = StreamApp([route], title="one"), StreamApp([route], title="other")
    assert one.table[0].resume_policy != other.table[0].resume_policy
    own = Resume(store=RedisStore("redis://h/0", prefix="own"))
    assert StreamApp([StreamRoute("/a", chain_of("a"), resume=own)]).table[0].resume_policy == own


def test_paths_that_begin_with_an_id_are_found_last() -> None:
    table = Table([StreamRoute("/", bank(), format="vercel", threads=True), CHAT], {})
    with pytest.raises(NotFound):
        table.find(scope("GET", "/any"))
    with pytest.raises(MethodNotAllowed):
        table.find(scope("GET", "/chat"))
    chat = scope("GET", "/any")
    assert table.find(chat, ids=True)[1] == "/{stored_thread}"
    assert chat["path_params"] == {"stored_thread": "any"}
