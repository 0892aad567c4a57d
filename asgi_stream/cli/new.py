"""``asgi-stream new``: writes a small project that runs as it is."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

PROJECT = Path(__file__).parent / "project"
READER = Path(__file__).parent.parent / "client" / "stream.js"

PATHS = {
    "tokens": "/chat",
    "vercel": "/api/chat",
    "langgraph": "/api",
    "agui": "/agent",
    "openai": "/v1",
}
"""The formats for which there is a project, with the path of its route."""

NPM = {"vercel", "langgraph", "agui"}
"""The formats whose page needs packages from npm."""

SHARED = {
    "threads = true": 'threads = { store = { from_env = "REDIS_URL" } }',
    "resume = true": 'resume = { store = { from_env = "REDIS_URL" } }',
    # The graph is made for each request, so the table says what it takes.
    '"bot:chat"\n': '"bot:chat"\ninput = "bot:MessagesState"\n',
    '{ chat = "bot:chat" }\n': '{ chat = "bot:chat" }\ninput = "bot:MessagesState"\n',
}
"""What a table has for a process of its own, and where others may share what it keeps."""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--format",
    "format",
    type=click.Choice([*PATHS]),
    default="tokens",
    show_default=True,
    help="The wire format, and with it the front end.",
)
@click.option("--docker", is_flag=True, help="Add a Dockerfile and a compose file, with Redis.")
def new(folder: Path, format: str, docker: bool) -> None:
    """Create a small working project in FOLDER: a chat, its page and its route table.

    The model is a script, and needs no key. The conversations are kept on the server, except with
    openai, whose clients send all of it each time.
    """
    files = project_files(format, docker)
    try:
        existing = [name for name in files if (folder / name).exists()]
        if existing:
            problem = f"{folder / existing[0]} already exists; nothing was written."
            raise click.ClickException(problem)
        for parent in {(folder / name).parent for name in files}:
            parent.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            path = folder / name
            path.write_text(text, "utf-8")
            click.echo(f"wrote {path}")
    except OSError as error:
        raise click.ClickException(str(error)) from None
    place = f"./{folder}" if str(folder).startswith("-") else str(folder)
    change_folder = "" if folder == Path() else f"cd {shlex.quote(place)} && "
    click.echo(f"\n{change_folder}{' && '.join(_commands(format))}\n")


def project_files(format: str, docker: bool) -> dict[str, str]:
    """Return the files of a project, by their paths in its folder."""
    layers = ["all", *(["npm"] if format in NPM else []), format]
    if docker:
        layers.append("openai-docker" if format == "openai" else "docker")
        layers += ["npm-docker"] if format in NPM else []
    files = {
        path.relative_to(PROJECT / layer).as_posix().removesuffix(".txt"): path
        for layer in layers
        for path in sorted((PROJECT / layer).rglob("*.txt"))
    }
    if format == "tokens":
        files["web/stream.js"] = READER
    texts = {name: path.read_text("utf-8") for name, path in files.items()}
    texts["README.md"] = _filled(texts["README.md"], format) + texts.pop("docker.md", "")
    if docker:
        for own, shared in SHARED.items():
            texts["asgi_stream.toml"] = texts["asgi_stream.toml"].replace(own, shared)
    return dict(sorted(texts.items()))


def _filled(text: str, format: str) -> str:
    setup = "".join(f"    {command}\n" for command in _commands(format))
    pages = "http://127.0.0.1:8000/playground"
    if format == "openai":
        pages += ", run `python ask.py`"
    else:
        pages = f"http://127.0.0.1:8000/, which is the page in `web/`, or {pages}"
    return text.replace("@setup@", setup).replace("@pages@", pages).replace("@path@", PATHS[format])


def _commands(format: str) -> list[str]:
    build = ["(cd page && npm install && npm run build)"] if format in NPM else []
    return [*build, "asgi-stream serve" + ("" if format == "openai" else " --static web")]
