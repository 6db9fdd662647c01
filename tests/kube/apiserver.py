"""A real API server for tests: a simulator of its own in a temporary folder."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def running(home: Path, name: str) -> Iterator[str]:
    """The path of the kubeconfig of an API server that lives as long as the block."""
    program = {part: shutil.which(part) for part in _PARTS}
    environment = os.environ | {"KWOK_WORKDIR": str(home)}
    kubeconfig = home / f"{name}.yaml"
    binaries = [f"--{part}-binary={program[binary]}" for binary, part in _PARTS.items() if part]
    common = ["--name", name, "--kubeconfig", str(kubeconfig)]
    create = ["kwokctl", "create", "cluster", *common, "--runtime", "binary", *binaries, "--wait", "120s"]
    subprocess.run(create, env=environment, check=True, capture_output=True)
    try:
        scale = ["kwokctl", "scale", "node", "--name", name, "--replicas", "1"]
        subprocess.run(scale, env=environment, check=True, capture_output=True)
        yield str(kubeconfig)
    finally:
        subprocess.run(["kwokctl", "delete", "cluster", *common], env=environment, check=True, capture_output=True)


_PARTS = {
    "etcd": "etcd",
    "kube-apiserver": "kube-apiserver",
    "kube-controller-manager": "kube-controller-manager",
    "kube-scheduler": "kube-scheduler",
    "kwok": "kwok-controller",
}
