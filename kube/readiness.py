"""When a live object counts as ready: pure functions over the object as the API server returns it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from kube.refs import group_of

Object = Mapping[str, Any]

WAIT_FOR = "pulumi.com/waitFor"
SKIP_AWAIT = "pulumi.com/skipAwait"


def pending(obj: Object) -> str | None:
    """Why the object is not ready yet, None when it is. `pulumi.com/waitFor` and `skipAwait` are honoured."""
    annotations = (obj.get("metadata") or {}).get("annotations") or {}
    if str(annotations.get(SKIP_AWAIT, "")).lower() == "true":
        return None
    if annotations.get(WAIT_FOR):
        return _first(_condition_met(obj, rule) for rule in _rules(annotations[WAIT_FOR]))
    check = _CHECKS.get((group_of(obj.get("apiVersion", "")), obj.get("kind", "")))
    return check(obj) if check else None


def failed(obj: Object) -> str | None:
    """Why waiting longer is useless, None while there is hope."""
    kind = obj.get("kind")
    if kind == "Job":
        return _when(obj, "Failed", "True")
    if kind == "CustomResourceDefinition":
        return _when(obj, "NamesAccepted", "False")
    return None


def awaited(api_version: str, kind: str) -> bool:
    """Whether objects of this kind can be anything but ready at once (annotations aside)."""
    return (group_of(api_version), kind) in _CHECKS


def _deployment(obj: Object) -> str | None:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    wanted = spec.get("replicas", 1)
    if (behind := _unobserved(obj)) or (behind := _short(status, "updatedReplicas", wanted, "updated")):
        return behind + _reason(obj)
    if status.get("replicas", 0) > wanted:
        return f"{status['replicas'] - wanted} old replicas are still there"
    short = _short(status, "availableReplicas", wanted, "available")
    return short + _reason(obj) if short else None


def _stateful_set(obj: Object) -> str | None:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    wanted = spec.get("replicas", 1)
    strategy = spec.get("updateStrategy") or {}
    if behind := _unobserved(obj) or _short(status, "readyReplicas", wanted, "ready"):
        return behind
    if strategy.get("type") == "OnDelete":
        return None
    partition = (strategy.get("rollingUpdate") or {}).get("partition", 0)
    rolling = status.get("currentRevision") != status.get("updateRevision") or partition
    return _short(status, "updatedReplicas", max(wanted - partition, 0), "updated") if rolling else None


def _daemon_set(obj: Object) -> str | None:
    status = obj.get("status") or {}
    wanted = status.get("desiredNumberScheduled", 0)
    return (
        _unobserved(obj)
        or _short(status, "updatedNumberScheduled", wanted, "updated")
        or _short(status, "numberAvailable", wanted, "available")
    )


def _job(obj: Object) -> str | None:
    if (obj.get("spec") or {}).get("suspend"):
        return None
    if broken := failed(obj):
        return broken
    return None if _is(obj, "Complete") else "the job has not completed"


def _definition(obj: Object) -> str | None:
    if broken := failed(obj):
        return broken
    missing = [name for name in ("NamesAccepted", "Established") if not _is(obj, name)]
    return f"not {' and not '.join(missing)}" if missing else None


def _claim(obj: Object) -> str | None:
    phase = (obj.get("status") or {}).get("phase", "Pending")
    return None if phase == "Bound" else f"the volume claim is {phase}"


def _service(obj: Object) -> str | None:
    if (obj.get("spec") or {}).get("type") != "LoadBalancer":
        return None
    balancer = (obj.get("status") or {}).get("loadBalancer") or {}
    return None if balancer.get("ingress") else "no load balancer has given it an address"


def _pod(obj: Object) -> str | None:
    phase = (obj.get("status") or {}).get("phase", "Pending")
    if phase == "Succeeded" or _is(obj, "Ready"):
        return None
    return f"the pod is {phase}{_reason(obj)}"


def _namespace(obj: Object) -> str | None:
    phase = (obj.get("status") or {}).get("phase", "Active")
    return None if phase == "Active" else f"the namespace is {phase}"


def _api_service(obj: Object) -> str | None:
    return None if _is(obj, "Available") else "not Available" + _reason(obj)


_CHECKS: dict[tuple[str, str], Callable[[Object], str | None]] = {
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful_set,
    ("apps", "DaemonSet"): _daemon_set,
    ("batch", "Job"): _job,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
    ("apiregistration.k8s.io", "APIService"): _api_service,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "Service"): _service,
    ("", "Pod"): _pod,
    ("", "Namespace"): _namespace,
}


def _unobserved(obj: Object) -> str | None:
    seen = (obj.get("status") or {}).get("observedGeneration", 0)
    wanted = (obj.get("metadata") or {}).get("generation", 0)
    return None if seen >= wanted else "its controller has not looked at it yet"


def _short(status: Object, field: str, wanted: int, word: str) -> str | None:
    have = status.get(field, 0)
    return None if have >= wanted else f"{have} of {wanted} replicas are {word}"


def _conditions(obj: Object) -> list[Object]:
    return list((obj.get("status") or {}).get("conditions") or [])


def _is(obj: Object, condition: str) -> bool:
    return any(found.get("type") == condition and found.get("status") == "True" for found in _conditions(obj))


def _when(obj: Object, condition: str, status: str) -> str | None:
    for found in _conditions(obj):
        if found.get("type") == condition and found.get("status") == status:
            return f"{condition} is {status}: {found.get('message') or found.get('reason')}"
    return None


def _reason(obj: Object) -> str:
    for found in _conditions(obj):
        if found.get("message") and (found.get("status") == "False" or found.get("type") == "ReplicaFailure"):
            return f" ({found.get('message')})"
    return ""


def _first(reasons: Any) -> str | None:
    return next((reason for reason in reasons if reason), None)


def _rules(annotation: str) -> list[str]:
    if not annotation.lstrip().startswith("["):
        return [annotation]
    return [str(rule) for rule in json.loads(annotation)]


def _condition_met(obj: Object, rule: str) -> str | None:
    verb, _, rest = rule.partition("=")
    if verb == "condition":
        name, _, wanted = rest.partition("=")
        return _has_condition(obj, name, wanted or "True")
    if verb == "jsonpath" and (parts := re.fullmatch(r"\{(.*)\}(?:=(.*))?", rest, re.S)):
        path, expected = parts[1], parts[2]
        found = at(obj, path)
        if expected is None:
            return None if found else f"{path} is not there"
        shown = [value if isinstance(value, str) else json.dumps(value) for value in found]
        return None if expected in shown else f"{path} is {', '.join(shown) or 'not there'}, not {expected}"
    raise ValueError(f"{WAIT_FOR}: {rule!r} is neither condition=TYPE[=STATUS] nor jsonpath={{PATH}}[=VALUE]")


def _has_condition(obj: Object, name: str, wanted: str) -> str | None:
    for found in _conditions(obj):
        if str(found.get("type", "")).lower() == name.lower():
            if str(found.get("status", "")).lower() == wanted.lower():
                return None
            detail = found.get("message") or found.get("reason") or "no reason given"
            return f"condition {name} is {found.get('status')}: {detail}"
    return f"condition {name} is not there"


_STEP = re.compile(
    r"""\.?(?P<name>(?:[^.\[\]\\]|\\.)+)
      | \[['"](?P<quoted>[^'"]*)['"]\]
      | \[(?P<index>-?\d+|\*)\]
      | \[\?\(@\.(?P<field>[\w.]+)\s*==\s*['"](?P<value>[^'"]*)['"]\)\]""",
    re.X,
)


def at(obj: Any, path: str) -> list[Any]:
    """The values a JSONPath of the kubectl sort points at: names, ['quoted'], [0], [*], [?(@.type=="Ready")]."""
    found, position = [obj], 0
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            raise ValueError(f"{WAIT_FOR}: cannot read the JSONPath {path!r} from character {position}")
        found = [below for value in found for below in _below(value, step)]
        position = step.end()
    return found


def _below(value: Any, step: re.Match[str]) -> list[Any]:
    name = step["quoted"] if step["quoted"] is not None else step["name"]
    if name is not None:
        name = re.sub(r"\\(.)", r"\1", name)
        return [value[name]] if isinstance(value, dict) and name in value else []
    items = value if isinstance(value, list) else []
    if step["field"]:
        return [item for item in items if isinstance(item, dict) and str(item.get(step["field"])) == step["value"]]
    if step["index"] == "*":
        return items
    index = int(step["index"])
    return [items[index]] if -len(items) <= index < len(items) else []
