"""HTML files that need no other: a template, filled in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape

from aiga.errors import UserError


def write(path: Path, template: str, **values: Any) -> None:
    """Writes what a template makes of values; text among them is escaped.

    Raises:
        UserError: the file cannot be written.
    """
    pages = Environment(
        loader=PackageLoader("aiga.report", "."), autoescape=select_autoescape(default=True), trim_blocks=True
    )
    text = pages.get_template(template).render(**values)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror} (--out names another file)") from None
