"""The real Pulumi engine over one `Objects`, on real API servers."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pulumi
from pulumi import automation as auto
from pulumi.automation._stack import UpdateSummary

import tools
from components.objects import Objects
from kube.cluster import Cluster

ROOT = Path(__file__).resolve().parents[2]
Manifest = dict[str, Any]


def engine_environment(home: Path) -> dict[str, str]:
    """What the engine and its plugins need; state and everything else lie in `home`."""
    binary = tools.ensure(["pulumi"])["pulumi"]
    folders = [str(binary.parent), str(tools.dynamic_plugin(binary).parent), os.environ["PATH"]]
    return {
        "PATH": os.pathsep.join(folders),
        "PYTHONPATH": str(ROOT),
        "AIGA_PYTHON": sys.executable,
        "AIGA_HOME": str(home),
        "AIGA_PATIENCE": "5",
        "PULUMI_HOME": str(home / "pulumi"),
        "PULUMI_BACKEND_URL": f"file://{home}",
        "PULUMI_CONFIG_PASSPHRASE": "for tests",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }


class QuickStack(auto.Stack):
    """Without the outputs and the history that the SDK asks for after each operation: three starts of the CLI."""

    def outputs(self) -> auto.OutputMap:
        """None."""
        return {}

    def info(self, show_secrets: bool = True) -> UpdateSummary:
        """Nothing about the past; `World.up` reads the counts from the text."""
        return UpdateSummary("update", datetime.now(UTC), "", {}, {}, "succeeded")


@dataclass
class World:
    """One stack with one resource, whose objects a test changes between operations."""

    stack: auto.Stack
    cluster: Cluster
    namespace: str
    objects: list[Manifest] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    name: str = "set"

    def program(self) -> None:
        """Register what the test has in mind now."""
        made = Objects(self.name, self.objects, **self.options)
        pulumi.export("ready", made.ready)

    def up(self) -> dict[str, int]:
        """Deploy; how many resources were created, updated, left the same."""
        return counts(self.stack.up(program=self.program, color="never").stdout)

    def refresh(self) -> tuple[dict[str, int], str]:
        """Bring the state in line with the cluster: the counts and the text."""
        shown = self.stack.refresh(diff=True, color="never").stdout
        return counts(shown), shown

    def preview(self) -> tuple[dict[str, int], str]:
        """The counts and the text of a preview."""
        result = self.stack.preview(program=self.program, diff=True, color="never")
        return {str(getattr(op, "value", op)): count for op, count in result.change_summary.items()}, result.stdout

    def state(self) -> str:
        """The deployment as it lies on disk: `export` would decrypt it."""
        home = Path(self.stack.workspace.env_vars["AIGA_HOME"])
        return (home / ".pulumi" / "stacks" / "aiga" / f"{self.stack.name}.json").read_text()

    def stored(self, name: str | None = None) -> Manifest:
        """A resource as it is stored."""
        resources = json.loads(self.state())["checkpoint"]["latest"]["resources"]
        return next(each for each in resources if each["urn"].endswith(f"::{name or self.name}"))

    def config_map(self, name: str, **data: str) -> Manifest:
        """One in the test's namespace."""
        metadata = {"name": name, "namespace": self.namespace}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}

    def config_maps(self) -> dict[str, dict[str, str]]:
        """The data of those that are there, by name."""
        found = self.cluster.list("v1", "ConfigMap", self.namespace)
        return {
            each["metadata"]["name"]: each.get("data") or {}
            for each in found
            if each["metadata"]["name"] != "kube-root-ca.crt"
        }


def counts(text: str) -> dict[str, int]:
    """How many resources an operation created, changed or left, from the last lines of its text."""
    return {word: int(number) for number, word in re.findall(r"(\d+) (created|updated|deleted|unchanged)\b", text)}


def failure(error: pulumi.RunError | auto.CommandError) -> str:
    """The lines about our resource that a person sees, without those of the engine."""
    text = str(error)
    lines = [line.strip() for line in text.splitlines()]
    return "\n".join(line for line in lines if line.startswith(("error:", "Objects:")) or "Traceback" in line)


def kill(mark: str, names: Sequence[str]) -> list[int]:
    """SIGKILL to the processes that carry `mark` in their environment and one of `names` in their command."""
    killed = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            environment, command = (entry / "environ").read_bytes(), (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if mark.encode() in environment and any(name.encode() in command for name in names):
            os.kill(int(entry.name), signal.SIGKILL)
            killed.append(int(entry.name))
    return killed


def definition(plural: str, group: str) -> Manifest:
    """A small CRD."""
    kind = plural[:-1].capitalize()
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": plural, "kind": kind}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }
