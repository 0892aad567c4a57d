"""No text that the package makes shows the password in a URL."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from asgi_stream import Resume, StreamApp, StreamRoute, TableError
from asgi_stream._config.loader import load_routes
from asgi_stream.cli import commands as cli
from asgi_stream.client import RemoteRunnable
from asgi_stream.errors.text import mask_passwords
from asgi_stream.stores import open_store
from asgi_stream.stores.redis import RedisStore

from ..asgi import get, post
from ..models import chain_of
from ..servers import free_port

pytestmark = pytest.mark.anyio

URL = "redis://user:secret@127.0.0.1:6379/0"

MASKED = [
    (URL, "redis://user:***@127.0.0.1:6379/0"),
    ("redis://:secret@h/0", "redis://:***@h/0"),
    ("unix://user:secret@/tmp/redis.sock?db=1", "unix://user:***@/tmp/redis.sock?db=1"),
    ("redis://h:1/0?password=secret&db=2", "redis://h:1/0?password=***&db=2"),
    ("not 'redis://h?username=u&password=secret'", "not 'redis://h?username=u&password=***'"),
    # What is not escaped, or mistyped.
    ("redis://user:se/cr?et#secr@et@h:1/0", "redis://user:***@h:1/0"),
    ("redis://user:sec ret@h", "redis://user:***@h"),
    ("redis://user:se'cret@h", "redis://user:***@h"),
    ("redis:/user:secret@h", "redis:/user:***@h"),
    ("redis:user:secret@h", "redis:user:***@h"),
    ("user:secret@h", "user:***@h"),
    # Nothing to hide.
    ("redis://user@h:6379/0", "redis://user@h:6379/0"),
    ("route '/x': limits.run must be a number, not 'x@y'",) * 2,
    ("https://example.com/@x: expected a path",) * 2,
]


@pytest.mark.parametrize(("text", "masked"), MASKED)
def test_a_password_is_masked_and_nothing_else(text: str, masked: str) -> None:
    assert mask_passwords(text) == masked


WRONG_URLS = [
    "rediss//user:secret@h",
    "redis:/user:secret@h",
    "user:secret@h",
    "redis://user:secret@h:no/0",
    "redis://user:secret/more@h:6379/0",
    "redis://user:secret[@h:6379/0",
    "redis://user:secret@h/0?db=x",
    "redis://h/0?db=x&password=secret",
]


@pytest.mark.parametrize("url", WRONG_URLS)
def test_an_error_about_a_store_s_url_masks_its_password(url: str, tmp_path: Path) -> None:
    file = tmp_path / "asgi_stream.toml"
    route = '[[route]]\npath="/x"\nrunnable="tests.config.test_loader:chain"\n'
    file.write_text(f'{route}resume={{store="{url}"}}')
    errors: list[pytest.ExceptionInfo[Exception]] = []
    with pytest.raises(ValueError, match=r"expected .*\*\*\*") as error:
        open_store(url)
    errors.append(error)
    with pytest.raises(TableError, match=r"resume\.store: .*\*\*\*") as error:
        StreamApp([StreamRoute("/x", chain_of("a"), resume=Resume(store=url))])
    errors.append(error)
    with pytest.raises(TableError) as error:
        load_routes(file)
    errors.append(error)
    for each in errors:
        assert "secret" not in str(each.getrepr(chain=True, style="native")).replace(repr(url), "")
        assert "secret" not in str(each.value) + repr(each.value)


@pytest.mark.parametrize(
    "option", [f'resume="{URL}"', f'resume={{stor="{URL}"}}', f'resume={{keep="{URL}"}}']
)
def test_an_error_about_a_mistake_in_a_file_masks_its_password(option: str, tmp_path: Path) -> None:
    file = tmp_path / "asgi_stream.toml"
    file.write_text(f'[[route]]\npath="/x"\nrunnable="tests.config.test_loader:chain"\n{option}')
    with pytest.raises(TableError) as error:
        load_routes(file)
    assert "secret" not in str(error.value)
    done = CliRunner().invoke(cli.main, ["check", str(file)])
    assert (done.exit_code, "secret" in done.output) == (2, False)


@pytest.mark.parametrize(
    "options",
    [{"resume": URL}, {"resume": Resume(keep=URL)}, {"methods": URL}, {"format": URL}],  # type: ignore[arg-type]
)
def test_an_error_about_another_option_masks_its_password(options: dict[str, Any]) -> None:
    with pytest.raises(TableError) as error:
        StreamApp([StreamRoute("/x", chain_of("a"), **options)])
    assert "secret" not in str(error.value)
    assert "secret" not in repr(StreamRoute("/x", chain_of("a"), **options))


def test_the_repr_of_a_route_and_of_what_it_holds_masks_the_password() -> None:
    masked = "redis://user:***@127.0.0.1:6379/0"
    resume = Resume(store=URL, keep=5)
    assert repr(resume).startswith(f"Resume(store={masked!r}, keep=5, on_disconnect='continue'")
    assert repr(resume.opened) == f"RedisStore({masked!r})"
    route = StreamRoute("/x", chain_of("a"), resume=resume)
    own_store = StreamRoute("/x", chain_of("a"), resume=Resume(store=RedisStore(URL)))
    for each in (route, own_store, [route], StreamApp([route]).table):
        assert masked in repr(each)
        assert "secret" not in repr(each)
    assert resume == Resume(store=URL, keep=5)


async def test_documents_and_commands_show_no_password(tmp_path: Path) -> None:
    app = StreamApp([StreamRoute("/x", chain_of("a"), resume=Resume(store=URL))], playground=True)
    for path in ("/openapi.json", "/playground/table.json"):
        answer = await get(app, path)
        assert (answer.status, b"secret" in answer.body) == (200, False)
    file = tmp_path / "asgi_stream.toml"
    file.write_text(
        f'[[route]]\npath="/x"\nrunnable="tests.config.test_loader:chain"\nresume={{store="{URL}"}}'
    )
    for command in (["check"], ["routes"], ["routes", "--json"]):
        done = CliRunner().invoke(cli.main, [*command, str(file)])
        assert (done.exit_code, "secret" in done.output) == (0, False)


@pytest.mark.parametrize("scheme", ["redis", "rediss", "unix"])
async def test_the_log_of_a_store_that_is_away_shows_no_password(
    scheme: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    address = "/no/such.sock" if scheme == "unix" else f"127.0.0.1:{free_port()}/0"
    url = f"{scheme}://user:secret@{address}"
    app = StreamApp([StreamRoute("/x", chain_of("a"), resume=Resume(store=url))])
    answer = await post(app, "/x", {"question": "Hi"})
    await app.aclose()
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (503, "store_unavailable")
    assert "the store does not respond" in caplog.text
    assert "secret" not in caplog.text + str(answer.body)


def test_a_remote_runnable_s_name_shows_no_password() -> None:
    assert RemoteRunnable("https://user:secret@h:1").get_name() == "user:***@h:1"
    assert RemoteRunnable("https://user:secret@h:1/chat").get_name() == "chat"


def test_the_command_that_cannot_connect_shows_no_password() -> None:
    url = f"http://user:secret@127.0.0.1:{free_port()}/chat"
    done = CliRunner().invoke(cli.main, ["call", url])
    assert done.exit_code == 1
    assert "http://user:***@127.0.0.1" in done.output
    assert "secret" not in done.output
