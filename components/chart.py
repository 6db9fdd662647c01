"""Renders charts and manifests into plain objects, in the program itself (docs/adr/0001).

`render` runs the pinned helm with every outside influence fixed: Kubernetes version, API versions and values are
arguments, hooks and lookups are off. The result is cached by the digests of all of them.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pulumi
import yaml

from components import upstream
from components.context import Context, Profile
from kube import charts
from kube.yaml import load_all

Manifest = dict[str, Any]
VALUES = Path(__file__).with_name("values")
CLUSTER_SCOPED = frozenset(
    {
        "APIService",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "IngressClass",
        "MutatingAdmissionPolicy",
        "MutatingAdmissionPolicyBinding",
        "MutatingWebhookConfiguration",
        "Namespace",
        "PersistentVolume",
        "PriorityClass",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
    }
)


def values(chart: str, profile: Profile, *overrides: Mapping[str, Any]) -> dict[str, Any]:
    """A chart's values for a profile, from `values/<chart>.yaml`, with the layer's own on top."""
    sections = yaml.safe_load((VALUES / f"{chart}.yaml").read_text())
    return charts.merged(*(sections[name] for name in charts.PROFILES[profile]), *overrides)


def render(context: Context, name: str, *, release: str, namespace: str, values: Mapping[str, Any]) -> list[Manifest]:
    """The objects of a chart, every namespaced one with its namespace.

    Raises:
        pulumi.RunError: the chart is not to be had, or helm refuses it; helm's own reason is in the message.
    """
    located = context.upstream.locate(upstream.lock().charts[name])
    flags = charts.flags(namespace, context.kubernetes_version)
    body = json.dumps(values, sort_keys=True)
    key = hashlib.sha256(json.dumps([located.digest, _helm_version(), release, flags, body]).encode()).hexdigest()
    cached = upstream.ROOT / ".aiga" / "cache" / "render" / f"{key}.json"
    if not cached.is_file():
        run = subprocess.run(
            [_helm(), "template", release, str(located.path), *flags, "--values", "-"],
            input=body, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if run.returncode:
            raise pulumi.RunError(f"chart {located.entry.stem} ({located.path}) does not render: {_reason(run.stderr)}")
        cached.parent.mkdir(parents=True, exist_ok=True)
        fresh = cached.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps(load_all(run.stdout)))
        fresh.replace(cached)
    return with_namespace(json.loads(cached.read_text()), namespace)


def manifest(context: Context, name: str) -> list[Manifest]:
    """The objects of an upstream manifest, as they are."""
    located = context.upstream.locate(upstream.lock().manifests[name])
    return load_all(located.path.read_text())


def with_namespace(objects: Iterable[Manifest], namespace: str) -> list[Manifest]:
    """Gives namespaced objects that name no namespace the release's, and drops metadata that a template left empty."""

    def metadata(o: Manifest) -> dict[str, Any]:
        given = {key: value for key, value in o["metadata"].items() if value is not None}
        return given if o["kind"] in CLUSTER_SCOPED or given.get("namespace") else {**given, "namespace": namespace}

    return [{**o, "metadata": metadata(o)} for o in objects]


def _helm() -> str:
    helm = shutil.which("helm")
    if helm is None:
        raise pulumi.RunError("helm is not on PATH: charts cannot be rendered (run through `make`, or see `make env`)")
    return helm


@cache
def _helm_version() -> str:
    run = subprocess.run([_helm(), "version", "--short"], capture_output=True, text=True, check=False)
    if run.returncode:
        raise pulumi.RunError(f"helm on PATH ({_helm()}) does not run: {_reason(run.stderr)}")
    return run.stdout.strip()


def _reason(stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if line.strip()]
    return next(
        (line.removeprefix("Error: ") for line in lines if line.startswith("Error: ")),
        " ".join(lines) or "no reason given",
    )
