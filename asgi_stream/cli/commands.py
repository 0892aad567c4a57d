"""The command ``asgi-stream``. Needs the extra ``serve``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from .call import call
from .migrate.command import migrate
from .new import new
from .serve import serve
from .table import find_table, load_table, print_routes, table_argument
from .versions import print_versions

HERE = Path(__file__).parent
SCHEMA = HERE.parent / "asgi_stream.schema.json"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=print_versions,
    help="Show the versions of asgi_stream, Python and the main dependencies, and exit.",
)
def main() -> None:
    """Serve LangChain Runnables and LangGraph graphs from a route table in TOML."""


main.add_command(serve)
main.add_command(call)
main.add_command(migrate)
main.add_command(new)


@main.command()
@table_argument
def check(table: Path | None) -> None:
    """Import everything that TABLE names and report all problems; exit with 2 if there are any."""
    app = load_table(find_table(table))
    print_routes(app)
    count = len(app.table)
    click.echo(f"{count} {'route' if count == 1 else 'routes'}, no problems.", err=True)


@main.command()
@table_argument
@click.option("--json", "as_json", is_flag=True, help="Print the OpenAPI document instead.")
def routes(table: Path | None, as_json: bool) -> None:
    """List the endpoints of TABLE."""
    app = load_table(find_table(table))
    if as_json:
        from ..openapi.document import document

        click.echo(json.dumps(document(app.table), indent=2))
    else:
        print_routes(app)


@main.command()
def schema() -> None:
    """Print the JSON Schema of route tables, for editors."""
    click.echo(SCHEMA.read_text("utf-8"), nl=False)
