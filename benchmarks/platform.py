"""The whole platform by `make up`, preview and down, beside kubectl doing the same with the same objects.

Each side has a simulator of its own, one after the other. kubectl applies CRDs, waits for them, applies the rest
server-side and waits until all workloads are available: what a person would script. `python -m benchmarks.platform`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import tools
from components import upstream
from simulator import cluster as simulation
from simulator import standins
from stacks.footprint import manifests
from stacks.recording import record
from stacks.workdir import ROOT

Manifest = dict[str, Any]
WORKLOADS = ("deployments", "statefulsets", "daemonsets")


@dataclass(frozen=True)
class Row:
    """One thing to do, by us and by kubectl, in seconds."""

    what: str
    ours: float
    kubectl: float

    @property
    def ratio(self) -> float:
        return self.ours / self.kubectl


def timed(action: Callable[[], object]) -> float:
    since = time.perf_counter()
    action()
    return time.perf_counter() - since


def measure(folder: Path) -> tuple[list[Row], int]:
    """The rows, and the bytes of state after `up`."""
    ours, size = _ours(folder / "ours")
    theirs = _theirs(folder / "kubectl")
    return [Row(what, ours[what], theirs[what]) for what in ours], size


def _ours(folder: Path) -> tuple[dict[str, float], int]:
    environment = {**os.environ, "AIGA_HOME": str(folder)}

    def run(*words: str) -> None:
        command = [sys.executable, "-m", "stacks", *words, "--stack", "sim"]
        subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)

    home = folder / ".aiga" / "sim"
    simulation.up(home, progress=lambda _: None)
    run("preview")  # the first one renders the charts, which every later run finds in the cache
    times = {"up": timed(lambda: run("up"))}
    size = (home / "state" / ".pulumi" / "stacks" / "aiga" / "sim.json").stat().st_size
    times["nothing to do"] = timed(lambda: run("preview"))
    times["destroy"] = timed(lambda: run("down", "--keep-cluster"))
    simulation.down(home, progress=lambda _: None)
    return times, size


def _theirs(folder: Path) -> dict[str, float]:
    running = simulation.up(folder / "sim", progress=lambda _: None)
    kubectl = [str(tools.ensure(["kubectl"])["kubectl"]), "--kubeconfig", str(running.kubeconfig)]
    files = _files(folder)

    def run(*words: str, accepted: Iterable[int] = (0,)) -> None:
        done = subprocess.run([*kubectl, *words], capture_output=True, text=True, check=False)
        if done.returncode not in accepted:
            raise SystemExit(f"kubectl {' '.join(words[:3])}: {done.stderr[-2000:]}")

    def apply() -> None:
        for file in files:
            run("apply", "--server-side", "--force-conflicts", "-f", str(file))
            if file.stem == "crds":
                run("wait", "--for=condition=Established", "-f", str(file), "--timeout=120s")
        run("wait", "--for=condition=Available", "deployments", "--all", "--all-namespaces", "--timeout=300s")
        for kind in WORKLOADS:
            run("rollout", "status", kind, "--all-namespaces", "--timeout=300s", accepted=(0, 1))

    forwards = [word for file in files for word in ("-f", str(file))]
    backwards = [word for file in reversed(files) for word in ("-f", str(file))]
    times = {"up": timed(apply)}
    times["nothing to do"] = timed(
        lambda: run("diff", "--server-side", "--force-conflicts", *forwards, accepted=(0, 1))
    )
    times["destroy"] = timed(lambda: run("delete", "--wait", "--ignore-not-found", *backwards))
    simulation.down(folder / "sim", progress=lambda _: None)
    return times


def _files(folder: Path) -> Sequence[Path]:
    """The program's objects as files, in the order in which kubectl can apply them."""
    config = {"aiga:provider": "sim", "aiga:kubeconfig": "none", "aiga:context": "none"}
    config["aiga:standins"] = str(standins.build(ROOT / ".aiga" / "standins", standins.true_definitions()))
    os.environ["PATH"] = f"{tools.ensure(['helm'])['helm'].parent}{os.pathsep}{os.environ['PATH']}"
    objects = list(manifests(record(config, "sim")))

    def step(o: Manifest) -> int:
        order = {"CustomResourceDefinition": 0, "Namespace": 1}
        last = 4 if o["kind"].endswith("WebhookConfiguration") else 2 if "/" not in o["apiVersion"] else 3
        return order.get(o["kind"], last)

    names = ["crds", "namespaces", "core", "rest", "webhooks"]
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        items = [_plain(o) for o in objects if step(o) == number]
        (folder / f"{name}.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    return [folder / f"{name}.json" for name in names]


def _plain(o: Manifest) -> Manifest:
    """Generated values stand as one word in a recording, which no CA bundle may be."""
    text = json.dumps(o).replace('"caBundle": "Z2VuZXJhdGVk"', '"caBundle": ""')
    return dict(json.loads(text))


def report(title: str, rows: Sequence[Row], size: int, console: Console) -> None:
    """Print what was measured."""
    table = Table(title=title, title_justify="left")
    for heading in ("", "aiga", "kubectl", "ratio"):
        table.add_column(heading, justify="right" if heading else "left")
    for row in rows:
        table.add_row(row.what, f"{row.ours:.1f} s", f"{row.kubectl:.1f} s", f"{row.ratio:.2f}")
    console.print(table)
    console.print(f"state: {size} bytes")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="aiga-bench-") as folder:
        rows, size = measure(Path(folder))
    charts = standins.label(upstream.Upstream().vendor)
    report(f"The whole platform, {charts}", rows, size, Console())


if __name__ == "__main__":
    main()
