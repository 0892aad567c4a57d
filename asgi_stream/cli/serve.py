"""``asgi-stream serve``: uvicorn with the settings that streams need."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import cast

import click
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.logging import DefaultFormatter
from uvicorn.supervisors import Multiprocess

from .._config.loader import read_table
from .._routing.bound import BoundRoute
from .._routing.continuing_checks import has_local_saver
from .._routing.hosts import LOOPBACK
from ..app import StreamApp
from .table import find_table, load_table, make_importable, print_urls, table_argument

TABLE = "ASGI_STREAM_TABLE"
"""Environment variable with the path of the table, for the workers."""

HOSTS = "ASGI_STREAM_HOSTS"
"""Environment variable with the hosts of the playground, unless the table has ``allowed_hosts``."""

REACHABLE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Where a browser on this machine finds a server that listens on all addresses."""

STATIC = "ASGI_STREAM_STATIC"
"""Environment variable with the folder whose files are served, ``""`` if there is none."""

GRACE_SECONDS = 8.0
"""How much longer than a run's own grace the server waits when it stops."""

PEER_SECONDS = 60
"""How long a peer may leave sent bytes unacknowledged before its connection is dropped."""


@click.command()
@table_argument
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    default=8000,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="The port to listen on; 0 picks a free one.",
)
@click.option(
    "--workers",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="Number of worker processes.",
)
@click.option(
    "--reload",
    is_flag=True,
    help="Restart when a file changes; for development. The playground is then only served for"
    " loopback names and --host, unless the table sets allowed_hosts.",
)
@click.option(
    "--static",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A folder whose files are served at the paths that no route has.",
)
@click.option("--root-path", default="", help="The path prefix that a reverse proxy strips.")
@click.option(
    "--forwarded-allow-ips",
    default="127.0.0.1",
    show_default=True,
    help="Comma-separated addresses of the proxies whose X-Forwarded headers are trusted.",
)
def serve(
    table: Path | None,
    host: str,
    port: int,
    workers: int,
    reload: bool,
    static: Path | None,
    root_path: str,
    forwarded_allow_ips: str,
) -> None:
    """Serve TABLE (asgi_stream.toml, or pyproject.toml's [tool.asgi-stream]) with uvicorn.

    On SIGTERM every stream ends with a terminal frame. After SIGUSR1 no new run starts, and /health
    and /ready return 503.
    """
    if reload and workers > 1:
        raise click.UsageError("--reload requires a single worker.")
    table_app = load_table(path := find_table(table))
    _prepare_supervisor(table_app, workers, reload)
    os.environ.update({TABLE: str(path), STATIC: str(static.resolve()) if static else ""})
    os.environ[HOSTS] = " ".join((*LOOPBACK, host)) if reload else "*"
    with _listen(host, port) as listening:
        host, port = listening.getsockname()[:2]
        click.echo(f"Serving {path} on {_authority(host, port)}", err=True)
        print_urls(
            table_app, f"http://{_authority(REACHABLE.get(host, host), port)}", root_path, static
        )
        uvicorn.run(
            "asgi_stream.cli.serve:served",
            factory=True,
            fd=listening.fileno(),
            workers=workers,
            reload=reload,
            reload_dirs=[str(path.parent)] if reload else None,
            reload_includes=["*.toml"] if reload else None,
            root_path=root_path,
            proxy_headers=True,
            forwarded_allow_ips=forwarded_allow_ips,
            timeout_graceful_shutdown=_stop_seconds(table_app),
        )


def served() -> ASGIApp:
    """Return the app of the table that the environment names; uvicorn calls this in each worker."""
    path = Path(os.environ[TABLE])
    make_importable(path)
    table = read_table(path)
    hosts = os.environ.get(HOSTS, "*").split()
    app = StreamApp(table.routes, **{"allowed_hosts": hosts, **table.app})
    show_log()
    if hasattr(signal, "SIGUSR1"):  # pragma: no branch - Windows has none
        signal.signal(signal.SIGUSR1, lambda *_: app.drain())
    # With thousands of streams a collection pauses them all; objects that exist now are permanent.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)
    static = os.environ.get(STATIC)
    return with_files(app, Path(static)) if static else app


def with_files(app: StreamApp, folder: Path) -> ASGIApp:
    """Return `app` with the files of a folder at the paths that it does not serve."""
    files = Starlette(routes=[Mount("/", StaticFiles(directory=folder, html=True))])

    async def both(scope: Scope, receive: Receive, send: Send) -> None:
        reads = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        await (files if reads and not app.serves(scope) else app)(scope, receive, send)

    return both


def show_log() -> None:
    """Write the package's log to stderr, in uvicorn's format.

    Logging that the table's modules configure has precedence: if a handler gets these records
    already, nothing is changed; if one is added to the root later, this one falls silent.
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


def _stop_seconds(app: StreamApp) -> int:
    return round(max(route.limits.grace for route in app.table) + GRACE_SECONDS)


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _prepare_supervisor(app: StreamApp, workers: int, reload: bool) -> None:
    if workers > 1 and (problems := "; ".join(_local_problems(app.table))):
        raise click.UsageError(f"--workers {workers}: {problems}.")
    if reload and hasattr(signal, "SIGUSR1"):  # pragma: no branch - Windows has none
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # it is for the child
    # The name under which uvicorn's supervisor looks for a handler of SIGUSR1.
    Multiprocess.handle_usr1 = _pass_on  # type: ignore[attr-defined]


def _local_problems(table: Iterable[BoundRoute]) -> Iterator[str]:
    """Yield what is in the memory of one worker though requests to all workers need it."""
    runs, threads, states = list[str](), list[str](), list[str]()
    for route in table:
        if route.resume_policy and route.resume_policy.local:
            runs.append(route.path)
        if route.thread_policy and route.thread_policy.local:
            threads.append(route.path)
        if route.thread_policy and any(map(has_local_saver, route.runnables.values())):
            states.append(route.path)
    where = "are stored in the memory of one worker, where the others cannot find them"
    if runs:
        store = 'resume = { store = "redis://..." }'
        yield f"the runs of {', '.join(runs)} {where}; set a shared store, {store}"
    if threads:
        store = 'threads = { store = "redis://..." }'
        yield f"the owners and claims of the threads of {', '.join(threads)} {where}; set {store}"
    if states:
        yield (
            f"the threads of {', '.join(states)} {where}; give the graph a checkpointer that all"
            " workers share, such as AsyncPostgresSaver"
        )


def _pass_on(supervisor: Multiprocess) -> None:
    for worker in supervisor.processes:
        os.kill(cast(int, worker.process.pid), signal.SIGUSR1)


def _listen(host: str, port: int) -> socket.socket:
    """Return a socket whose connections notice a peer that has vanished."""
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
