"""The command ``asgi-stream``. Needs the extra ``serve``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from .call import call
from .serve import serve
from .table import find_table, load_table, print_routes, table_argument

HERE = Path(__file__).parent
SCHEMA = HERE.parent / "asgi_stream.schema.json"
PROJECT = HERE / "project"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="asgi_stream")
def main() -> None:
    """Serve LangChain Runnables and LangGraph graphs from a route table in TOML."""


main.add_command(serve)
main.add_command(call)


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


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def new(folder: Path) -> None:
    """Create a small working project in FOLDER."""
    files = {each.name.removesuffix(".txt"): each for each in sorted(PROJECT.glob("*.txt"))}
    existing = [name for name in files if (folder / name).exists()]
    if existing:
        raise click.ClickException(f"{folder / existing[0]} already exists; nothing was written.")
    folder.mkdir(parents=True, exist_ok=True)
    for name, source in files.items():
        (folder / name).write_text(source.read_text("utf-8"), "utf-8")
        click.echo(f"wrote {folder / name}")
    change_folder = "" if folder == Path() else f"cd {folder} && "
    click.echo(f"\n{change_folder}asgi-stream serve\n")
