"""`python -m stacks …`: the command line behind the Makefile."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from stacks import byhand, reference, session, target
from stacks.errors import UserError
from stacks.runner import Runner, guarded
from stacks.workdir import ROOT, WorkDir, aiga_home

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
screen = Console()
errors = Console(stderr=True)

Stack = Annotated[
    str | None, typer.Option("--stack", "-s", help="Stack; without it $STACK, then as docs/configuration.md says.")
]
Config = Annotated[
    list[str], typer.Option("--config", "-c", help="key.path=value for this run alone; the committed file stays.")
]


def _runner(stack: str | None, config: list[str]) -> Runner:
    named = target.choose(stack, ROOT, aiga_home(), errors_line)
    return Runner(named, assignments=config, console=screen)


def _work(stack: str | None) -> WorkDir:
    return WorkDir(target.choose(stack, ROOT, aiga_home(), errors_line), ROOT, aiga_home())


def errors_line(text: str) -> None:
    """Print one line beside what a command prints for others to read."""
    errors.print(text, markup=False, highlight=False, soft_wrap=True)


def _end(command: Callable[[], Any]) -> None:
    raise typer.Exit(guarded(command, errors))


@app.command()
def up(stack: Stack = None, config: Config = []) -> None:  # noqa: B006 (typer reads the default)
    """Deploy the platform; after a kill, take it up again."""
    _end(lambda: _runner(stack, config).up())


@app.command()
def preview(
    stack: Stack = None,
    config: Config = [],  # noqa: B006
    markdown: Annotated[Path | None, typer.Option(help="Also write it here, for a comment.")] = None,
) -> None:
    """Show what `up` would change, field by field."""
    _end(lambda: _runner(stack, config).preview(markdown))


@app.command()
def down(
    stack: Stack = None,
    config: Config = [],  # noqa: B006
    keep_cluster: Annotated[bool, typer.Option("--keep-cluster", help="Leave an empty simulator running.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, though this is a terminal.")] = False,
) -> None:
    """Take everything away, and the simulator with it."""
    _end(lambda: _runner(stack, config).down(keep_cluster=keep_cluster, sure=yes))


@app.command("backup-key")
def backup_key(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to; it must not be there yet.")],
    stack: Stack = None,
) -> None:
    """Copy the sealing keys into a file that `kubectl apply` takes, readable by its owner alone."""
    _end(lambda: _runner(stack, []).backup_key(file))


@app.command()
def resume(stack: Stack = None, config: Config = []) -> None:  # noqa: B006
    """Take up a killed command by hand, on any backend: you say that it is dead."""
    _end(lambda: _runner(stack, config).resume())


@app.command()
def refresh(stack: Stack = None, config: Config = []) -> None:  # noqa: B006
    """Bring the state in line with the cluster, and list what had drifted."""
    _end(lambda: _runner(stack, config).refresh())


@app.command()
def forget(stack: Stack = None) -> None:
    """Drop the state of a stack whose cluster is gone."""
    _end(lambda: _runner(stack, []).forget())


@app.command()
def outputs(stack: Stack = None) -> None:
    """Print the table of the last `up` again."""
    _end(lambda: _runner(stack, []).outputs())


@app.command()
def env(stack: Stack = None) -> None:
    """Print what pulumi and kubectl typed by hand need: eval "$(make env)"."""

    def command() -> None:
        for line in list(byhand.exports(_work(stack), errors_line)):
            typer.echo(line)

    _end(command)


@app.command()
def secret(
    path: Annotated[str, typer.Argument(metavar="KEY", help="Such as monitoring.alertWebhook.")], stack: Stack = None
) -> None:
    """Encrypt a value, typed or piped in, into the stack's generated file, where it stays."""

    def command() -> None:
        work = _work(stack)
        value = getpass.getpass(f"{path}: ") if sys.stdin.isatty() else sys.stdin.read().strip()
        session.set_secret(work, path, value, errors_line)

    _end(command)


@app.command()
def docs(check: Annotated[bool, typer.Option("--check", help="Fail when something is stale.")] = False) -> None:
    """Write what is generated from the settings: Pulumi.yaml's config, docs/configuration.md."""

    def command() -> None:
        stale = {path: text for path, text in reference.files(ROOT).items() if path.read_text() != text}
        if check and stale:
            names = ", ".join(str(path.relative_to(ROOT)) for path in stale)
            raise UserError(f"{names}: not what the settings say (`make docs`)")
        for path, text in stale.items():
            path.write_text(text)

    _end(command)


@app.command()
def footprint() -> None:
    """Print what each profile asks of a cluster."""
    from stacks import footprint as table  # it renders every chart's values, which the other commands do without

    _end(table.main)
