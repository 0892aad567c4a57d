"""The recipes with logins: each user has threads and runs of their own."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urljoin

import httpx
import jwt
import pytest

from ..asgi import post, tokens
from ..servers import Server, serving

pytestmark = pytest.mark.anyio

ASK = {"messages": [["human", "Hi?"]]}
THREAD = "/ai/agent/threads/mine"
KEY = "a key of at least thirty-two bytes"


@pytest.fixture(scope="module")
def jwt_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("jwt")
    with serving("examples.recipes.jwt_auth:app", folder, env={"JWT_KEY": KEY}) as server:
        yield server


@pytest.fixture(scope="module")
def session_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving("examples.recipes.session_auth:app", tmp_path_factory.mktemp("s")) as server:
        yield server


@contextmanager
def bearer(server: Server, name: str) -> Iterator[httpx.Client]:
    """A client with the token of a user."""
    login = {"name": name, "password": f"secret-of-{name}"}
    answer = httpx.post(f"{server.url}/token", json=login, timeout=30)
    headers = {"authorization": f"Bearer {answer.json()}"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=30) as client:
        yield client


@contextmanager
def logged_in(server: Server, name: str) -> Iterator[httpx.Client]:
    """A client with the cookie of a user."""
    with httpx.Client(base_url=server.url, timeout=30) as client:
        login = {"name": name, "password": f"secret-of-{name}"}
        assert client.post("/login", json=login).status_code == 200
        yield client


def check_users_are_apart(ann: httpx.Client, bob: httpx.Client) -> None:
    """Each has a thread of their own, and does not see what the other has."""
    answer = ann.post(THREAD, json=ASK)
    assert "".join(tokens(answer.content)) == "Hi? That was question number 1."
    run = urljoin(THREAD, answer.headers["content-location"])
    assert ann.get(run).status_code == 200
    assert bob.get(f"{THREAD}/messages").status_code == 404
    assert bob.get(run).status_code == 404
    assert bob.delete(run).status_code == 404
    assert bob.get("/ai/agent/threads").json() == {"threads": []}
    assert bob.delete(THREAD).status_code == 404
    answer = bob.post(THREAD, json=ASK)
    assert "".join(tokens(answer.content)) == "Hi? That was question number 1."
    assert [each["thread_id"] for each in ann.get("/ai/agent/threads").json()["threads"]] == [
        "mine"
    ]
    assert len(ann.get(f"{THREAD}/messages").json()["messages"]) == 2


def test_a_token_s_user_has_threads_of_their_own(jwt_server: Server) -> None:
    with bearer(jwt_server, "ann") as ann, bearer(jwt_server, "bob") as bob:
        check_users_are_apart(ann, bob)
        assert ann.get("/me").json() == "ann"


def token_of(**changes: Any) -> str:
    claims = {"sub": "ann", "aud": "my-chat", "iss": "my-login", "exp": 4_000_000_000}
    return jwt.encode({k: v for k, v in {**claims, **changes}.items() if v}, KEY, "HS256")


@pytest.mark.parametrize(
    "header",
    [
        None,
        "Basic YW5uOnNlY3JldA==",
        "Bearer nonsense",
        f"Bearer {token_of(exp=1_000_000_000)}",
        f"Bearer {token_of(exp=None)}",
        f"Bearer {token_of(aud='other')}",
        f"Bearer {token_of(iss='other')}",
        f"Bearer {jwt.encode({'sub': 'ann'}, '', 'none')}",
    ],
    ids=["none", "basic", "nonsense", "expired", "endless", "audience", "issuer", "unsigned"],
)
def test_a_request_without_a_valid_token_is_refused_as_by_fastapi(
    jwt_server: Server, header: str | None
) -> None:
    headers = {"authorization": header} if header else {}
    ours = httpx.post(f"{jwt_server.url}{THREAD}", json=ASK, headers=headers)
    theirs = httpx.get(f"{jwt_server.url}/me", headers=headers)
    assert ours.status_code == theirs.status_code == 401
    assert ours.headers["www-authenticate"] == theirs.headers["www-authenticate"]
    assert ours.json()["error"]["code"] == "refused"
    assert ours.json()["error"]["message"] == theirs.json()["detail"]


def test_a_valid_token_of_the_key_is_accepted(jwt_server: Server) -> None:
    headers = {"authorization": f"Bearer {token_of(sub='eve')}"}
    assert httpx.get(f"{jwt_server.url}/ai/agent/threads", headers=headers).status_code == 200


def test_a_session_s_user_has_threads_of_their_own(session_server: Server) -> None:
    with logged_in(session_server, "ann") as ann, logged_in(session_server, "bob") as bob:
        check_users_are_apart(ann, bob)


def test_only_a_session_with_a_user_is_accepted(session_server: Server) -> None:
    with logged_in(session_server, "bob") as bob:
        assert bob.get("/ai/agent/threads").status_code == 200
        assert bob.post("/logout").status_code == 204
        assert bob.get("/ai/agent/threads").status_code == 401
    forged = {"session": "eyJ1c2VyIjogImFubiJ9.aSi0ZA.nonsense"}
    answer = httpx.get(f"{session_server.url}/ai/agent/threads", cookies=forged)
    assert answer.json()["error"]["message"] == "Log in first."
    wrong = {"name": "ann", "password": "secret-of-bob"}
    assert httpx.post(f"{session_server.url}/login", json=wrong).status_code == 401


def test_a_form_of_another_site_starts_stops_and_logs_in_nothing(session_server: Server) -> None:
    text = {"content-type": "text/plain", "origin": "https://other.example"}
    body = b'{"name": "ann", "password": "secret-of-ann", "messages": [["human", "Hi?"]]}'
    with logged_in(session_server, "ann") as ann:
        for path in ("/login", THREAD):
            assert ann.post(path, content=body, headers=text).status_code == 415
        preflight = {
            "origin": "https://other.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": "content-type",
        }
        answer = ann.options(THREAD, headers=preflight)
        assert "access-control-allow-origin" not in answer.headers


async def test_the_cookie_is_kept_from_scripts_and_other_sites(
    session_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = {"name": "ann", "password": "secret-of-ann"}
    cookie = httpx.post(f"{session_server.url}/login", json=login).headers["set-cookie"]
    assert {"httponly", "samesite=lax"} <= {part.strip() for part in cookie.split(";")}
    monkeypatch.setenv("HTTPS", "1")
    recipe = runpy.run_module("examples.recipes.session_auth")
    cookie = (await post(recipe["app"], "/login", login)).headers["set-cookie"]
    assert cookie.startswith("__Host-session=")
    assert "secure" in {part.strip() for part in cookie.split(";")}
