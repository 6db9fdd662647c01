"""What of an object a stand-in must have in common with upstream's, as plain data to be compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Facts = dict[str, Any]
_VERSIONED = ("helm.sh/chart", "chart", "app.kubernetes.io/version", "aiga.dev/simulated")
"""Labels that carry a version, which a chart taken from a Git tag does not know, or the mark of a stand-in."""
_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
_LONG = ("metricRelabelings", "relabelings")
_POD = (
    "serviceAccountName securityContext automountServiceAccountToken hostNetwork hostPID topologySpreadConstraints affinity"
    " tolerations nodeSelector terminationGracePeriodSeconds enableServiceLinks shareProcessNamespace priorityClassName"
).split()
_SPEC = "replicas strategy updateStrategy serviceName podManagementPolicy selector".split()


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
    return _clean({**own, **_body(manifest)})


def _body(manifest: Mapping[str, Any]) -> Facts:
    spec = manifest.get("spec") or {}
    match manifest["kind"]:
        case kind if kind in _WORKLOADS:
            return _workload(spec)
        case "Service":
            return {**spec, "type": spec.get("type", "ClusterIP"), "ports": _by(spec["ports"], "port", _service_port)}
        case "ConfigMap" | "Secret":
            data = [*(manifest.get("data") or {}), *(manifest.get("stringData") or {})]
            return {"data": sorted(name for name in data if name != "_example")}
        case "ClusterRole" | "Role":
            return {"aggregationRule": manifest.get("aggregationRule"), "rules": bool(manifest.get("rules"))}
        case "ClusterRoleBinding" | "RoleBinding":
            subjects = [{k: v for k, v in s.items() if k != "apiGroup"} for s in manifest["subjects"]]
            return {"roleRef": manifest["roleRef"], "subjects": subjects}
        case "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration":
            return {"webhooks": _by(manifest["webhooks"], "name", dict)}
        case "CustomResourceDefinition":
            return _definition(spec)
        case "PrometheusRule":
            return {"groups": [group["name"] for group in spec["groups"]]}
        case "ServiceAccount":
            return {"automount": manifest.get("automountServiceAccountToken")}
        case _:
            return _without(spec, _LONG)


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
        "claims": _by([{**c["metadata"], **c} for c in spec.get("volumeClaimTemplates") or []], "name", lambda c: c["spec"]),
        "volumes": _by(pod.get("volumes") or [], "name", _volume),
    }


def _container(container: Mapping[str, Any]) -> Facts:
    env = container.get("env") or []
    return {
        "image": container["image"],
        "ports": _by(container.get("ports") or [], "containerPort", lambda p: {"name": p.get("name")}),
        "resources": container.get("resources"),
        "securityContext": container.get("securityContext"),
        "probes": sorted(name for name in container if name.endswith("Probe")),
        "secrets": sorted({v["valueFrom"]["secretKeyRef"]["name"] for v in env if "secretKeyRef" in (v.get("valueFrom") or {})}),
        "envFrom": container.get("envFrom"),
        "mounts": sorted(m["mountPath"].rstrip("/") for m in container.get("volumeMounts") or []),
    }


def _volume(volume: Mapping[str, Any]) -> Facts:
    source = {k: v for k, v in volume.items() if k != "name"}
    kind = next(iter(source), "")
    body = source.get(kind) or {}
    return {"kind": kind, "of": body.get("secretName") or body.get("name") or body.get("claimName") or body.get("path")}


def _definition(spec: Mapping[str, Any]) -> Facts:
    names = {name: spec["names"].get(name) for name in ("kind", "plural")}
    versions = {v["name"]: {"served": v["served"], "storage": v["storage"], "status": _has_status(v)} for v in spec["versions"]}
    conversion = spec.get("conversion") or {}
    webhook = (conversion.get("webhook") or {}).get("clientConfig")
    return {"group": spec["group"], "names": names, "scope": spec["scope"], "versions": versions, "conversion": webhook}


def _has_status(version: Mapping[str, Any]) -> bool:
    return "status" in (version.get("subresources") or {})


def _service_port(port: Mapping[str, Any]) -> Facts:
    return {"name": port.get("name"), "targetPort": port.get("targetPort", port["port"])}


def _labels(labels: Mapping[str, str] | None) -> Facts:
    return {k: v for k, v in (labels or {}).items() if k not in _VERSIONED}


def _by(items: Iterable[Mapping[str, Any]], name: str, fact: Any) -> Facts:
    found: Facts = {}
    for item in items:
        protocol = item.get("protocol", "TCP")
        found[f"{item[name]}/{protocol}" if name.lower().endswith("port") else str(item[name])] = fact(item)
    return found


def _without(value: Any, names: Iterable[str]) -> Any:
    if isinstance(value, Mapping):
        return {k: _without(v, names) for k, v in value.items() if k not in names}
    return [_without(v, names) for v in value] if isinstance(value, list) else value


def _clean(value: Any) -> Any:
    """Without what is empty; quantities and numbers as text."""
    if isinstance(value, Mapping):
        cleaned = {k: _clean(v) for k, v in value.items() if k not in ("creationTimestamp", "caBundle")}
        return {k: v for k, v in cleaned.items() if v not in (None, "", {}, [])}
    if isinstance(value, list):
        return [_clean(v) for v in value]
    return value if isinstance(value, bool) or value is None else str(value)


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
