"""Inputs as the program gives them, made into what is compared, sent and kept in the state."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from typing import Any

from simulator.provider import kinds, marks
from simulator.provider.wire import UNKNOWN, Properties, Secret, Unknown, holds, plain

INPUTS, API_VERSION, MANAGER = "__inputs", "__initialApiVersion", "__fieldManager"

_READ_ONLY = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "uid",
)
_DASHED = {
    name.replace("-", "_"): name
    for name in (
        "x-kubernetes-embedded-resource",
        "x-kubernetes-int-or-string",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-list-type",
        "x-kubernetes-map-type",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-validations",
    )
}
_UNDERSCORED = {dashed: name for name, dashed in _DASHED.items()}


def manifest(properties: Properties) -> Properties:
    """Properties as a Kubernetes object: no secrets, the schema's keys with their dashes, nothing read-only."""
    obj: Properties = plain(properties)
    if is_crd(obj):
        obj = _rename(obj, _DASHED)
    return normal(obj)


def normal(obj: Properties) -> Properties:
    """The object in the one form that the server's answer can be compared with."""
    metadata = obj.get("metadata")
    if isinstance(metadata, dict):
        obj = {**obj, "metadata": {key: value for key, value in metadata.items() if key not in _READ_ONLY}}
    if is_crd(obj):
        return _normal_crd(obj)
    if obj.get("kind") == "Secret" and obj.get("apiVersion") == "v1":
        return _normal_secret(obj)
    return _without_none(obj) if kinds.builtin(str(obj.get("apiVersion", ""))) else obj


def is_crd(obj: Properties) -> bool:
    """Whether the object defines a kind."""
    return obj.get("kind") == "CustomResourceDefinition" and str(obj.get("apiVersion")).startswith(
        "apiextensions.k8s.io/"
    )


def _normal_crd(obj: Properties) -> Properties:
    obj = {key: value for key, value in obj.items() if key != "status"}
    spec = obj.get("spec")
    if isinstance(spec, dict) and spec.get("preserveUnknownFields") is False:
        obj["spec"] = {key: value for key, value in spec.items() if key != "preserveUnknownFields"}
    return obj


def _normal_secret(obj: Properties) -> Properties:
    """`stringData` becomes `data`, and base64 the server's own spelling of it."""
    data, text = obj.get("data"), obj.get("stringData")
    if isinstance(data, Unknown) or isinstance(text, Unknown):
        return obj
    merged = {key: _respelled(value) for key, value in (data or {}).items()}
    merged |= {key: _base64(value) for key, value in (text or {}).items()}
    kept = {key: value for key, value in obj.items() if key not in ("data", "stringData")}
    return kept | ({"data": merged} if merged or data is not None else {})


def _base64(value: Any) -> Any:
    return base64.b64encode(value.encode()).decode() if isinstance(value, str) else value


def _respelled(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return base64.b64encode(base64.b64decode(value)).decode()
    except binascii.Error:
        return value  # the server refuses it, and says so


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return [_without_none(item) for item in value] if isinstance(value, list) else value


def _rename(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {names.get(key, key): _rename(item, names) for key, item in value.items()}
    return [_rename(item, names) for item in value] if isinstance(value, list) else value


def outward(obj: Properties) -> Properties:
    """The object with the keys that the SDK knows."""
    return _rename(obj, _UNDERSCORED) if is_crd(obj) else obj


def hidden(values: Properties, source: Properties) -> Properties:
    """`values` with the secrets of `source` put back in their envelopes; the data of a Secret always lies in one."""
    if values.get("kind") == "Secret":
        secret = ("data", "stringData")
        return {key: Secret(value) if key in secret and value is not None else value for key, value in values.items()}
    return {key: _hide(value, source[key]) if key in source else value for key, value in values.items()}


def _hide(value: Any, source: Any) -> Any:
    if isinstance(value, dict) and isinstance(source, dict):
        return hidden(value, source)
    return Secret(value) if holds(source, Secret) else value


def checkpoint(inputs: Properties, live: Properties, source: Properties, api_version: str, manager: str) -> Properties:
    """What the state keeps: the live object, and with it the inputs that made it."""
    return hidden(outward(live), source) | {
        INPUTS: hidden(outward(inputs), source),
        API_VERSION: api_version,
        MANAGER: manager,
    }


def restored(state: Properties) -> tuple[Properties, Properties]:
    """Inputs and live object out of the state."""
    found: Properties = plain(state)
    inputs = found.pop(INPUTS, {})
    for key in (API_VERSION, MANAGER):
        found.pop(key, None)
    if is_crd(found):
        return _rename(inputs, _DASHED), _rename(found, _DASHED)
    return inputs, found


def metadata_of(obj: Properties) -> Properties:
    """The metadata, empty when they are not known yet."""
    metadata = obj.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def named(obj: Properties) -> bool:
    """Whether the program names the object, even if the name is not known yet."""
    return obj.get("metadata") is UNKNOWN or bool(metadata_of(obj).get("name"))


def with_name(obj: Properties, name: str) -> Properties:
    """The object under a name that the provider chose, and marked so."""
    metadata = obj.get("metadata") or {}
    given = metadata.get("annotations") or {}
    if isinstance(given, dict):
        metadata = {**metadata, "annotations": {**given, marks.AUTONAMED: "true"}}
    return {**obj, "metadata": {**metadata, "name": name}}


def with_namespace(obj: Properties, namespace: str | None) -> Properties:
    """The object in a namespace, or in none."""
    metadata = obj.get("metadata") or {}
    if not isinstance(metadata, dict):
        return obj
    kept = {key: value for key, value in metadata.items() if key != "namespace"}
    return {**obj, "metadata": {**kept, "namespace": namespace} if namespace else kept}


def namespace_of(obj: Properties) -> Any:
    """The namespace; may be unknown."""
    metadata = obj.get("metadata")
    return metadata.get("namespace") if isinstance(metadata, dict) else metadata


def unique_name(prefix: str, seed: bytes) -> str:
    """`prefix` and eight hexadecimal digits, the same for the same seed."""
    digits = hashlib.sha256(prefix.encode() + seed).hexdigest()[:8] if seed else secrets.token_hex(4)
    return f"{prefix}{digits}"
