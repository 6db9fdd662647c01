"""`make footprint`: what each profile asks of a cluster, as a table, with no cluster at hand."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

from rich.console import Console
from rich.table import Table

import tools
from components import footprint, objects, upstream
from components.context import Profile
from simulator import standins
from stacks import session
from stacks.errors import UserError
from stacks.recording import Recording, record
from stacks.workdir import aiga_home

Manifest = dict[str, Any]
SIZES: Mapping[Profile, str] = {
    "laptop": "everything on; requests at most 1 CPU and 3 GiB",
    "team": "one replica of each, persistent",
    "prod": "replicated, with disruption budgets",
}


def manifests(recording: Recording) -> Iterator[Manifest]:
    """Every Kubernetes object of a recorded program, those inside `Objects` among them."""
    for resource in recording.resources:
        if resource.type.startswith("kubernetes:"):
            yield resource.inputs
        elif resource.type.endswith("aiga:Objects"):
            yield from (objects.read_body(key, name) for key, name in resource.inputs["objects"].items())


def sums(profile: Profile, overrides: Mapping[str, str] | None = None) -> dict[str, footprint.Size]:
    """Requests by namespace, from the whole program rendered for a profile."""
    config = {
        "aiga:profile": profile,
        "aiga:provider": "on-prem",
        "aiga:kubeconfig": "none",
        "aiga:context": "none",
        "aiga:allowUnverified": "true",
        **(overrides or {}),
    }
    return footprint.by_namespace(manifests(record(config, "footprint")))


def table(profile: Profile, by_namespace: Mapping[str, footprint.Size]) -> Table:
    shown = Table(title=f"{profile}: {SIZES[profile]}", title_justify="left")
    shown.add_column("namespace")
    for column in ("pods", "CPU requested", "memory requested", "memory limit"):
        shown.add_column(column, justify="right")
    rows: Iterable[tuple[str, footprint.Size]] = sorted(by_namespace.items(), key=lambda row: -row[1].memory)
    for name, size in rows:
        shown.add_row(name, *_cells(size))
    shown.add_section()
    shown.add_row("sum", *_cells(footprint.total(by_namespace)))
    return shown


def _cells(size: footprint.Size) -> list[str]:
    memory = [f"{amount / 2**20:.0f} MiB" for amount in (size.memory, size.memory_limit)]
    return [str(size.pods), f"{size.cpu * 1000:.0f}m", *memory]


def charts() -> str:
    """Let the program find helm, and every chart with no network: those in vendor/, stand-ins for the others.

    Returns:
        Which of the two it will render.

    Raises:
        UserError: helm cannot be had, or the stand-ins cannot be built.
    """
    real = upstream.Upstream().vendor
    try:
        session.on_path(tools.ensure(["helm"], lambda _: None).values())
        found = standins.completed(aiga_home(), real, standins.true_definitions())
    except (tools.ToolError, standins.StandinError) as error:
        raise UserError(str(error)) from None
    os.environ["AIGA_VENDOR"] = str(found)
    return standins.label(real)


def main(overrides: Mapping[str, str] | None = None) -> None:
    console = Console()
    used = charts()
    remedy = "" if used == "real charts" else " (simulated; `make vendor` fetches the real ones)"
    console.print(f"rendered from: {used}{remedy}", soft_wrap=True)
    for profile in get_args(Profile):
        console.print(table(profile, sums(profile, overrides)))
