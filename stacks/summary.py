"""What a run ends with on the screen: where everything is, what of it is simulated, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from stacks.progress import Board

_DONE = {
    "create": "created",
    "update": "updated",
    "replace": "replaced",
    "delete": "deleted",
    "refresh": "read",
    "same": "unchanged",
}


def services(console: Console, outputs: Mapping[str, Any]) -> None:
    """Print the stack's outputs: the table of services, then what is left of them."""
    rows = outputs.get("services")
    if isinstance(rows, Mapping):
        headings = ("service", "namespace", "URL", "credential is kept in")
        table = Table(*(Column(heading, overflow="fold") for heading in headings), box=None)
        for name, row in rows.items():
            table.add_row(str(name), *(str(row.get(key) or "-") for key in ("namespace", "url", "credential")))
        console.print(table)
    for key, value in outputs.items():
        if key not in ("services", "sealingCertificate"):
            shown = ", ".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else value
            console.print(f"{key}: {shown}", markup=False, highlight=False)


def pretended(console: Console, lines: Sequence[str]) -> None:
    """Print what is not real on the simulator."""
    if lines:
        console.print("Simulated, and so not there on a real cluster:", markup=False)
        for line in lines:
            console.print(f"  {line}", markup=False, highlight=False)


def costs(board: Board, seconds: float, state: int | None) -> str:
    """Return one line: counts, time, bytes of state."""
    counts = [f"{count} {_DONE[op]}" for op, count in board.counts.items() if op in _DONE and count]
    size = "" if state is None else f"; state {state / 1e6:.2f} MB ({state} bytes)"
    return f"{', '.join(counts) or 'nothing to do'} in {seconds:.1f} s{size}"


def nothing_changed(board: Board) -> bool:
    """Whether every resource stayed as it was."""
    return not any(count for op, count in board.counts.items() if op not in ("same", "read", "refresh"))
