"""One table, mounted into every host that the documentation names, on a real server."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

from ..asgi import tokens
from ..clients import Connection, Notes, new_key, until
from ..servers import serving

pytestmark = pytest.mark.anyio

HOSTS = {
    "starlette": "/ai",
    "starlette_nested": "/outer/ai",
    "fastapi": "/ai",
    "litestar": "/ai",
    "django": "/ai",
    "quart": "/ai",
}


@pytest.mark.parametrize("host", HOSTS)
async def test_a_mounted_table_streams_and_a_drop_stops_the_run(host: str, tmp_path: Path) -> None:
    log, prefix = tmp_path / "notes", HOSTS[host]
    with serving(f"tests.hosts:{host}", tmp_path, env={"PROBE_LOG": str(log)}) as server:
        for path in (f"{prefix}/hello", f"{prefix}/hello/"):
            answer = httpx.post(f"{server.url}{path}", json={"question": "?"})
            assert (answer.status_code, answer.history) == (200, [])
            assert tokens(answer.content) == ["Hel", "lo"]
            answer = httpx.post(
                f"{server.url}{path.replace('hello', 'kept')}", json={"question": ""}
            )
            place = urljoin(str(answer.url), answer.headers["content-location"])
            assert httpx.get(place).content == answer.content
        assert httpx.get(f"{server.url}/page").text == "a page of the host"
        key = new_key()
        async with await Connection.post(server.port, f"{prefix}/words", key) as client:
            await client.read_until(b"data: ")
            client.leave()
            await until(lambda: Notes(log).of(key, "cancel"), 5)
        assert "Traceback" not in server.log()


@pytest.mark.parametrize(("app", "path"), [("fastapi", "/ai/hello"), ("streams", "/hello")])
def test_a_table_works_under_a_root_path(app: str, path: str, tmp_path: Path) -> None:
    env, options = {"PROBE_LOG": "unused"}, ("--root-path=/proxied",)
    with serving(f"tests.hosts:{app}", tmp_path, env=env, options=options) as server:
        answer = httpx.post(f"{server.url}{path}", json={"question": "?"})
        assert tokens(answer.content) == ["Hel", "lo"]
