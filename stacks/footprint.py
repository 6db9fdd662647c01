"""`make footprint`: what each profile asks of a cluster, as a table, with no cluster at hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

from rich.console import Console
from rich.table import Table

from components import footprint, objects
from components.context import Profile
from stacks.recording import Recording, record

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


def main(overrides: Mapping[str, str] | None = None) -> None:
    console = Console()
    for profile in get_args(Profile):
        console.print(table(profile, sums(profile, overrides)))
