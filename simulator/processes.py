"""Finds and ends the processes of one simulator by their command line, since pid files lie after a kill or a reboot."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from simulator.errors import SimulatorError
from simulator.home import Home

CONTROLLERS = ("kube-controller-manager", "kube-scheduler", "kwok-controller")
SERVER = ("etcd", "kube-apiserver")
COMPONENTS = (*SERVER, *CONTROLLERS)
PRETEND = "pretend"
_STARTER = "kwokctl"
_ENDS_WITHIN = 10.0


def running(home: Home) -> dict[str, list[int]]:
    """Process ids by component; what does not run is left out."""
    found: dict[str, list[int]] = {}
    for pid, command in _commands():
        name = _component(home, command)
        if name and pid != os.getpid():
            found.setdefault(name, []).append(pid)
    return found


def end(home: Home, *names: str) -> None:
    """Kill the named components (all of them when none is named), also those that a dying kwokctl still starts."""
    deadline = time.monotonic() + _ENDS_WITHIN
    killed: set[int] = set()
    while True:
        alive = [pid for name, pids in running(home).items() if not names or name in names for pid in pids]
        ending = {pid for pid in killed if not _has_let_go(pid)}
        if not alive and not ending:
            return
        if time.monotonic() > deadline:
            left = ", ".join(map(str, sorted(ending | set(alive))))
            raise SimulatorError(f"simulator in {home.root}: processes {left} do not end; kill them by hand")
        for pid in alive:
            _kill(pid)
        killed.update(alive)
        time.sleep(0.02)


def drop_stale_pids(home: Home) -> None:
    """kwokctl trusts a pid file whose number any process has: after a reboot that may be a stranger."""
    alive = running(home)
    for path in (home.cluster / "pids").glob("*.pid"):
        text = path.read_text().strip()
        if not text.isdigit() or int(text) not in alive.get(path.stem, []):
            path.unlink(missing_ok=True)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _has_let_go(pid: int) -> bool:
    """A dying process loses its command line first and its ports with its last thread; then it is a zombie, or gone."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state in "ZX" and len(os.listdir(f"/proc/{pid}/task")) <= 1
    except OSError:
        return True  # gone, or a system without /proc


def _component(home: Home, command: str) -> str | None:
    binaries = f"{home.cluster}/bin/"
    if command.startswith(binaries) and not command.endswith(" --version"):  # which kwokctl asks each binary first
        return command[len(binaries) :].split(" ", 1)[0]
    if f" --config {home.kwokctl_config} " in command:
        return _STARTER
    if f" -m simulator.pretend --home {home.root} " in f"{command} ":
        return PRETEND
    return None


def _commands() -> Iterator[tuple[int, str]]:
    """Every process with its command line. A zombie has none, and counts as gone."""
    if Path("/proc/self/cmdline").exists():
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                try:
                    raw = Path(entry.path, "cmdline").read_bytes()
                except OSError:
                    continue
                yield int(entry.name), raw.replace(b"\0", b" ").decode(errors="replace").rstrip()
        return
    listing = subprocess.run(["ps", "-axww", "-o", "pid=,command="], capture_output=True, text=True, check=True)
    for line in listing.stdout.splitlines():
        pid, _, command = line.strip().partition(" ")
        yield int(pid), command.strip()
