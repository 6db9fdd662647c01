"""The end-to-end checks run elsewhere; here their manifests are held to the true schemas, and to what they rely on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from e2e_world import MANIFESTS, manifest

from components.namespaces import SPACES
from components.network import FLOWS
from simulator.standins import REMEDY

sys.path.append(str(Path(__file__).parents[1] / "program"))
from program_world import crds

NAMES = sorted(path.stem for path in MANIFESTS.glob("*.yaml"))
OWN = "project-e2e"


def objects(name: str) -> list[dict[str, Any]]:
    return [o for o in yaml.safe_load_all(manifest(name, job="e2e-job")) if o]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.skipif(crds() is None, reason=REMEDY)
def test_custom_resources_fit_their_schemas(name: str) -> None:
    from test_schemas import faults, schemas

    custom = [o for o in objects(name) if "." in o["apiVersion"].split("/")[0]]
    unknown = [o["kind"] for o in custom if not _built_in(o) and (o["apiVersion"], o["kind"]) not in schemas()]
    assert not unknown, "kinds that no schema at hand knows"
    assert [fault for o in custom if not _built_in(o) for fault in faults(o)] == []


@pytest.mark.parametrize("name", NAMES)
def test_objects_lie_in_namespaces_that_exist(name: str) -> None:
    known = {space.name for space in SPACES} | {OWN}
    for o in objects(name):
        place = o["metadata"].get("namespace", o["metadata"]["name"])
        assert place in known, f"{o['kind']} {o['metadata']['name']} is in {place}, which the platform does not make"


@pytest.mark.parametrize("name", NAMES)
def test_pods_would_be_admitted_by_pod_security(name: str) -> None:
    for o in objects(name):
        spec = o.get("spec", {}).get("template", {}).get("spec", {}) if o["kind"] in ("Job", "Deployment") else None
        if spec is None:
            continue
        assert spec["securityContext"]["runAsNonRoot"]
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False
            assert own["capabilities"] == {"drop": ["ALL"]}
            assert {"requests", "limits"} <= container["resources"].keys(), "a quota refuses it"


def test_the_namespace_is_one_that_network_policies_admit_as_a_projects() -> None:
    (namespace,) = (o for o in objects("project") if o["kind"] == "Namespace")
    assert "aiga.dev/project" in namespace["metadata"]["labels"]
    needed = {
        ("istio-system", "projects", 8000),
        ("projects", "knative-eventing", 8080),
        ("knative-eventing", "projects", 8080),
        ("projects", "storage", 9000),
        ("monitoring", "projects", 8000),
        ("istio-system", "argo-events", 12000),
    }
    admitted = {(flow.source, flow.target, port) for flow in FLOWS for port in flow.ports}
    assert needed <= admitted, f"the checks rely on flows that are gone: {sorted(needed - admitted)}"


def _built_in(o: dict[str, Any]) -> bool:
    return o["apiVersion"].split("/")[0].endswith(".k8s.io")
