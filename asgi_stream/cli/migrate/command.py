"""``asgi-stream migrate``: prints an app of another package as one of this package."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from .rewrite import rewrite

EVERY_ROUTE = """\
For every route: /stream_log, /c/{config_hash}, /feedback, /token_feedback and /public_trace_link
are not served; all routes share one playground, which playground=True of the StreamApp serves at
/playground; FastAPI's /docs has the endpoints after asgi_stream.openapi.add_to_openapi(app)."""
"""What changes without an option of a call."""


@click.group()
def migrate() -> None:
    """Rewrite an app that another package serves."""


@migrate.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def langserve(file: Path) -> None:
    """Print FILE, a LangServe app, with a route table instead of its add_routes calls.

    FILE is parsed, never imported or run, and is not changed. What is different afterwards is in
    comments, and on stderr with its line in FILE. The exit code is 1 if something is left to do.
    """
    try:
        rewritten = rewrite(file.read_text("utf-8-sig"))
    except SyntaxError as error:
        raise click.ClickException(f"{file} is not Python: {error}") from None
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{file} is not in UTF-8: {error}") from None
    except RecursionError:
        raise click.ClickException(f"{file} has an expression that is too deep.") from None
    except ValueError as error:
        raise click.ClickException(f"{file}: {error}.") from None
    if not rewritten.count and not rewritten.todo:
        raise click.ClickException(f"{file} has no call of LangServe's add_routes or APIHandler.")
    click.echo(rewritten.text, nl=False)
    for line, note in rewritten.notes:
        click.secho(f"{file}:{line}: {note}", dim=True, err=True)
    for line, note in rewritten.todo:
        click.secho(f"{file}:{line}: TODO: {note}", fg="yellow", err=True)
    if rewritten.count:
        click.secho(EVERY_ROUTE, dim=True, err=True)
    noun = "call" if rewritten.count == 1 else "calls"
    click.echo(f"{rewritten.count} {noun} rewritten, {len(rewritten.todo)} to do.", err=True)
    sys.exit(1 if rewritten.todo else 0)
