"""The command ``asgi-stream``. Needs the extra ``serve``."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

import click
import uvicorn
from uvicorn.logging import DefaultFormatter
from uvicorn.supervisors import Multiprocess

from .._config.loader import find_file, read_table
from .._routing.hosts import LOOPBACK
from ..app import StreamApp
from ..client._connection import Asking, Reading
from ..errors import TableError
from .printer import Printing
from .renderers import format_of

TABLE = "ASGI_STREAM_TABLE"
"""Tells the workers which table they serve."""

HOSTS = "ASGI_STREAM_HOSTS"
"""Tells them for which hosts the playground is served, unless the table says so."""

HERE = Path(__file__).parent
SCHEMA = HERE.parent / "asgi_stream.schema.json"
PROJECT = HERE / "project"

GRACE_SECONDS = 8.0
"""How much longer than a run's own grace the server waits when it stops."""

PEER_SECONDS = 60
"""After how long without an answer a peer that has vanished is given up."""

table_argument = click.argument("table", required=False, type=click.Path(path_type=Path))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="asgi_stream")
def main() -> None:
    """Serve LangChain Runnables and LangGraph graphs from a table in TOML."""


@main.command()
@table_argument
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1), help="Processes.")
@click.option(
    "--reload",
    is_flag=True,
    help="Start anew when a file changes; for development. The playground is then served for"
    " loopback names and --host only, unless the table has allowed_hosts.",
)
@click.option("--root-path", default="", help="What a proxy in front takes off the path.")
@click.option(
    "--forwarded-allow-ips",
    default="127.0.0.1",
    show_default=True,
    help="Proxies whose X-Forwarded headers are believed, with commas.",
)
def serve(
    table: Path | None,
    host: str,
    port: int,
    workers: int,
    reload: bool,
    root_path: str,
    forwarded_allow_ips: str,
) -> None:
    """Serve TABLE (asgi_stream.toml, or pyproject.toml's [tool.asgi-stream]) on uvicorn.

    SIGTERM ends every stream with a last frame. SIGUSR1 begins no new run, and says so at /ready.
    """
    if reload and workers > 1:
        raise click.UsageError("--reload goes with one worker.")
    path = _found(table)
    app = _read(path)
    _prepare_supervisor(app, workers, reload)
    os.environ[TABLE] = str(path)
    os.environ[HOSTS] = " ".join((*LOOPBACK, host)) if reload else "*"
    grace = max(route.limits.grace for route in app.table)
    with _listen(host, port) as listening:
        host, port = listening.getsockname()[:2]
        shown_host = f"[{host}]" if ":" in host else host
        click.echo(f"Serving {path} at http://{shown_host}:{port}", err=True)
        uvicorn.run(
            "asgi_stream.cli.commands:served",
            factory=True,
            fd=listening.fileno(),
            workers=workers,
            reload=reload,
            reload_dirs=[str(path.parent)] if reload else None,
            reload_includes=["*.toml"] if reload else None,
            root_path=root_path,
            proxy_headers=True,
            forwarded_allow_ips=forwarded_allow_ips,
            timeout_graceful_shutdown=round(grace + GRACE_SECONDS),
        )


@main.command()
@table_argument
def check(table: Path | None) -> None:
    """Import all that TABLE names and tell everything that is wrong with it; 2 if anything is."""
    app = _read(_found(table))
    _print_routes(app)
    click.echo(f"{len(app.table)} routes, nothing wrong.", err=True)


@main.command()
@table_argument
@click.option("--json", "as_json", is_flag=True, help="The OpenAPI document instead.")
def routes(table: Path | None, as_json: bool) -> None:
    """List what TABLE serves."""
    app = _read(_found(table))
    if as_json:
        from ..openapi.document import document

        click.echo(json.dumps(document(app.table), indent=2))
    else:
        _print_routes(app)


@main.command()
def schema() -> None:
    """Print the JSON Schema of a table's file, for editors."""
    click.echo(SCHEMA.read_text("utf-8"), nl=False)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def new(folder: Path) -> None:
    """Write a small project that works into FOLDER."""
    files = {each.name.removesuffix(".txt"): each for each in sorted(PROJECT.glob("*.txt"))}
    there = [name for name in files if (folder / name).exists()]
    if there:
        raise click.ClickException(f"{folder / there[0]} is there already; nothing was written.")
    folder.mkdir(parents=True, exist_ok=True)
    for name, source in files.items():
        (folder / name).write_text(source.read_text("utf-8"), "utf-8")
        click.echo(f"wrote {folder / name}")
    inside = "" if folder == Path() else f"cd {folder} && "
    click.echo(f"\n{inside}asgi-stream serve\n")


@main.command()
@click.argument("url")
@click.option("--input", "given", default="{}", help="What to post, as JSON; - reads it.")
@click.option("-H", "--header", "headers", multiple=True, help="'Name: value', sent along.")
@click.option("-p", "--param", "params", multiple=True, help="key=value, for the query.")
@click.option("--format", "format", help="How to read the answer, if it does not say.")
@click.option("--raw", is_flag=True, help="Show the frames as they come.")
@click.option("--timeout", default=60.0, show_default=True, help="Seconds of silence to bear.")
def call(
    url: str,
    given: str,
    headers: Sequence[str],
    params: Sequence[str],
    format: str | None,
    raw: bool,
    timeout: float,
) -> None:
    """Post to URL and show the answer as it streams. Ctrl-C stops the run.

    What is posted is what the route's clients post; the answer's format is recognised. A connection
    that breaks is made again where the route is resumable. 1 if the run has failed.
    """
    asking = Asking(
        url=url,
        body=_json(sys.stdin.read() if given == "-" else given),
        headers=dict(_pair(each, ":", "--header") for each in headers),
        params=dict(_pair(each, "=", "--param") for each in params),
        timeout=timeout,
    )
    with Printing(url, raw) as printing:
        asyncio.run(_follow(Reading(asking, format), printing))


def served() -> StreamApp:
    """The app of the table that the environment names, for `serve`."""
    path = Path(os.environ[TABLE])
    _make_importable(path)
    found = read_table(path)
    hosts = os.environ.get(HOSTS, "*").split()
    app = StreamApp(found.routes, **{"allowed_hosts": hosts, **found.app})
    show_log()
    if hasattr(signal, "SIGUSR1"):  # pragma: no branch - Windows has none
        signal.signal(signal.SIGUSR1, lambda *_: app.drain())
    # With thousands of streams the collector pauses them all; what is here now stays for good.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)
    return app


def show_log() -> None:
    """Write the log of the runs to stderr, as uvicorn writes its own.

    The logging that the table's modules have set up goes before: with a handler that gets these
    records nothing is changed, and with one that is added to the root later this one falls silent.
    """
    log = logging.getLogger("asgi_stream")
    if log.hasHandlers():
        return
    handler = logging.StreamHandler()
    handler.setFormatter(DefaultFormatter("%(levelprefix)s %(message)s"))
    handler.addFilter(lambda record: not logging.getLogger().handlers)
    log.addHandler(handler)
    if log.level == logging.NOTSET:
        log.setLevel(logging.INFO)


def _prepare_supervisor(app: StreamApp, workers: int, reload: bool) -> None:
    here = [route.path for route in app.table if route.resume_policy and route.resume_policy.local]
    if workers > 1 and here:
        raise click.UsageError(
            f"--workers {workers}: the runs of {', '.join(here)} are kept in the memory of one"
            " worker, where the others do not find them; name a store, resume = { store ="
            ' "redis://..." }.'
        )
    if reload and hasattr(signal, "SIGUSR1"):  # pragma: no branch - Windows has none
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # it is for the child
    # By this name uvicorn's supervisor looks for what to do at SIGUSR1.
    Multiprocess.handle_usr1 = _pass_on  # type: ignore[attr-defined]


def _pass_on(supervisor: Multiprocess) -> None:
    for worker in supervisor.processes:
        os.kill(cast(int, worker.process.pid), signal.SIGUSR1)


def _found(table: Path | None) -> Path:
    try:
        path = (table or find_file(Path.cwd())).resolve()
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {table}")
    except FileNotFoundError as error:
        raise click.ClickException(f"{error}. `asgi-stream new FOLDER` writes one.") from None
    _make_importable(path)
    return path


def _read(path: Path) -> StreamApp:
    try:
        file = read_table(path)
        try:
            return StreamApp(file.routes, **file.app)
        except TableError as error:
            raise TableError(*(f"{path}: {problem}" for problem in error.problems)) from error
    except TableError as error:
        for problem in error.problems:
            click.secho(problem, fg="red", err=True)
        sys.exit(2)


def _make_importable(path: Path) -> None:
    for folder in (str(Path.cwd()), str(path.parent)):
        if folder not in sys.path:
            sys.path.insert(0, folder)


def _print_routes(app: StreamApp) -> None:
    lines = [
        (method, route.path.rstrip("/") + endpoint, route.format, ", ".join(route.runnables))
        for route in app.table
        for method, endpoint in route.endpoints
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    for method, path, format, names in lines:
        click.echo(f"{method:{widths[0]}}  {path:{widths[1]}}  {format:{widths[2]}}  {names}")


def _listen(host: str, port: int) -> socket.socket:
    """A socket whose connections notice a peer that has vanished."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # pragma: no branch - Linux has it
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, PEER_SECONDS * 1000)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, PEER_SECONDS // 2)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, PEER_SECONDS // 6)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror}") from None
    listening.set_inheritable(True)
    return listening


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"this is not JSON: {error}", param_hint="--input") from None


def _pair(text: str, between: str, option: str) -> tuple[str, str]:
    name, found, value = text.partition(between)
    if not found:
        raise click.BadParameter(f"expected name{between}value, not {text!r}", param_hint=option)
    return name.strip(), value.strip()


async def _follow(reading: Reading, printing: Printing) -> None:
    async with aclosing(reading.frames()) as frames:
        async for frame in frames:
            reading.format = reading.format or format_of(frame)
            printing.take(reading.format, frame)
    printing.end(f"run {reading.run_id}, {reading.format or 'unknown format'}")
