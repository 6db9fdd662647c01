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

from aiga.errors import AigaError, TransientError, UserError
from aiga.names import HOME
from aiga.runner import place
from aiga.runner.place import Place
from aiga.spec import load
from aiga.spec.load import Loaded

console = Console(markup=False, emoji=False, highlight=False)
"""What users and their code say is printed as it is: `[/data/x]` is no tag, and `:train:` no picture."""
P = ParamSpec("P")

Folder = Annotated[Path, typer.Argument(help="The project: its folder, or its project.yaml.")]
ProjectOption = Annotated[Path, typer.Option("--project", help="The project: its folder, or its project.yaml.")]
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
    try:
        return At(loaded, own, place.of(own, loaded.project.name, store))
    except OSError as error:
        raise of_system(error, f"set {HOME} to a folder that you may write to") from None


def say(text: str) -> None:
    """Prints one line as it is."""
    console.print(text, soft_wrap=True)


def told(command: Callable[P, Any]) -> Callable[P, None]:
    """A command whose errors are one message, and whose exit code tells whether repeating it may help."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        signal.signal(signal.SIGTERM, _terminated)
        try:
            code = command(*args, **kwargs)
        except AigaError as error:
            raise _shown(error) from None
        except KeyboardInterrupt:
            say("stopped; the same command takes it up again")
            raise typer.Exit(130) from None
        except BrokenPipeError:
            sys.stderr.close()
            raise typer.Exit(0) from None
        except OSError as error:
            raise _shown(of_system(error)) from None
        if isinstance(code, int) and code:
            raise typer.Exit(code)

    return run


_MISTAKES = (FileNotFoundError, FileExistsError, PermissionError, NotADirectoryError, IsADirectoryError)


def of_system(error: OSError, remedy: str = "") -> AigaError:
    """What the operating system refused, as a message: the file, the reason, and what to do."""
    what = f"{error.filename or 'system'}: {error.strerror or error}"
    if isinstance(error, _MISTAKES):
        return UserError(f"{what} ({remedy or 'look at its path and permissions'})")
    return TransientError(f"{what} ({remedy or 'mend that, and run the same command again'})")


def _shown(error: AigaError) -> typer.Exit:
    errors = Console(stderr=True, markup=False, emoji=False, highlight=False)
    errors.print(str(error), soft_wrap=True, style="red")
    return typer.Exit(error.exit_code)


def _terminated(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
