"""The reference of a table's file, in Markdown, made of its JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs/pages/reference/toml.md"
MARK = "<!-- Made by python -m tests.config.table_schema: do not edit what follows. -->\n"
TABLES = {
    "App": ("`[app]`", "Options of the app."),
    "Route": ("`[[route]]`, `[defaults]`", "One route each; and the defaults of all of them."),
    "EventFilter": ("`filter`", "Which events reach the client."),
    "Limits": ("`limits`", 'Seconds, bytes and counts; `"none"` is no limit.'),
    "Resume": ("`resume`", "A table instead of `true`."),
    "Threads": ("`threads`", "A table instead of `true`."),
    "Error": ("`errors`", 'A table for each class: `[route.errors."bot:RateLimitError"]`.'),
}
"""The tables of the file, by their names in the schema."""
NAMES = {"Environment": "", **{name: f"table, see {TABLES[name][0]}" for name in TABLES}}
REFERENCE = '`"module:attribute"`'


def reference(schema: dict[str, Any]) -> str:
    """Return the sections of all tables, each with its keys in the order of the schema."""
    return "\n".join(line for name in TABLES for line in _section(name, schema["$defs"][name]))


def _section(name: str, table: dict[str, Any]) -> Iterator[str]:
    title, about = TABLES[name]
    yield from ("", f"### {title}", "", about, "", "| key | value | |", "|---|---|---|")
    required = table.get("required", ())
    for key, value in table["properties"].items():
        mark = ", required" if key in required else ""
        text = " ".join(value.get("description", "").split()).replace("|", "\\|")
        yield f"| `{key}` | {_type(value)}{mark} | {text} |"


def _type(value: dict[str, Any]) -> str:
    """Return what a value may be, in words."""
    if "$ref" in value:
        return NAMES[value["$ref"].rpartition("/")[2]]
    if alternatives := value.get("anyOf") or value.get("oneOf"):
        return " or ".join(dict.fromkeys(filter(None, map(_type, alternatives))))
    if "const" in value:
        return f'`"{value["const"]}"`'
    if "enum" in value:
        return " or ".join(f"`{each!r}`".replace("'", '"') for each in value["enum"])
    if "pattern" in value:
        return REFERENCE
    match value.get("type"):
        case "array":
            return f"list of {_type(value['items'])}"
        case "object":
            return "table"
        case kind:
            return str(kind or "any")


def page(schema: dict[str, Any]) -> str:
    """Return the page with its reference made anew."""
    return PAGE.read_text().split(MARK)[0] + MARK + reference(schema) + "\n"
