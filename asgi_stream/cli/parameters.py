"""The values of the options of ``asgi-stream call``. Each function raises `click.BadParameter`."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import click

from ..errors.text import mask_passwords


def checked_url(context: click.Context, parameter: click.Parameter, url: str) -> str:
    """Return a URL of HTTP."""
    try:
        parts = urlsplit(url)
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_web = False
    if not is_web:
        raise click.BadParameter(f"expected http://..., not {mask_passwords(url)!r}")
    return url


def checked_seconds(context: click.Context, parameter: click.Parameter, seconds: float) -> float:
    """Return a number of seconds above 0."""
    if not seconds > 0:  # nor is it if it is no number
        raise click.BadParameter(f"expected more than 0 seconds, not {seconds}")
    return seconds


def json_of(text: str) -> Any:
    """Return the value of ``--input``."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"invalid JSON: {error}", param_hint="--input") from None


def header(text: str) -> tuple[str, str]:
    """Return the name and the value of a header."""
    if not text.isascii():
        raise click.BadParameter(f"{text!r} is not ASCII", param_hint="--header")
    return pair(text, ":", "--header")


def pair(text: str, separator: str, option: str) -> tuple[str, str]:
    """Return what is before the separator, and what is behind it."""
    name, has_separator, value = text.partition(separator)
    if not has_separator:
        raise click.BadParameter(f"expected name{separator}value, not {text!r}", param_hint=option)
    return name.strip(), value.strip()
