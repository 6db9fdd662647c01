"""A project of a few resources that runs through the real runner, engine and simulator, in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from kube.cluster import Cluster
from stacks import processes, resume
from stacks.workdir import ROOT, WorkDir

PROGRAM = """
import os
import pulumi
import pulumi_kubernetes as kubernetes
from slow import Slow
from stacks import settings

decided = settings.load()
provider = kubernetes.Provider("cluster", kubeconfig=decided.kubeconfig, context=decided.context)
stack = pulumi.get_stack()


def labelled(name, **more):
    return {"name": name, "labels": {"aiga.dev/stack": stack}, **more}


there = pulumi.ResourceOptions(provider=provider)
namespace = kubernetes.core.v1.Namespace("ns", metadata=labelled("world"), opts=there)
inside = pulumi.ResourceOptions(provider=provider, depends_on=[namespace])
for number in range(4):
    name = f"cm-{number}"
    data = {"domain": decided.domain}
    kubernetes.core.v1.ConfigMap(name, metadata=labelled(name, namespace="world"), data=data, opts=inside)
slow = Slow("slow", float(os.environ.get("WORLD_SLEEP", "0")), pulumi.ResourceOptions(depends_on=[namespace]))
kubernetes.core.v1.ConfigMap(
    "last",
    metadata=labelled("last", namespace="world"),
    data={"a": "b"},
    opts=pulumi.ResourceOptions(provider=provider, depends_on=[slow], protect=bool(os.environ.get("WORLD_PROTECT"))),
)
pulumi.export("services", {"world": {"url": "https://world.example", "namespace": "world", "credential": "world/s: k"}})
pulumi.export("password", pulumi.Output.secret("s3cr3t"))
"""

SLOW = """
import os
import sys
import time
from pulumi import ResourceOptions
from pulumi.dynamic import CreateResult, Resource, ResourceProvider


class Sleeper(ResourceProvider):
    def create(self, inputs):
        if os.environ.get("WORLD_FAIL"):
            sys.tracebacklimit = 0
            raise RuntimeError("Deployment/world/slow: image not found (correct the tag)")
        time.sleep(inputs["seconds"])
        return CreateResult("slow", {})

    def diff(self, _id, old, new):
        from pulumi.dynamic import DiffResult

        return DiffResult(changes=False)


class Slow(Resource, module="world", name="Slow"):
    def __init__(self, name: str, seconds: float, opts: ResourceOptions) -> None:
        super().__init__(Sleeper(), name, {"seconds": seconds}, opts)
"""

RUN = """
import sys
from pathlib import Path
from rich.console import Console
from stacks.cli import screen
from stacks.runner import Runner, guarded
command, project, *settings = sys.argv[1:]
runner = lambda: Runner("sim", project=Path(project), home=Path(project, ".aiga"), assignments=settings, console=screen)
sys.exit(guarded(lambda: getattr(runner(), command)(), Console(stderr=True)))
"""


@dataclass
class World:
    """One project and what its commands printed."""

    project: Path
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    @classmethod
    def at(cls, project: Path) -> World:
        project.mkdir(parents=True, exist_ok=True)
        (project / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text())
        (project / "Pulumi.sim.yaml").write_text(
            yaml.safe_dump({"config": {"aiga:provider": "sim", "aiga:upstream": "vendor"}})
        )
        (project / "__main__.py").write_text(PROGRAM)
        (project / "slow.py").write_text(SLOW)
        (project / "run.py").write_text(RUN)
        return cls(project)

    @property
    def work(self) -> WorkDir:
        return WorkDir("sim", self.project, self.project / ".aiga")

    @property
    def cluster(self) -> Cluster:
        return Cluster.connect(str(self.work.folder / "kubeconfig"))

    def start(self, command: str, *settings: str, **environment: str) -> subprocess.Popen[str]:
        paths = os.pathsep.join([str(ROOT), str(self.project)])
        child = subprocess.Popen(
            [sys.executable, str(self.project / "run.py"), command, str(self.project), *settings],
            env={**os.environ, "PYTHONPATH": paths, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.running.append(child)
        return child

    def run(self, command: str, *settings: str, code: int = 0, **environment: str) -> str:
        child = self.start(command, *settings, **environment)
        printed, _ = child.communicate(timeout=400)
        assert child.returncode == code, f"{command} ended with {child.returncode}:\n{printed}"
        assert "Traceback" not in printed
        return printed

    def await_pending(self, seconds: float = 240) -> None:
        """Return when an operation is under way, which is when a kill hurts."""
        deadline = time.monotonic() + seconds
        while not self.work.state().get("pending_operations"):
            assert time.monotonic() < deadline, "no operation began"
            time.sleep(0.1)

    def engines(self) -> list[int]:
        """Return the engines at work on this project."""
        mark = f"{resume.MARK}={self.work.folder}"
        return [
            process.pid
            for process in processes.running()
            if "--exec-kind auto" in process.command and mark in processes.environment(process.pid)
        ]

    def kill(self, *pids: int) -> None:
        for pid in pids:
            processes.send(pid, signal.SIGKILL)

    def names(self) -> set[str]:
        """Return the ConfigMaps of the stack."""
        found = self.cluster.list("v1", "ConfigMap", label_selector="aiga.dev/stack=sim")
        return {item["metadata"]["name"] for item in found}
