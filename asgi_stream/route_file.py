"""A route table from TOML, as routes."""

from ._config.loader import load_routes

__all__ = ["load_routes"]
