"""What it takes to tell one copy of a chart or manifest from another, and to render it the same everywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

API_VERSIONS = ("monitoring.coreos.com/v1", "policy/v1", "autoscaling/v2", "networking.k8s.io/v1")
"""What charts may find in Capabilities.APIVersions: the kinds that the platform itself brings, and no more."""
PROFILES = {"laptop": ("all", "laptop"), "team": ("all", "laptop", "team"), "prod": ("all", "prod")}
"""The sections of a values file that make up each profile: `team` is `laptop` with more room."""


def content_digest(path: Path) -> str:
    """sha256 of a file, or of a folder by the sorted relative names and contents of its files."""
    return tree_digest(path) if path.is_dir() else file_digest(path)


def file_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def tree_digest(path: Path) -> str:
    total = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        total.update(f"{file.relative_to(path).as_posix()}\0{file_digest(file)}\n".encode())
    return total.hexdigest()


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Deep merge as helm does it: maps are merged, anything else is replaced by the later one."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            old = result.get(key)
            result[key] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def flags(namespace: str, kubernetes_version: str) -> list[str]:
    """`helm template`'s, with every influence of a cluster fixed: hooks are off, versions are arguments."""
    fixed = ["--namespace", namespace, "--include-crds", "--no-hooks", "--kube-version", kubernetes_version]
    return [*fixed, *(flag for version in API_VERSIONS for flag in ("--api-versions", version))]
