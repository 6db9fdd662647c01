"""python -m tools install | list | lock"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, get_args

import typer

import tools
from tools import catalogue, pins
from tools.install import Finding, Installer
from tools.progress import Progress

app = typer.Typer(help=tools.__doc__, no_args_is_help=True, add_completion=False)

Names = Annotated[list[str] | None, typer.Argument(help="Tools by name; all of the list when none is given.")]
For = Annotated[list[str] | None, typer.Option("--for", help="What is to be run: sim, k3d, up or test.")]


@app.command()
def install(names: Names = None, target: For = None) -> None:
    """Install what is missing and print where everything is."""
    with _one_message():
        wanted = [*(names or []), *(name for each in target or [] for name in tools.needed_by(_target(each)))]
        paths = tools.ensure(wanted or catalogue.default().tools)
    for name, path in paths.items():
        typer.echo(f"{name:<24} {path}")


@app.command("list")
def listing() -> None:
    """Show every tool: version, what fits, licence, who needs it, and where it is now."""
    with _one_message(), Progress(typer.echo) as screen:
        everything = catalogue.default().tools
        for finding in Installer(catalogue.default(), tools.cache(), screen).find(everything):
            typer.echo(_row(finding))


@app.command()
def lock() -> None:
    """Read the sha256 of every download from its publisher into sums.txt (needs network)."""
    with _one_message():
        if not pins.lock(catalogue.default(), typer.echo):
            raise typer.Exit(1)


def _target(name: str) -> tools.Target:
    for target in get_args(tools.Target):
        if name == target:
            return target  # type: ignore[no-any-return]
    raise tools.ToolError(f"--for {name}: must be one of {', '.join(get_args(tools.Target))}")


def _row(finding: Finding) -> str:
    tool = finding.tool
    where = f"{finding.way}: {finding.path}" if finding.path else f"not installed ({finding.why_not()})"
    needs = ",".join(tool.needed_by)
    return f"{tool.name:<24} {tool.version:<9} {tool.fits:<16} {tool.licence:<11} {needs:<15} {where}"


@contextmanager
def _one_message() -> Iterator[None]:
    try:
        yield
    except tools.ToolError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error


if __name__ == "__main__":
    app()
