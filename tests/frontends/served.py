"""Servers that the tests of a module, or all, send requests to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from ..servers import Server, serving


def served(app: str, scope: Literal["module", "session"] = "module") -> Any:
    """Return a fixture: the server of an app, which writes its notes into `folder`."""

    @pytest.fixture(scope=scope)
    def server(folder: Path) -> Iterator[Server]:
        env = {"PROBE_LOG": str(folder / "notes")}
        with serving(f"tests.frontends.{app}:app", folder, env=env) as running:
            yield running

    return server
