"""Command line: `python -m simulator up|down|status`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

import simulator
from kube.errors import KubeError
from tools import ToolError

DEFAULT_HOME = Path(".aiga/sim")
Home = Annotated[Path, typer.Option(help="Folder that holds everything of this simulator.")]
Nodes = Annotated[int, typer.Option(help="Simulated nodes; more are never taken away.")]
app = typer.Typer(help=simulator.__doc__, no_args_is_help=True, add_completion=False)


@app.command()
def up(home: Home = DEFAULT_HOME, nodes: Nodes = 3) -> None:
    """Start the simulator, or resume it after a kill; nothing when it runs."""
    simulator.up(home, nodes=nodes)


@app.command()
def down(home: Home = DEFAULT_HOME) -> None:
    """End it and remove all of its files."""
    simulator.down(home)


@app.command()
def status(home: Home = DEFAULT_HOME) -> None:
    """Show what runs and what was pretended. Exit code 1 when it does not run."""
    found = simulator.status(home)
    print(f"{'running' if found.running else 'not running'}{f' at {found.server}' if found.server else ''}")
    for name, alive in found.components.items():
        print(f"  {name}: {'runs' if alive else 'does not run'}")
    if found.pretended:
        print("pretended:")
    for line in found.pretended:
        print(f"  {line}")
    raise typer.Exit(0 if found.running else 1)


def main() -> None:
    """Run a command; what a user can cause is one line."""
    try:
        app()
    except (simulator.SimulatorError, ToolError, KubeError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
