"""The cluster a stack aims at: which stack, which kubeconfig and context, and is it the one the state describes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tools
from kube.cluster import Cluster
from kube.errors import KubeError
from simulator import cluster as simulation
from simulator.errors import SimulatorError
from stacks import files, kubeconfigs
from stacks.clusters import k3d
from stacks.errors import EngineError, UserError
from stacks.remedies import make
from stacks.rules import OLDEST_MINOR
from stacks.settings import Settings, minor_of
from stacks.workdir import WorkDir, known_stacks

Say = Callable[[str], None]
_DOCKER_ANSWERS_WITHIN = 10.0


@dataclass(frozen=True)
class Target:
    """A cluster that answered."""

    kubeconfig: Path
    context: str
    server: str
    version: str
    identity: str
    cluster: Cluster

    @property
    def kubernetes_version(self) -> str:
        """The version without its build: 1.34.3 for v1.34.3-gke.100."""
        return self.version.removeprefix("v").replace("+", "-").split("-")[0]


def choose(named: str | None, project: Path, home: Path, say: Say) -> str:
    """Return the stack to use, and say why it is that one where it was not named.

    One rule for every command (docs/configuration.md, "Which cluster"): the stack named; else the one on the cluster
    that KUBE_CONTEXT names; else that of the last `make up`; else by what this machine offers.
    """
    named = named or os.environ.get("STACK")
    if named:
        return named
    context = os.environ.get("KUBE_CONTEXT")
    last = _last(project, home)
    if last and (context is None or context in _contexts(last, project, home)):
        say(f"stack {last}: that of the last `make up` (STACK=name takes another)")
        return last
    if context:
        say("stack dev: KUBE_CONTEXT names its cluster")
        return "dev"
    if _config(project, "dev").get("aiga:context"):
        say("stack dev: Pulumi.dev.yaml names its context")
        return "dev"
    if docker_runs():
        say("stack dev: Docker runs here, so k3d makes its cluster")
        return "dev"
    say("stack sim: no KUBE_CONTEXT and no Docker, so the simulator is its cluster")
    return "sim"


def remember(stack: str, home: Path) -> None:
    """Make this the stack that later commands mean."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "last-stack").write_text(stack)


def _last(project: Path, home: Path) -> str | None:
    """The stack of the last `make up`, where its file is still there."""
    try:
        stack = (home / "last-stack").read_text().strip()
    except FileNotFoundError:
        return None
    return stack if stack in known_stacks(project) else None


def _contexts(stack: str, project: Path, home: Path) -> set[str]:
    """The contexts by which a stack's cluster is known."""
    before = recorded(WorkDir(stack, project, home))
    return {str(name) for name in (before and before[1], _config(project, stack).get("aiga:context")) if name}


def docker_runs() -> bool:
    """Whether a Docker engine answers."""
    docker = shutil.which("docker")
    if docker is None:
        return False
    try:
        asked = subprocess.run([docker, "info"], capture_output=True, check=False, timeout=_DOCKER_ANSWERS_WITHIN)
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0


def reach(work: WorkDir, settings: Settings, say: Say, *, create: bool) -> Target:
    """Return the stack's cluster, made or started where that is ours to do.

    Args:
        create: whether a missing k3d cluster is made; a simulator always is.

    Raises:
        UserError: it is not there, not the one configured, too old, or not the one that the state describes.
    """
    kubeconfig, context = _locate(work, settings, say, create=create)
    cluster = Cluster.connect(str(kubeconfig), context)
    try:
        version, identity = cluster.version(), cluster.identity()
    except KubeError as error:
        raise UserError(
            f"cluster {context} ({kubeconfig}) cannot be reached: {error} "
            "(start it, or name another with KUBE_CONTEXT; nothing was created)"
        ) from None
    target = Target(kubeconfig, context, cluster.server, version, identity, cluster)
    title = settings.cluster.title
    say(f"cluster: {title}, context {context}, {target.server}, Kubernetes {version.removeprefix('v')}")
    if minor_of(target.kubernetes_version) < OLDEST_MINOR:
        raise UserError(
            f"cluster {context}: runs Kubernetes {version}: must be 1.{OLDEST_MINOR} or newer, "
            "the controllers of Knative Eventing exit below it (upgrade it)"
        )
    return target


def same_as_before(work: WorkDir, target: Target) -> bool:
    """Whether the state, when there is one, describes this cluster."""
    try:
        return bool(json.loads(work.record.read_text())["identity"] == target.identity)
    except (FileNotFoundError, ValueError, KeyError):
        return True


def record(work: WorkDir, target: Target) -> None:
    """Remember which cluster the state describes from now on."""
    known = {
        "identity": target.identity,
        "context": target.context,
        "kubeconfig": str(target.kubeconfig),
        "server": target.server,
    }
    work.record.write_text(json.dumps(known, indent=1))


def refuse_other_cluster(work: WorkDir, target: Target) -> None:
    """Raise when the state describes another cluster: its objects would be looked for in the wrong place."""
    if same_as_before(work, target):
        return
    before = json.loads(work.record.read_text())
    raise UserError(
        f"stack {work.stack}: its state describes another cluster ({before['context']} at {before['server']}) than "
        f"the one context {target.context} reaches now (name the right one with KUBE_CONTEXT; or, when that cluster is "
        f"gone for good, {make('forget', work.stack)} drops the state)"
    )


def _locate(work: WorkDir, settings: Settings, say: Say, *, create: bool) -> tuple[Path, str]:
    asked = os.environ.get("KUBE_CONTEXT") or None
    if settings.profile == "prod" and asked and asked != settings.context and not settings.cluster.simulated:
        raise UserError(
            f"KUBE_CONTEXT={asked}: profile prod touches only the context it was configured for, {settings.context} "
            f"(unset KUBE_CONTEXT, or change aiga:context in {work.committed.name})"
        )
    if settings.cluster.simulated:
        return _simulator(work, say)
    context = asked or settings.context
    if context is None and settings.kubeconfig is None:
        before = recorded(work)
        if before:
            return before
        if settings.provider == "k3d":
            return _k3d(work, say, create=create)
    return kubeconfigs.locate(work, settings.kubeconfig, context)


def _simulator(work: WorkDir, say: Say) -> tuple[Path, str]:
    try:
        running = simulation.up(work.folder, progress=say)
    except (SimulatorError, tools.ToolError) as error:
        raise UserError(str(error)) from None
    return running.kubeconfig, running.context


def recorded(work: WorkDir) -> tuple[Path, str] | None:
    """Return the cluster of last time, so that `down` cannot wander off with the ambient context."""
    try:
        known = json.loads(work.record.read_text())
        return Path(known["kubeconfig"]), str(known["context"])
    except (FileNotFoundError, ValueError, KeyError):
        return None


def _k3d(work: WorkDir, say: Say, *, create: bool) -> tuple[Path, str]:
    if not docker_runs():
        raise UserError(
            "provider k3d: no Docker engine answers (start Docker, name a cluster with KUBE_CONTEXT, "
            "or use the simulator: STACK=sim)"
        )
    program = str(_installed("k3d"))
    listed = subprocess.run([program, "cluster", "list", k3d.CLUSTER], capture_output=True, check=False, text=True)
    if listed.returncode == 0:
        _run([program, "cluster", "start", k3d.CLUSTER, "--wait"])
    elif create:
        say(f"k3d: making cluster {k3d.CLUSTER} (about a minute)")
        _run([program, *k3d.CREATE[1:]])
    else:
        raise UserError(f"k3d: there is no cluster {k3d.CLUSTER} (`make up` makes it)")
    kubeconfig = work.folder / "kubeconfig"
    work.folder.mkdir(parents=True, exist_ok=True)
    kubeconfig.touch(mode=0o600)
    _run([program, "kubeconfig", "write", k3d.CLUSTER, "--output", str(kubeconfig), "--overwrite"])
    return kubeconfig, f"k3d-{k3d.CLUSTER}"


def _installed(tool: str) -> Path:
    try:
        return tools.ensure([tool])[tool]
    except tools.ToolError as error:
        raise UserError(str(error)) from None


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    if done.returncode != 0:
        reason = (done.stderr or done.stdout).strip().splitlines()
        raise EngineError(f"{' '.join(command[:3])}: {reason[-1] if reason else done.returncode}")


def _config(project: Path, stack: str) -> dict[str, Any]:
    return dict(files.read(project / f"Pulumi.{stack}.yaml").get("config") or {})
