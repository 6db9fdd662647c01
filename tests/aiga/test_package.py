"""What a wheel of `aiga` holds besides modules: every file that they read."""

from __future__ import annotations

import tomllib
from pathlib import Path

import aiga

PACKAGE = Path(aiga.__file__).parent
ROOT = PACKAGE.parent


def test_every_file_that_is_no_module_is_in_the_wheel() -> None:
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["aiga"]
    held = {file for pattern in patterns for file in PACKAGE.glob(pattern)}
    files = {f for f in PACKAGE.rglob("*") if f.is_file() and f.suffix not in (".py", ".pyc")}
    assert files - held == set(), "name them in package-data"
    assert all(any(PACKAGE.glob(pattern)) for pattern in patterns), "a pattern matches nothing"
