"""100 and 500 `Objects` of 15 objects each by the engine, beside kubectl doing the same with the same objects.

Each side has a simulator of its own, one after the other. `python -m benchmarks.objects [COUNT…]`.
`kubectl delete` takes five objects a second, whatever the machine: it is timed on 20 projects and multiplied.
"""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pulumi import automation as auto
from rich.console import Console

import tools
from benchmarks.platform import Row, report, timed
from components.objects import Objects
from kube.cluster import Cluster
from kube.ownership import labels
from simulator import Running
from simulator.testing import fresh
from stacks.chatter import spared
from stacks.workdir import ROOT

Manifest = dict[str, Any]

COUNTS = (100, 500)
NAMESPACE = "bench"
_RBAC = "rbac.authorization.k8s.io"
_DELETED = 20


def project(number: int, version: int = 0) -> list[Manifest]:
    """The objects of one project: 15 of the kinds that projects have most of and that no controller works on."""
    name = f"project-{number:03}"
    rules = [{"apiGroups": [""], "resources": ["pods", "configmaps"], "verbs": ["get", "list", "watch"]}]
    found = [_object("v1", "ConfigMap", f"{name}-{n}", data={"step": f"train {version}" * 10}) for n in range(5)]
    for n in range(3):
        subject = {"kind": "ServiceAccount", "name": f"{name}-{n}", "namespace": NAMESPACE}
        role = {"apiGroup": _RBAC, "kind": "Role", "name": f"{name}-{n}"}
        found += [
            _object("v1", "ServiceAccount", f"{name}-{n}"),
            _object(f"{_RBAC}/v1", "Role", f"{name}-{n}", rules=rules),
            _object(f"{_RBAC}/v1", "RoleBinding", f"{name}-{n}", roleRef=role, subjects=[subject]),
        ]
    spec = {"podSelector": {"matchLabels": {"project": name}}, "policyTypes": ["Ingress"]}
    return [*found, _object("networking.k8s.io/v1", "NetworkPolicy", name, spec=spec)]


def _object(api_version: str, kind: str, name: str, **rest: Any) -> Manifest:
    metadata = {"name": name, "namespace": NAMESPACE, "labels": labels("bench")}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}


@contextmanager
def _cluster() -> Iterator[Running]:
    with fresh(nodes=1) as running:
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        Cluster.connect(str(running.kubeconfig)).apply(space, manager="bench")
        yield running


def measure(count: int, folder: Path) -> tuple[list[Row], int]:
    """The rows, and the bytes of state after `up`."""
    projects = [project(number) for number in range(count)]
    changed = copy.copy(projects)
    changed[count // 2] = project(count // 2, version=1)
    with _cluster() as running, spared(ROOT):
        ours, size = _ours(projects, changed, running, folder)
    with _cluster() as running:
        theirs = _theirs(projects, changed, running, folder)
    return [Row(what, ours[what], theirs[what]) for what in ours], size


def _ours(
    projects: Sequence[list[Manifest]], changed: Sequence[list[Manifest]], running: Running, folder: Path
) -> tuple[dict[str, float], int]:
    current = projects

    def program() -> None:
        for number, objects in enumerate(current):
            Objects(f"project-{number:03}", objects)

    stack = _stack(folder, running)
    times = {"up": timed(lambda: stack.up(program=program))}
    size = (folder / ".pulumi" / "stacks" / "aiga" / "bench.json").stat().st_size
    times["nothing to do"] = timed(lambda: stack.preview(program=program, expect_no_changes=True))
    current = changed
    times["one changed"] = timed(lambda: stack.up(program=program))
    times["destroy"] = timed(stack.destroy)
    return times, size


def _stack(folder: Path, running: Running) -> auto.Stack:
    binary = tools.ensure(["pulumi"])["pulumi"]
    path = [str(binary.parent), str(tools.dynamic_plugin(binary).parent), os.environ["PATH"]]
    environment = {
        "PATH": os.pathsep.join(path),
        "PYTHONPATH": str(ROOT),
        "AIGA_PYTHON": sys.executable,
        "AIGA_HOME": str(folder),
        "GOGC": "400",
        "PULUMI_HOME": str(folder / "pulumi"),
        "PULUMI_BACKEND_URL": f"file://{folder}",
        "PULUMI_CONFIG_PASSPHRASE": "benchmark",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }
    os.environ.update({name: environment[name] for name in ("PATH", "AIGA_HOME")})
    (folder / "pulumi").mkdir()
    work = folder / "work"
    work.mkdir()
    options = auto.LocalWorkspaceOptions(work_dir=str(work), env_vars=environment)
    stack = auto.create_stack("bench", project_name="aiga", program=lambda: None, opts=options)
    stack.set_config("aiga:kubeconfig", auto.ConfigValue(str(running.kubeconfig)))
    return stack


def _theirs(
    projects: Sequence[list[Manifest]], changed: Sequence[list[Manifest]], running: Running, folder: Path
) -> dict[str, float]:
    kubectl = [str(tools.ensure(["kubectl"])["kubectl"]), "--kubeconfig", str(running.kubeconfig)]
    before, after = _file(folder / "before.json", projects), _file(folder / "after.json", changed)
    some = _file(folder / "some.json", changed[:_DELETED])

    def run(*words: str) -> None:
        subprocess.run([*kubectl, *words], check=True, stdout=subprocess.DEVNULL)

    return {
        "up": timed(lambda: run("apply", "--server-side", "-f", before)),
        "nothing to do": timed(lambda: run("diff", "--server-side", "-f", before)),
        "one changed": timed(lambda: run("apply", "--server-side", "-f", after)),
        "destroy": timed(lambda: run("delete", "--wait", "-f", some)) * len(projects) / len(changed[:_DELETED]),
    }


def _file(path: Path, projects: Sequence[list[Manifest]]) -> str:
    items = [obj for objects in projects for obj in objects]
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    return str(path)


def main(counts: Sequence[int] = COUNTS) -> None:
    """Measure and print each size."""
    for count in counts:
        with tempfile.TemporaryDirectory(prefix="aiga-bench-") as folder:
            rows, size = measure(count, Path(folder))
        report(f"{count} Objects, {len(project(0)) * count} objects", rows, size, Console())


if __name__ == "__main__":
    main([int(each) for each in sys.argv[1:]] or COUNTS)
