"""The small notations of the tables: ports, rules, volumes, environment, claims."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_VOLUMES = {
    "claim": ("persistentVolumeClaim", "claimName"),
    "config": ("configMap", "name"),
    "empty": ("emptyDir", ""),
    "host": ("hostPath", "path"),
    "secret": ("secret", "secretName"),
}


def service_ports(ports: Sequence[str | Mapping[str, Any]]) -> list[Any]:
    """`name:80:8080` (or `:80` with no name, `/UDP` behind it for another protocol); maps stay as they are."""
    return [_service_port(port) if isinstance(port, str) else dict(port) for port in ports]


def _service_port(text: str) -> Any:
    if text.startswith("${"):
        return text
    spec, _, protocol = text.partition("/")
    name, port, *target = spec.split(":")
    return {
        **({"name": name} if name else {}),
        "port": int(port),
        **({"targetPort": _number(target[0])} if target else {}),
        **({"protocol": protocol} if protocol else {}),
    }


def container_ports(ports: Sequence[str | Mapping[str, Any]]) -> list[Any]:
    """`name:8080` or `:6060`, `/UDP` behind it for another protocol; maps stay as they are."""
    return [_container_port(port) if isinstance(port, str) else dict(port) for port in ports]


def _container_port(text: str) -> dict[str, Any]:
    spec, _, protocol = text.partition("/")
    name, _, port = spec.partition(":")
    return {
        **({"name": name} if name else {}),
        "containerPort": int(port) if port.isdigit() else port,
        **({"protocol": protocol} if protocol else {}),
    }


def rules(short: Sequence[str | Mapping[str, Any]]) -> list[Any]:
    """`get,list group/resource group/other`, the core group being `core`; `get url /metrics` for a path."""
    return [_rule(rule) if isinstance(rule, str) else dict(rule) for rule in short]


def _rule(text: str) -> dict[str, Any]:
    verbs, *targets = text.split()
    if targets[0] == "url":
        return {"nonResourceURLs": targets[1:], "verbs": verbs.split(",")}
    pairs = [target.split("/", 1) for target in targets]
    groups = list(dict.fromkeys("" if group == "core" else group for group, _ in pairs))
    return {"apiGroups": groups, "resources": list(dict.fromkeys(name for _, name in pairs)), "verbs": verbs.split(",")}


def environment(short: Mapping[str, Any] | Sequence[Any]) -> list[Any]:
    """Variables by name: a text, or `field:`, `secret:name/key`, `config:name/key` and `resource:limits.cpu`."""
    return [_variable(name, value) for name, value in short.items()] if isinstance(short, Mapping) else list(short)


def _variable(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return {"$when": value["$when"], **_variable(name, value["$value"])}
    source, _, rest = str(value).partition(":")
    owner, _, key = rest.rpartition("/")
    match source:
        case "field":
            return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": rest}}}
        case "secret":
            return {"name": name, "valueFrom": {"secretKeyRef": {"name": owner, "key": key}}}
        case "config":
            return {"name": name, "valueFrom": {"configMapKeyRef": {"name": owner, "key": key}}}
        case "resource":
            return {"name": name, "valueFrom": {"resourceFieldRef": {"resource": rest, "divisor": "1"}}}
        case _:
            return {"name": name, "value": _text(str(value))}


def _text(value: str) -> str:
    """A plain reference turned into text: a variable takes no number and no boolean."""
    return re.sub(r"^\$\{([^=|{}]+)\}$", r"${\1 | toString}", value)


def volumes(short: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Volumes by name: `empty`, `claim:name`, `config:name`, `secret:name`, `host:/path`, or as they stand."""
    return [_volume(name, value) for name, value in short.items()]


def _volume(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        guard = {"$when": value["$when"]} if "$when" in value else {}
        if "$value" in value:
            return {**guard, **_volume(name, value["$value"])}
        return {**guard, "name": name, **{k: v for k, v in value.items() if k != "$when"}}
    source, _, rest = value.partition(":")
    kind, key = _VOLUMES[source]
    return {"name": name, kind: {key: rest} if key else {}}


def mounts(short: Sequence[str | Mapping[str, Any]]) -> list[Any]:
    """`volume:/path`, `:ro` behind it when read-only; maps stay as they are."""
    return [_mount(mount) if isinstance(mount, str) else dict(mount) for mount in short]


def _mount(text: str) -> Any:
    if text.startswith("${"):
        return text
    name, path, *read_only = text.split(":")
    return {"name": name, "mountPath": path, **({"readOnly": True} if read_only else {})}


def claim(short: Mapping[str, Any]) -> dict[str, Any]:
    """The spec of a volume claim out of its size and storage class."""
    storage_class = {"storageClassName": short["class"]} if "class" in short else {}
    return {"accessModes": ["ReadWriteOnce"], **storage_class, "resources": {"requests": {"storage": short["size"]}}}


def probe(short: str) -> dict[str, Any]:
    """`/path@port`, `https:/path@port` or `tcp@port`."""
    where, _, port = short.partition("@")
    if where == "tcp":
        return {"tcpSocket": {"port": _number(port)}}
    scheme, _, path = where.rpartition(":")
    return {"httpGet": {"path": path, "port": _number(port), **({"scheme": "HTTPS"} if scheme else {})}}


def _number(text: str) -> int | str:
    return int(text) if text.isdigit() else text
