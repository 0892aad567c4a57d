"""``asgi-stream --version``: what a report of a problem needs."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import click

PACKAGES = (
    *("starlette", "sse-starlette", "langchain-core", "langgraph", "langchain"),
    *("pydantic", "uvicorn", "redis"),
)


def print_versions(context: click.Context, _: click.Parameter, value: bool) -> None:
    """Print the versions of this package, of Python and of what runs are made of, and exit."""
    if not value or context.resilient_parsing:
        return
    click.echo(f"asgi-stream, version {version('asgi_stream')}")
    click.echo(f"{platform.python_implementation()} {platform.python_version()}, ", nl=False)
    click.echo(f"{platform.system()} {platform.machine()}")
    for name in PACKAGES:
        click.echo(f"{name} {_version(name)}")
    context.exit()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "is not installed"
