"""A real Kubernetes control plane on this machine, over simulated nodes: up, down, status."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import tools
from simulator import ground, launch, ledger, processes, settings
from simulator.errors import SimulatorError
from simulator.home import Home
from simulator.watching import Api

Progress = Callable[[str], None]
_MOST_NODES = 100


@dataclass(frozen=True)
class Running:
    """How to reach a simulator."""

    kubeconfig: Path
    context: str
    name: str
    home: Path
    server: str


@dataclass(frozen=True)
class Status:
    """What is there."""

    running: bool
    components: Mapping[str, bool]
    """By name, whether it runs; the pretending process among them."""
    server: str | None
    pretended: list[str]


def up(home: Path, *, nodes: int = 3, progress: Progress = print) -> Running:
    """Start it, or what is left of it after a kill, or nothing when it runs already."""
    if not 1 <= nodes <= _MOST_NODES:
        raise SimulatorError(f"simulator: nodes must be between 1 and {_MOST_NODES}, got {nodes}")
    place = Home.at(home)
    binaries = tools.ensure(settings.TOOLS, progress)
    since = time.monotonic()
    with place.locked():
        place.prepare()
        started = _ensure_components(place, binaries, progress)
        _settle(place, nodes)
        place.complete.touch()
    state = f"ready in {time.monotonic() - since:.1f} s" if started else "runs already"
    progress(f"simulator {place.name}: {state} at {settings.api_server(place)}, kubeconfig {place.kubeconfig}")
    return _running(place)


def down(home: Path, progress: Progress = print) -> None:
    """End every process and remove every file of it, whatever state it is in."""
    place = Home.at(home)
    existed = place.root.exists() or bool(processes.running(place))
    with place.locked():
        processes.end(place)
        place.remove()
    progress(f"simulator {place.name}: {'gone' if existed else 'was not there'}")


def status(home: Path) -> Status:
    """Look, and change nothing."""
    place = Home.at(home)
    alive = processes.running(place)
    components = {name: name in alive for name in (*processes.COMPONENTS, processes.PRETEND)}
    answers = launch.answers(place)
    server = settings.api_server(place) if answers else None
    return Status(answers and all(components.values()), components, server, pretended(place.root))


def pretended(home: Path) -> list[str]:
    """What was pretended so far, a line for each kind of thing."""
    place = Home.at(home)
    lines = ledger.lines(place.pretended)
    return ["nodes and containers: no image is pulled and no process runs", *lines] if place.complete.exists() else []


def _ensure_components(place: Home, binaries: Mapping[str, Path], progress: Progress) -> bool:
    """False when all of them run."""
    if place.complete.exists() and settings.current(place, binaries) and launch.answers(place):
        dead = [name for name in processes.COMPONENTS if name not in processes.running(place)]
        if dead:
            progress(f"simulator {place.name}: starting {', '.join(dead)} again")
            launch.missing_components(place, binaries)
        return bool(dead)
    _start(place, binaries, progress)
    return True


def _start(place: Home, binaries: Mapping[str, Path], progress: Progress) -> None:
    processes.end(place)
    if place.complete.exists():
        progress(f"simulator {place.name}: resuming from its data")
        try:
            _launch(place, binaries)
        except SimulatorError as error:
            progress(f"simulator {place.name}: its data cannot be used, so it is dropped and made anew ({error})")
        else:
            return
    else:
        progress(f"simulator {place.name}: starting etcd, API server, controllers, scheduler and nodes")
    processes.end(place)
    place.forget_cluster()
    place.prepare()
    _launch(place, binaries)


def _launch(place: Home, binaries: Mapping[str, Path]) -> None:
    try:
        launch.components(place, binaries)
    except launch.PortTakenError:
        processes.end(place)
        launch.components(place, binaries)  # the ports are tried before use, so others are chosen now


def _settle(place: Home, nodes: int) -> None:
    starter = None
    if not launch.pretends(place):
        processes.end(place, processes.PRETEND)
        starter = launch.pretending(place)
    api = Api(str(place.kubeconfig))
    ground.lay(api, place, nodes)
    ground.wait(api, nodes)
    if starter:
        launch.await_pretending(place, starter)


def _running(place: Home) -> Running:
    return Running(place.kubeconfig, place.context, place.name, place.root, settings.api_server(place))
