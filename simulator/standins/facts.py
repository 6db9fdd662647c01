"""What of an object a stand-in must have in common with upstream's, as plain data to be compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

Facts = dict[str, Any]
_VERSIONED = {
    "helm.sh/chart",
    "chart",
    "app.kubernetes.io/version",
    "nats.eventing.knative.dev/release",
    "nats.messaging.knative.dev/release",
    "aiga.dev/simulated",
}
"""Labels that carry a version, which a chart taken from a Git tag does not know, or the mark of a stand-in."""
_POD = (
    "affinity",
    "automountServiceAccountToken",
    "enableServiceLinks",
    "hostNetwork",
    "hostPID",
    "nodeSelector",
    "priorityClassName",
    "securityContext",
    "serviceAccountName",
    "shareProcessNamespace",
    "terminationGracePeriodSeconds",
    "tolerations",
    "topologySpreadConstraints",
)
_SPEC = ("replicas", "strategy", "updateStrategy", "serviceName", "podManagementPolicy", "selector")
_LARGE = 20_000
"""Characters from which on the program installs a ConfigMap in another way."""
_LONG = ("metricRelabelings", "relabelings")


def key(manifest: Mapping[str, Any]) -> str:
    """`Kind/namespace/name`, with `-` for an object without namespace."""
    metadata = manifest["metadata"]
    return f"{manifest['kind']}/{metadata.get('namespace') or '-'}/{metadata['name']}"


def of(manifest: Mapping[str, Any]) -> Facts:
    """The facts of one object."""
    metadata = manifest["metadata"]
    kept = {k: v for k, v in (metadata.get("annotations") or {}).items() if k == "helm.sh/resource-policy"}
    labels = _labels(metadata.get("labels"))
    if manifest["kind"] == "CustomResourceDefinition":
        labels = {k: v for k, v in labels.items() if not k.startswith("app.kubernetes.io/")}
    own = {"apiVersion": manifest["apiVersion"], "labels": labels, "annotations": kept}
    facts: Facts = _clean({**own, **_body(manifest)})
    return facts


def digest(manifest: Mapping[str, Any]) -> str:
    """A short name for the facts of one object: equal facts, equal digests."""
    return hashlib.sha256(json.dumps(of(manifest), sort_keys=True).encode()).hexdigest()[:12]


def _body(manifest: Mapping[str, Any]) -> Facts:
    kind = manifest["kind"]
    spec: Facts = manifest.get("spec") or {}
    if kind.endswith("Binding"):
        subjects = [{k: v for k, v in s.items() if k != "apiGroup"} for s in manifest["subjects"]]
        return {"roleRef": manifest["roleRef"], "subjects": subjects}
    if kind in _OBJECTS:
        return _OBJECTS[kind](manifest)
    return _SPECS[kind](spec) if kind in _SPECS else _without(spec)


def _data(manifest: Mapping[str, Any]) -> Facts:
    texts = {**(manifest.get("data") or {}), **(manifest.get("stringData") or {})}
    dashboard = "grafana_dashboard" in (manifest["metadata"].get("labels") or {})
    large = not dashboard and sum(map(len, texts.values())) > _LARGE
    return {"data": sorted(name for name in texts if name != "_example"), "large": large}


def _role(manifest: Mapping[str, Any]) -> Facts:
    return {"aggregationRule": manifest.get("aggregationRule"), "rules": bool(manifest.get("rules"))}


def _webhooks(manifest: Mapping[str, Any]) -> Facts:
    return {"webhooks": _by(manifest["webhooks"], "name", dict)}


def _account(manifest: Mapping[str, Any]) -> Facts:
    return {"automount": manifest.get("automountServiceAccountToken")}


def _service(spec: Mapping[str, Any]) -> Facts:
    return {**spec, "type": spec.get("type", "ClusterIP"), "ports": _by(spec["ports"], "port", _service_port)}


def _groups(spec: Mapping[str, Any]) -> Facts:
    return {"groups": [group["name"] for group in spec["groups"]]}


def _workload(spec: Mapping[str, Any]) -> Facts:
    template, pod = spec["template"], spec["template"]["spec"]
    annotations = template["metadata"].get("annotations") or {}
    return {
        **{name: spec.get(name) for name in _SPEC},
        "podLabels": _labels(template["metadata"].get("labels")),
        "podAnnotations": {k: v for k, v in annotations.items() if "checksum/" not in k},
        "pod": {name: pod.get(name) for name in _POD},
        "containers": _by(pod["containers"], "name", _container),
        "initContainers": _by(pod.get("initContainers") or [], "name", _container),
        "order": [c["name"] for c in pod["containers"]],
        "claims": {c["metadata"]["name"]: c["spec"] for c in spec.get("volumeClaimTemplates") or []},
        "volumes": _by(pod.get("volumes") or [], "name", _volume),
    }


def _container(container: Mapping[str, Any]) -> Facts:
    sources = [variable.get("valueFrom") or {} for variable in container.get("env") or []]
    return {
        "image": _image(container["image"]),
        "ports": _by(container.get("ports") or [], "containerPort", lambda p: {"name": p.get("name")}),
        "resources": container.get("resources"),
        "securityContext": container.get("securityContext"),
        "probes": sorted(name for name in container if name.endswith("Probe")),
        "secrets": sorted({source["secretKeyRef"]["name"] for source in sources if "secretKeyRef" in source}),
        "envFrom": container.get("envFrom"),
        "mounts": sorted(m["mountPath"].rstrip("/") for m in container.get("volumeMounts") or []),
    }


def _image(reference: str) -> str:
    """The reference; of those that a source tree leaves to the build of a release (`ko://…`), the name alone."""
    if reference.startswith("ko://"):
        return reference.replace("ko://", "gcr.io/knative-releases/")
    return reference.partition(":")[0] if "knative.dev/eventing-natss" in reference else reference


def _volume(volume: Mapping[str, Any]) -> Facts:
    source = {k: v for k, v in volume.items() if k != "name"}
    kind = next(iter(source), "")
    body = source.get(kind) or {}
    return {"kind": kind, "of": body.get("secretName") or body.get("name") or body.get("claimName") or body.get("path")}


def _definition(spec: Mapping[str, Any]) -> Facts:
    names = {name: spec["names"].get(name) for name in ("kind", "plural")}
    versions = _by(spec["versions"], "name", _version)
    conversion = spec.get("conversion") or {}
    webhook = (conversion.get("webhook") or {}).get("clientConfig")
    return {"group": spec["group"], "names": names, "scope": spec["scope"], "versions": versions, "conversion": webhook}


def _version(version: Mapping[str, Any]) -> Facts:
    status = "status" in (version.get("subresources") or {})
    return {"served": version["served"], "storage": version["storage"], "status": status}


def _service_port(port: Mapping[str, Any]) -> Facts:
    return {"name": port.get("name"), "targetPort": port.get("targetPort", port["port"])}


def _labels(labels: Mapping[str, str] | None) -> Facts:
    return {k: v for k, v in (labels or {}).items() if k not in _VERSIONED}


def _by(items: Iterable[Mapping[str, Any]], name: str, fact: Callable[[Any], Any]) -> Facts:
    found: Facts = {}
    for item in items:
        protocol = item.get("protocol", "TCP")
        found[f"{item[name]}/{protocol}" if name.lower().endswith("port") else str(item[name])] = fact(item)
    return found


def _without(value: Any) -> Any:
    """Without the lists of relabelings, which a stand-in need not repeat."""
    if isinstance(value, Mapping):
        return {k: _without(v) for k, v in value.items() if k not in _LONG}
    return [_without(v) for v in value] if isinstance(value, list) else value


def _clean(value: Any) -> Any:
    """Without what is empty; quantities and numbers as text."""
    if isinstance(value, Mapping):
        cleaned = {k: _clean(v) for k, v in value.items() if k not in ("creationTimestamp", "caBundle")}
        return {k: v for k, v in cleaned.items() if v not in (None, "", {}, [])}
    if isinstance(value, list):
        return [_clean(v) for v in value]
    return value if isinstance(value, bool) or value is None else str(value)


_OBJECTS: Mapping[str, Callable[[Mapping[str, Any]], Facts]] = {
    "ClusterRole": _role,
    "ConfigMap": _data,
    "MutatingWebhookConfiguration": _webhooks,
    "Role": _role,
    "Secret": _data,
    "ServiceAccount": _account,
    "ValidatingWebhookConfiguration": _webhooks,
}
_SPECS: Mapping[str, Callable[[Mapping[str, Any]], Facts]] = {
    "CustomResourceDefinition": _definition,
    "DaemonSet": _workload,
    "Deployment": _workload,
    "PrometheusRule": _groups,
    "Service": _service,
    "StatefulSet": _workload,
}


def differences(real: Any, standin: Any, path: str = "") -> Iterator[str]:
    """Every place in which two facts differ."""
    if isinstance(real, Mapping) and isinstance(standin, Mapping):
        for name in sorted({*real, *standin}):
            yield from differences(real.get(name), standin.get(name), f"{path}.{name}" if path else name)
    elif real != standin:
        yield f"{path}: upstream {_short(real)}, stand-in {_short(standin)}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:300]}…"
