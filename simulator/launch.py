"""Starts the components of one simulator and watches them until the API server answers."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import yaml

from simulator import processes, settings
from simulator.errors import SimulatorError
from simulator.home import Home
from simulator.watching import Api

_ANSWERS_WITHIN = 90.0
_PRETENDS_WITHIN = 30.0
_POLL = 0.05
_CONTROLLERS_WAIT = 8.0
"""kube-controller-manager ends when it has not seen a healthy API server for 10 s."""
_PROJECT = Path(__file__).resolve().parents[1]


class PortTakenError(SimulatorError):
    """Another process took one of the ports between the choice and the start."""


def components(home: Home, tools: Mapping[str, Path]) -> None:
    """Start all of them over the data and the certificates that are there, or over none."""
    for folder in ("pids", "bin", "logs"):  # ports and binaries may be others now: kwokctl shall see a new cluster
        shutil.rmtree(home.cluster / folder, ignore_errors=True)
    (home.cluster / "kwok.yaml").unlink(missing_ok=True)
    home.kubeconfig.unlink(missing_ok=True)
    settings.write(home, tools)
    since = time.monotonic()
    _kwokctl(home, tools, "create")
    _write_kubeconfig(home)
    _await_api_server(home, tools, since)


def missing_components(home: Home, tools: Mapping[str, Path]) -> None:
    """Start those that do not run, with the arguments they had."""
    processes.drop_stale_pids(home)
    since = time.monotonic()
    _kwokctl(home, tools, "start")
    _await_api_server(home, tools, since)


def pretending(home: Home) -> subprocess.Popen[bytes]:
    """Begin to start the pretending process: it detaches, and the child returned here ends at once."""
    home.pretend_pid.unlink(missing_ok=True)
    paths = [str(_PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
    with home.pretend_log.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "simulator.pretend", "--home", str(home.root)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=home.root,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            start_new_session=True,
        )


def pretends(home: Home) -> bool:
    """Whether the pretending process has seen everything there is and is at work."""
    try:
        pid = int(home.pretend_pid.read_text())
    except (OSError, ValueError):
        return False
    return pid in processes.running(home).get(processes.PRETEND, [])


def await_pretending(home: Home, starter: subprocess.Popen[bytes]) -> None:
    """Wait until it is at work."""
    starter.wait()
    deadline = time.monotonic() + _PRETENDS_WITHIN
    while not pretends(home):
        if time.monotonic() > deadline or processes.PRETEND not in processes.running(home):
            raise SimulatorError(f"simulator: the pretending process did not start: {_last_line(home.pretend_log)}")
        time.sleep(_POLL)


def answers(home: Home) -> bool:
    """Whether the API server of this home calls itself ready."""
    there = set(processes.SERVER) <= set(processes.running(home))
    return there and home.kubeconfig.exists() and Api(str(home.kubeconfig)).ready()


def _await_api_server(home: Home, tools: Mapping[str, Path], since: float) -> None:
    """Controllers that had to wait too long for the server give up, some time later: those start again."""
    _watch(home, Api(str(home.kubeconfig)).ready, "the API server to be ready")
    alive = processes.running(home)
    given_up = any(name not in alive for name in processes.CONTROLLERS)
    if given_up or time.monotonic() - since > _CONTROLLERS_WAIT:
        processes.end(home, *processes.CONTROLLERS)
        processes.drop_stale_pids(home)
        _kwokctl(home, tools, "start")


def _kwokctl(home: Home, tools: Mapping[str, Path], verb: str) -> None:
    command = [str(tools["kwokctl"]), verb, "cluster", "--config", str(home.kwokctl_config), "--name", home.name]
    if verb == "create":
        command.append("--kubeconfig=")  # else it writes into the user's own
        command.append("--node-lease-duration-seconds=0")  # a killed kwok's leases would keep nodes idle for 200 s
    log = home.kwok / "kwokctl.log"
    environment = {**os.environ, "KWOK_WORKDIR": str(home.kwok), "KUBECACHEDIR": str(home.kwok / "cache")}
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment)
    try:
        _watch(home, lambda: process.poll() is not None, "kwokctl")
    finally:
        process.kill()
        process.wait()
    if process.returncode != 0:
        raise SimulatorError(f"simulator: kwokctl failed with {process.returncode}: {_last_line(log)}")


def _watch(home: Home, done: Callable[[], bool], what: str) -> None:
    """Poll until done, and give up at once when the server, or its store, had started and is gone."""
    seen: set[str] = set()
    deadline = time.monotonic() + _ANSWERS_WITHIN
    while True:
        finished = done()
        alive = set(processes.running(home)) & set(processes.SERVER)
        if gone := sorted(seen - alive):
            raise _died(home, gone[0])
        if finished:
            return
        if time.monotonic() > deadline:
            raise SimulatorError(f"simulator: waited {_ANSWERS_WITHIN:.0f} s for {what}; logs in {home.cluster}/logs")
        seen |= alive
        time.sleep(_POLL)


def _died(home: Home, component: str) -> SimulatorError:
    log = home.cluster / "logs" / f"{component}.log"
    text = log.read_text(errors="replace") if log.exists() else ""
    kind = PortTakenError if "address already in use" in text else SimulatorError
    return kind(f"{component} ended right after its start: {_last_line(log)}")


def _write_kubeconfig(home: Home) -> None:
    def inline(name: str) -> str:
        return base64.b64encode((home.cluster / "pki" / name).read_bytes()).decode()

    cluster = {"server": settings.api_server(home), "certificate-authority-data": inline("ca.crt")}
    user = {"client-certificate-data": inline("admin.crt"), "client-key-data": inline("admin.key")}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": home.context,
        "clusters": [{"name": home.context, "cluster": cluster}],
        "users": [{"name": home.context, "user": user}],
        "contexts": [{"name": home.context, "context": {"cluster": home.context, "user": home.context}}],
    }
    partial = home.kubeconfig.with_suffix(".partial")
    partial.touch(mode=0o600)
    partial.write_text(yaml.safe_dump(config))
    partial.rename(home.kubeconfig)


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1][:500] if lines else f"nothing in {log}"
