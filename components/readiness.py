"""Which condition says that a custom resource is ready: the engine waits for it by the annotation `pulumi.com/waitFor`.

Without it a custom resource counts as ready once the API server has stored it, whatever its controller finds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Manifest = dict[str, Any]

WAIT_FOR = "pulumi.com/waitFor"
CONDITIONS: Mapping[tuple[str, str], str] = {
    ("eventing.knative.dev", "Broker"): "Ready",
    ("argoproj.io", "EventBus"): "Deployed",
    ("argoproj.io", "EventSource"): "Deployed",
    ("monitoring.coreos.com", "Prometheus"): "Available",
    ("monitoring.coreos.com", "Alertmanager"): "Available",
    ("source.toolkit.fluxcd.io", "Bucket"): "Ready",
    ("source.toolkit.fluxcd.io", "GitRepository"): "Ready",
}
"""Group and kind to the condition that sums the others up.

A Kustomization is not among them: before the first release there is nothing that it could apply.
"""


def awaited(o: Manifest) -> Manifest:
    """The object, with the annotation where its kind has such a condition."""
    condition = CONDITIONS.get((o["apiVersion"].rpartition("/")[0], o["kind"]))
    if condition is None:
        return o
    annotations = {**o["metadata"].get("annotations", {}), WAIT_FOR: f"condition={condition}"}
    return {**o, "metadata": {**o["metadata"], "annotations": annotations}}
