"""`aiga init`: a project to begin with."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from aiga.cli.shared import of_system, say, told
from aiga.errors import UserError


@told
def init(folder: Annotated[Path, typer.Argument(help="The project's folder; its name is the project's.")]) -> None:
    """Make a small project that runs, to change into your own."""
    name = re.sub(r"[^a-z0-9-]+", "-", folder.resolve().name.lower()).strip("-")[:40]
    if not name or not name[0].isalpha():
        raise UserError(f"{folder}: its name must begin with a letter, for the project is called after it")
    scaffold = resources.files("aiga").joinpath("scaffold")
    files = [file for file in scaffold.iterdir() if file.is_file() and not file.name.endswith(".pyc")]
    there = [file.name for file in files if (folder / file.name).exists()]
    if there:
        raise UserError(f"{folder}: {', '.join(there)} exists already (name another folder)")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            (folder / file.name).write_text(file.read_text().replace("NAME", name, 1))
    except OSError as error:
        raise of_system(error, "name a folder that you may write to") from None
    say(f"{folder}: made. Next: aiga run {folder}")
