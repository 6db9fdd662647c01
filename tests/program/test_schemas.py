"""Every custom resource the program makes, against the true schema of its kind, unknown fields refused."""

from __future__ import annotations

from functools import cache
from typing import Any

import jsonschema
import pytest
from program_world import crds

from kube.yaml import load_all
from simulator.standins import REMEDY
from stacks.footprint import manifests
from stacks.recording import Recording

pytestmark = pytest.mark.skipif(crds() is None, reason=REMEDY)


IGNORED = {"description", "format", "default", "example"}


@cache
def schemas() -> dict[tuple[str, str], dict[str, Any]]:
    found = {}
    folder = crds()
    assert folder is not None
    for file in sorted(folder.glob("*.yaml")):
        for crd in load_all(file.read_text()):
            if crd and crd.get("kind") == "CustomResourceDefinition":
                for version in crd["spec"]["versions"]:
                    key = (f"{crd['spec']['group']}/{version['name']}", crd["spec"]["names"]["kind"])
                    found[key] = strict(version["schema"]["openAPIV3Schema"])
    return found


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema as JSON Schema, with what the API server would drop refused instead."""
    result: dict[str, Any] = {}
    for key, value in schema.items():
        if key in ("properties", "patternProperties"):
            result[key] = {name: strict(part) for name, part in value.items()}
        elif key in ("items", "additionalProperties", "not") and isinstance(value, dict):
            result[key] = strict(value)
        elif key in ("oneOf", "anyOf", "allOf") or (
            key not in ("description", "format", "default", "example") and not key.startswith("x-kubernetes-")
        ):
            result[key] = value
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    open_ended = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    if schema.get("type") == "object" and "properties" in schema and not open_ended:
        result["additionalProperties"] = False
    if schema.get("nullable") and "type" in result:
        result["type"] = [result["type"], "null"]
    return result


def custom(recording: Recording) -> list[dict[str, Any]]:
    return [o for o in manifests(recording) if (o["apiVersion"], o["kind"]) in schemas()]


def faults(o: dict[str, Any]) -> list[str]:
    schema = schemas()[o["apiVersion"], o["kind"]]
    root = {"apiVersion", "kind", "metadata"}
    body = {key: value for key, value in o.items() if key not in root}
    open_root = {**schema, "required": [r for r in schema.get("required", []) if r not in root]}
    validator = jsonschema.Draft7Validator(open_root)
    name = f"{o['kind']} {o['metadata']['name']}"
    return [f"{name}: {'.'.join(map(str, e.path))}: {e.message[:200]}" for e in validator.iter_errors(body)]


def test_custom_resources_fit_their_schemas(recording: Recording) -> None:
    found = custom(recording)
    kinds = {o["kind"] for o in found}
    expected = {"Gateway", "VirtualService", "PeerAuthentication", "Broker", "EventBus", "EventSource"}
    assert expected | {"Kustomization", "ServiceMonitor", "Prometheus", "PrometheusRule"} <= kinds
    assert kinds & {"Bucket", "GitRepository"}, "a source for Flux"
    assert [fault for o in found for fault in faults(o)] == []


def test_an_unknown_field_is_a_fault() -> None:
    gateway = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "g"},
        "spec": {"selektor": {}},
    }
    assert any("selektor" in fault for fault in faults(gateway))
