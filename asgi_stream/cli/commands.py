"""The command ``asgi-stream``. Needs the extra ``serve``."""

from __future__ import annotations

import json
import os
import warnings
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
@click.pass_context
def main(context: click.Context) -> None:
    """Serve LangChain Runnables and LangGraph graphs from a route table in TOML."""
    context.color = False if os.environ.get("NO_COLOR") else None  # https://no-color.org


main.add_command(serve)
main.add_command(call)
main.add_command(migrate)
main.add_command(new)


@main.command()
@table_argument
def check(table: Path | None) -> None:
    """Import everything that TABLE names and report all problems; exit with 2 if there are any."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        app = load_table(find_table(table))
    print_routes(app)
    texts = (str(each.message) for each in caught if issubclass(each.category, UserWarning))
    doubts = dict.fromkeys(texts)  # a table is checked when it is read, and as an app
    for doubt in doubts:
        click.secho(f"warning: {doubt}", fg="yellow", err=True)
    outcome = _counted(len(doubts), "warning") if doubts else "no problems"
    click.echo(f"{_counted(len(app.table), 'route')}, {outcome}.", err=True)


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


def _counted(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"
