"""The commands behind `make`, run as a user runs them, on a simulator of the test's own."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kube.cluster import Cluster
from simulator import cluster as simulation
from stacks.workdir import ROOT, WorkDir

VOLATILE = {"Event", "Lease", "EndpointSlice", "Endpoints", "ComponentStatus", "Node", "CSINode", "LeaseCandidate"}
"""Kinds that a cluster makes and drops by itself all the time."""
STACK = "sim"

OFF = ("knative", "argo", "seldon", "monitoring", "flux")
THREE = {f"layers.{layer}": "false" for layer in (*OFF, "istio")}
"""NATS, the object store and SealedSecrets stay on: StatefulSet, Job, volumes, generated keys."""
WEBHOOKS = {f"layers.{layer}": "false" for layer in (*OFF, "nats", "objectStore")}
"""Istio stays on, for its webhooks, and SealedSecrets."""


@dataclass
class World:
    """One checkout's worth of generated files, in a folder of the test's own."""

    folder: Path
    config: Mapping[str, str] = field(default_factory=dict)
    printed: list[str] = field(default_factory=list)
    """What each command has printed, in order."""

    @property
    def home(self) -> Path:
        return self.folder / ".aiga" / STACK

    @property
    def cluster(self) -> Cluster:
        return Cluster.connect(str(self.home / "kubeconfig"))

    def start(self, command: str, *flags: str, **config: str) -> subprocess.Popen[str]:
        """Starts a command in a process group of its own, so that a test can kill all of it."""
        assignments = [f"{key}={value}" for key, value in {**self.config, **config}.items()]
        words = [command, "--stack", STACK, *flags, *(word for a in assignments for word in ("--config", a))]
        environment = {**os.environ, "AIGA_HOME": str(self.folder), "PYTHONPATH": ""}
        return subprocess.Popen(
            [sys.executable, "-m", "stacks", *words],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, command: str, *flags: str, ok: bool = True, **config: str) -> str:
        """Runs a command to its end and returns what it printed; `**{"layers.flux": "false"}` are settings."""
        process = self.start(command, *flags, **config)
        output, _ = process.communicate(timeout=900)
        print(f"--- {command} {config} -> {process.returncode}\n{output}")
        self.printed.append(output)
        assert (process.returncode == 0) == ok, output
        return output

    def stop(self) -> None:
        simulation.down(self.home, progress=lambda _: None)

    def anew(self) -> None:
        """An empty simulator, and no state: quicker than taking everything down."""
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)
        simulation.up(self.home, progress=lambda _: None)


def counted(output: str, word: str) -> int:
    """A figure of the closing line: `stack sim: 31 created, 349 unchanged in 43.5 s; …`."""
    found = re.search(rf"(\d+) {word}", next(reversed(re.findall(r"^stack sim: .*$", output, re.MULTILINE)), ""))
    return int(found[1]) if found else 0


def summary(output: str) -> str:
    """The line that counts what a command did."""
    return next(line for line in output.splitlines() if re.match(r"stack sim: .* in [\d.]+ s", line))


def everything(cluster: Cluster) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Metadata of every object of every kind, by kind, namespace and name."""

    def listed(kind: tuple[str, str, bool]) -> list[tuple[tuple[str, str, str], dict[str, Any]]]:
        api_version, name, _ = kind
        items = cluster.list(api_version, name, metadata_only=True)
        group = api_version.rpartition("/")[0]
        return [
            ((f"{name}.{group}", i["metadata"].get("namespace", ""), i["metadata"]["name"]), i["metadata"])
            for i in items
        ]

    kinds = [kind for kind in cluster.kinds() if kind[1] not in VOLATILE]
    with ThreadPoolExecutor(8) as pool:
        return dict(pair for pairs in pool.map(listed, kinds) for pair in pairs)


def kill_all_of(process: subprocess.Popen[str], home: Path) -> None:
    """SIGKILL to the command, its engine and every plugin: nothing gets to say goodbye."""
    from stacks import resume
    from stacks.processes import running

    mark = f"{resume.MARK}={home}"
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for other in running():
        if "pulumi" in other.command and mark in _environment(other.pid):
            _kill(other.pid)
    for pid in resume.leftovers(WorkDir(STACK, ROOT, home.parent)):
        _kill(pid)
    process.wait()
    if process.stdout:
        process.stdout.close()


def _environment(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def progressed(
    world: World, count: int, process: subprocess.Popen[str], timeout: float = 120, *, falling: bool = False
) -> bool:
    """Waits until the cluster has so many objects of the stack, or the command ended; whether it got there."""
    deadline = time.monotonic() + timeout
    while process.poll() is None and time.monotonic() < deadline:
        owned = _owned(world)
        if owned <= count if falling else owned >= count:
            return process.poll() is None
        time.sleep(0.1)
    return False


def _owned(world: World) -> int:
    try:
        cluster = world.cluster
        kinds = (
            ("v1", "ServiceAccount"),
            ("v1", "Secret"),
            ("v1", "ConfigMap"),
            ("v1", "Namespace"),
            ("apps/v1", "Deployment"),
        )
        return sum(
            len(cluster.list(version, kind, label_selector=f"aiga.dev/stack={STACK}", metadata_only=True))
            for version, kind in kinds
        )
    except Exception:
        return 0


def assert_converged(world: World) -> None:
    """One more `up` finds nothing to do, and what the cluster holds is what the state knows."""
    assert "stack sim: no change" in world.run("up")
    assert_no_orphan(world)


def assert_no_orphan(world: World) -> None:
    """What the cluster holds of the stack is what the state knows, each once."""
    work = WorkDir(STACK, ROOT, world.home.parent)
    state = work.state()
    assert not state.get("pending_operations")
    ids = [r["id"] for r in state["resources"] if r["type"].startswith("kubernetes:")]
    urns = [r["urn"] for r in state["resources"]]
    assert len(urns) == len(set(urns))
    live = [
        (kind, meta.get("namespace"), meta["name"])
        for (kind, _, _), meta in everything(world.cluster).items()
        if meta.get("labels", {}).get("aiga.dev/stack") == STACK and not meta.get("ownerReferences")
    ]
    bulk = sum(len(r["inputs"]["objects"]) for r in state["resources"] if r["type"].endswith("aiga:Objects"))
    assert len(live) == len(ids) + bulk, "no orphan, and nothing twice"
