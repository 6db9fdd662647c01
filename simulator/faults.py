"""Breaks a running simulator in ways that clusters break, for the tests of what has to survive it."""

from __future__ import annotations

from pathlib import Path

import tools
from simulator import launch, processes, settings
from simulator.home import Home


def kill_apiserver(home: Path) -> None:
    """SIGKILL the API server; what it stored stays."""
    processes.end(Home.at(home), "kube-apiserver")


def start_apiserver(home: Path) -> None:
    """Start it again, at the same address, and wait until it is ready.

    The controllers start with it: left alone they notice up to 30 s later, since they back off.
    """
    place = Home.at(home)
    processes.end(place, *processes.CONTROLLERS)
    launch.missing_components(place, tools.ensure(settings.TOOLS, lambda _: None))


def webhooks(home: Path, *, answering: bool) -> None:
    """Let every webhook answer, or none."""
    flag = Home.at(home).webhooks_off
    if answering:
        flag.unlink(missing_ok=True)
    else:
        flag.touch()


def kill_all(home: Path) -> None:
    """SIGKILL everything, as a reboot does: data and pid files stay."""
    processes.end(Home.at(home))
