"""The provider's configuration, the cluster it aims at, and the refusal of every cluster but the simulator."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kube import yaml
from kube.cluster import Cluster
from kube.errors import KubeError, Unreachable, one_line
from kube.refs import Ref
from simulator.provider.errors import ProviderError

CONTEXT_PREFIX = "kwok-aiga-"
MARKER = Ref("v1", "ConfigMap", "kube-system", "aiga-simulator")

_VARIABLE = "kubernetes:config:"
_REMEDY = (
    "aim at the simulator (.venv/bin/python -m simulator up), or install the official plugin: "
    "pulumi plugin install resource kubernetes"
)


@dataclass(frozen=True)
class Options:
    """What the program or the environment asks of the provider."""

    kubeconfig: str
    context: str
    namespace: str = "default"
    server_side_apply: bool = True
    force: bool = False
    """Take fields over from other managers."""
    upsert: bool = False
    """Adopt objects that exist already."""
    config_maps_change: bool = False
    secrets_change: bool = False
    forget_unreachable: bool = False
    """Drop what lay in a cluster that does not answer from the state."""

    @classmethod
    def read(cls, variables: Mapping[str, str], environment: Mapping[str, str]) -> Options:
        """From the engine's variables where the program sets them, else from the environment."""
        config = {key.removeprefix(_VARIABLE): value for key, value in variables.items()}

        def on(name: str, variable: str, default: bool = False) -> bool:
            text = config.get(name) or environment.get(variable) or str(default)
            return text.strip('"').lower() == "true"

        kubeconfig = config.get("kubeconfig") or environment.get("KUBECONFIG") or "~/.kube/config"
        found = document(kubeconfig)
        context = config.get("context") or str(found.get("current-context") or "")
        return cls(
            kubeconfig=kubeconfig,
            context=context,
            namespace=config.get("namespace") or _namespace(found, context),
            server_side_apply=on("enableServerSideApply", "PULUMI_K8S_ENABLE_SERVER_SIDE_APPLY", True),
            force=on("enablePatchForce", "PULUMI_K8S_ENABLE_PATCH_FORCE"),
            upsert=on("upsertExistingObjects", "PULUMI_K8S_UPSERT_EXISTING_OBJECTS"),
            config_maps_change=on("enableConfigMapMutable", "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE"),
            secrets_change=on("enableSecretMutable", "PULUMI_K8S_ENABLE_SECRET_MUTABLE"),
            forget_unreachable=on("deleteUnreachable", "PULUMI_K8S_DELETE_UNREACHABLE"),
        )


def document(kubeconfig: str) -> dict[str, Any]:
    """A kubeconfig, given as a path or as its text."""
    text = kubeconfig
    if "\n" not in text and not text.lstrip().startswith("{"):
        path = Path(os.path.expanduser(text))
        if not path.is_file():
            raise ProviderError(f"kubeconfig {kubeconfig}: there is no such file; set kubernetes:kubeconfig")
        text = path.read_text()
    try:
        found = yaml.load(text)
    except (yaml.Error, ValueError) as error:
        raise ProviderError(f"kubeconfig: {one_line(str(error))}") from None
    if not isinstance(found, dict):
        raise ProviderError("kubeconfig: neither the path of a file nor the YAML of a kubeconfig")
    return found


def active_cluster(kubeconfig: str, context: str) -> Any:
    """Address and certificate of the cluster that a context names; None when it names none."""
    found = document(kubeconfig)
    entry = _entry(found, "contexts", context or str(found.get("current-context") or ""))
    return _entry(found, "clusters", str(entry.get("cluster", ""))) or None


def _namespace(found: Mapping[str, Any], context: str) -> str:
    return str(_entry(found, "contexts", context).get("namespace") or "default")


def _entry(found: Mapping[str, Any], section: str, name: str) -> dict[str, Any]:
    for entry in found.get(section) or []:
        if entry.get("name") == name:
            return dict(entry.get(section.removesuffix("s")) or {})
    return {}


def connect(options: Options) -> Cluster:
    """A connection that has been proved to lead to the simulator."""
    if not options.server_side_apply:
        raise ProviderError(
            "the stand-in kubernetes plugin applies server-side alone: drop enableServerSideApply=false"
        )
    if not options.context.startswith(CONTEXT_PREFIX):
        shown = f'context "{options.context}"' if options.context else "a kubeconfig without a context"
        raise _refusal(f"{shown}, whose name does not begin with {CONTEXT_PREFIX}")
    try:
        cluster = Cluster.connect(options.kubeconfig, options.context)
        marked = cluster.get(MARKER) is not None
    except Unreachable as error:
        if options.forget_unreachable:
            return cluster
        raise ProviderError(f"configured Kubernetes cluster is unreachable: {error}; is the simulator up?") from None
    except KubeError as error:
        raise ProviderError(str(error)) from None
    if not marked:
        raise _refusal(
            f'context "{options.context}" at {cluster.server}, which has no ConfigMap {MARKER.namespace}/{MARKER.name}'
        )
    return cluster


def _refusal(what: str) -> ProviderError:
    return ProviderError(f"the stand-in kubernetes plugin works on the simulator alone, and refuses {what}: {_REMEDY}")
