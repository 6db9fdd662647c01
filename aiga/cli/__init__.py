"""The command line: `aiga run`, and what one asks of runs and models afterwards."""

from __future__ import annotations

from aiga.cli.main import app, main

__all__ = ["app", "main"]
