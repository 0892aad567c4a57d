"""The route table that a command works on."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from .._config.loader import find_file, read_table
from ..app import StreamApp
from ..errors import TableError

table_argument = click.argument("table", required=False, type=click.Path(path_type=Path))


def find_table(table: Path | None) -> Path:
    """Return the path of the table; by default the one in this folder.

    Modules beside the table can be imported afterwards.

    Raises:
        click.ClickException: There is no table, or it is a Python module.
    """
    if table is not None and (table.suffix == ".py" or ":" in table.name):
        module, _, attribute = table.name.partition(":")
        raise click.ClickException(
            f"{table}: expected a route table in TOML. The app of a Python module is run by an "
            f"ASGI server: `uvicorn {module.removesuffix('.py')}:{attribute or 'app'}`."
        )
    try:
        path = (table or find_file(Path.cwd())).resolve()
        if not path.is_file():
            raise FileNotFoundError(f"the file {table} does not exist")
    except FileNotFoundError as error:
        raise click.ClickException(f"{error}. `asgi-stream new FOLDER` creates one.") from None
    make_importable(path)
    return path


def load_table(path: Path) -> StreamApp:
    """Return the app of the table, or print all its problems and exit with code 2."""
    try:
        table = read_table(path)
        try:
            return StreamApp(table.routes, **table.app)
        except TableError as error:
            raise TableError(*(f"{path}: {problem}" for problem in error.problems)) from error
    except TableError as error:
        for problem in error.problems:
            click.secho(problem, fg="red", err=True)
        sys.exit(2)


def make_importable(path: Path) -> None:
    """Let modules in the current folder and in the table's be imported."""
    for folder in (str(Path.cwd()), str(path.parent)):
        if folder not in sys.path:
            sys.path.insert(0, folder)


def print_routes(app: StreamApp) -> None:
    """Print the endpoints of the app, one per line: method, path, format, Runnables."""
    lines = [
        (method, route.path.rstrip("/") + endpoint, route.format, ", ".join(route.runnables))
        for route in app.table
        for method, endpoint in route.endpoints
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    for method, path, format, names in lines:
        click.echo(f"{method:{widths[0]}}  {path:{widths[1]}}  {format:{widths[2]}}  {names}")


def print_urls(app: StreamApp, base: str, root_path: str, static: Path | None) -> None:
    """Print where a browser finds the playground, and a client each route.

    Args:
        app: The app of the table.
        base: The URL of the server, without a slash at its end.
        root_path: The path prefix that a reverse proxy strips.
        static: The folder whose files are served too.
    """
    urls = [(route.format, route.path.rstrip("/") or "/") for route in app.table]
    if app.serves({"type": "http", "method": "GET", "path": "/playground"}):
        urls.insert(0, ("playground", "/playground"))
    if static is not None and (static / "index.html").is_file():
        urls.insert(0, ("page", "/"))
    width = max(len(name) for name, _ in urls)
    for name, path in urls:
        behind = f"  (behind the proxy: {root_path.rstrip('/')}{path})" if root_path else ""
        click.echo(f"  {name:{width}}  {base}{path}{behind}", err=True)
