"""What all commands share: options, the project at hand, and one way for errors to reach the user."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, ParamSpec

import typer
from rich.console import Console

from aiga.errors import AigaError
from aiga.runner import place
from aiga.runner.place import Place
from aiga.spec import load
from aiga.spec.load import Loaded

console = Console()
P = ParamSpec("P")

Folder = Annotated[Path, typer.Argument(help="The project: its folder, or its project.yaml.")]
StoreOption = Annotated[str | None, typer.Option("--store", help="Folder or s3://bucket/prefix; else $AIGA_STORE.")]


@dataclass(frozen=True)
class At:
    """The project at hand, and where its files are."""

    loaded: Loaded
    folder: Path
    place: Place


def at(folder: Path, store: str | None = None) -> At:
    """Loads the project of a folder."""
    loaded = load(folder)
    own = loaded.file.parent.resolve()
    return At(loaded, own, place.of(own, loaded.project.name, store))


def say(text: str) -> None:
    """Prints one line as it is."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def told(command: Callable[P, Any]) -> Callable[P, None]:
    """A command whose errors are one message, and whose exit code tells whether repeating it may help."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        signal.signal(signal.SIGTERM, _terminated)
        try:
            code = command(*args, **kwargs)
        except AigaError as error:
            Console(stderr=True).print(str(error), markup=False, highlight=False, soft_wrap=True, style="red")
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            say("stopped; the same command takes it up again")
            raise typer.Exit(130) from None
        except BrokenPipeError:
            sys.stderr.close()
            raise typer.Exit(0) from None
        if isinstance(code, int) and code:
            raise typer.Exit(code)

    return run


def _terminated(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
