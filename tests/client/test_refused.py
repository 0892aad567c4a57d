"""The messages of error responses, whatever their form."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from asgi_stream import StreamError
from asgi_stream.cli import commands as cli
from asgi_stream.client._errors import BODY_BYTES, error_of, response_error
from asgi_stream.errors import InvalidInput, Refused, TooManyRuns

NGINX = """<html>
<head><title>502 Bad Gateway</title><style>a { color: red }</style></head>
<body><center><h1>502 Bad Gateway</h1></center>
<script>let a = "<b>";</script><hr><center>nginx</center></body>
</html>"""
BAD_GATEWAY = "The server answered 502 Bad Gateway"
PYDANTIC = {"loc": ["body", "question"], "msg": "Field required", "type": "missing"}


def refusal(status: int, body: str | bytes = "", **headers: str) -> Exception:
    request = httpx.Request("POST", "http://a")
    return response_error(httpx.Response(status, content=body, headers=headers, request=request))


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (502, NGINX, f"{BAD_GATEWAY}: nginx"),
        (502, "<p>Down for\n\n a &lt;while&gt;", f"{BAD_GATEWAY}: Down for a <while>"),
        (502, "", f"{BAD_GATEWAY}."),
        (502, " Bad Gateway\n", f"{BAD_GATEWAY}: Bad Gateway"),
        (
            502,
            "No.\r\nThe run failed. (error id e1)",
            f"{BAD_GATEWAY}: No. The run failed. (error id e1)",
        ),
        (502, "a\x1b[2J\u202eb", f"{BAD_GATEWAY}: a\\x1b[2J\\u202eb"),
        (599, "", "The server answered 599."),
        (502, '{"error": "not_found", "message": "No such agent."}', ": not_found: No such agent."),
        (502, '{"error": {"message": "No.", "code": null, "type": "x"}}', f"{BAD_GATEWAY}: No."),
        (502, '{"error": "invalid_token", "error_description": "Old."}', ": invalid_token: Old."),
        (
            502,
            '{"title": "Bad Gateway", "status": 502, "detail": "No host."}',
            f"{BAD_GATEWAY}: No host.",
        ),
        (502, '{"detail": "Not here."}', f"{BAD_GATEWAY}: Not here."),
        (
            422,
            json.dumps({"detail": [PYDANTIC, PYDANTIC]}),
            "Entity: body.question: Field required; ",
        ),
        (502, '{"errors": [{"message": "a"}, {"message": "b"}, 1]}', f"{BAD_GATEWAY}: a; b"),
        (502, '"No."', f"{BAD_GATEWAY}: No."),
        (502, '{"ok": false}', f'{BAD_GATEWAY}: {{"ok": false}}'),
        (502, "[" * 60_000, f"{BAD_GATEWAY}: [[["),
        (502, '{"error":' * 9 + '"deep"' + "}" * 9, f'{BAD_GATEWAY}: {{"error":'),
        (502, "null", f"{BAD_GATEWAY}: null"),
    ],
)
def test_a_refusal_has_the_server_s_words(status: int, body: str, message: str) -> None:
    error = refusal(status, body)
    assert isinstance(error, httpx.HTTPStatusError)
    assert message in str(error)
    assert len(str(error)) < 700
    assert "\n" not in str(error)


def test_a_redirect_says_where_to() -> None:
    error = refusal(307, location="https://ann:secret@b/login")
    assert str(error) == (
        "The server answered 307 Temporary Redirect, a redirect to https://ann:***@b/login."
    )
    assert str(refusal(304, location="/x")) == "The server answered 304 Not Modified."


@pytest.mark.parametrize(
    "document",
    [
        {"error": {"code": "invalid_request", "message": "No.", "id": "e1"}},
        {"code": "invalid_request", "detail": "No.", "id": "e1"},
        {"code": "invalid_request", "message": "No.", "detail": [], "id": "e1"},
    ],
)
def test_an_error_of_this_package_is_its_class(document: Any) -> None:
    error = refusal(422, json.dumps(document))
    assert isinstance(error, InvalidInput)
    assert (error.message, error.id) == ("No.", "e1")
    late = refusal(
        503, '{"error": {"code": "too_many_runs", "message": ""}}', **{"Retry-After": "5"}
    )
    assert isinstance(late, TooManyRuns)
    assert late.headers == {"Retry-After": "5"}


class Proxy(BaseHTTPRequestHandler):
    """Answers with a page that is longer than its client reads, or stops in the middle of one."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(502)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", "1000000000")
        self.end_headers()
        self.wfile.write(NGINX.encode())
        if self.path == "/stops":
            self.close_connection = True
            return
        try:
            while True:
                self.wfile.write(b" " * BODY_BYTES)
        except OSError:
            pass

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def proxy() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        thread = Thread(target=proxy.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{proxy.server_port}"
        proxy.shutdown()
        thread.join()


@pytest.mark.parametrize("path", ["/stops", "/for-ever"])
def test_the_command_shows_it_and_does_not_wait_for_all_of_it(proxy: str, path: str) -> None:
    began = time.monotonic()
    done = CliRunner().invoke(cli.main, ["call", proxy + path])
    assert done.exit_code == 1
    assert f"✗ {proxy}{path}: {BAD_GATEWAY}: nginx" in done.stderr
    assert time.monotonic() - began < 10


def test_a_stream_error_without_a_code_of_ours_is_a_stream_error() -> None:
    error = refusal(418, '{"error": {"code": "teapot", "message": "Tea?"}}')
    assert isinstance(error, StreamError)
    assert (error.code, error.status) == ("teapot", 418)


@pytest.mark.parametrize("status", [None, 401, 403])
def test_a_refusal_is_of_its_class_whatever_its_status(status: int | None) -> None:
    error = error_of({"code": "refused", "message": "Not you."}, status)
    assert type(error) is Refused
    assert error.status == (status or 403)
