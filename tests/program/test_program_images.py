"""The lock is the only place with images: what the program renders is in it, and what it is checked for is rendered."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pulumi
import pytest
import yaml
from program_wiring import SHAPES, Wiring, wired

from components import upstream
from components.images import BROKERS, LAYERS, STORES, used
from components.upstream import lock
from stacks.recording import Recording

REFERENCE = re.compile(r"(?:[\w-]+\.)+[a-z]{2,}(?::\d+)?/[\w./-]+(?::[\w][\w.-]*)?(?:@sha256:[0-9a-f]{64})?")
NAMED = re.compile(r"(?i)image(_v2)?$")
"""Keys whose value is an image even where it names no registry."""

TOLD = ("seldon-config", "argo-events-controller-manager", "argo-workflows-workflow-controller-configmap", "values")
"""ConfigMaps by which controllers learn of images; `values` is that of Istio's injector."""


def leaves(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text with the key it stands under."""
    if isinstance(value, dict):
        if "defaultImageVersion" in value:
            yield "image", f"{value['image']}:{value['defaultImageVersion']}"
        for name, part in value.items():
            yield from leaves(part, str(name))
    elif isinstance(value, list):
        for part in value:
            yield from leaves(part, key)
    elif isinstance(value, str):
        yield key, re.sub(r"^--[\w-]+=", "", value)


def name(o: dict[str, Any]) -> str:
    found: str = o["metadata"]["name"]
    return found


def rendered(wiring: Wiring) -> set[str]:
    """Every image that a pod of the platform runs, or that a controller is told to run."""
    told = [yaml.safe_load(text) for o in wiring.of("ConfigMap") if name(o) in TOLD for text in o["data"].values()]
    return {
        complete(text)
        for o in [*told, *wiring.objects]
        if o.get("kind") not in ("CustomResourceDefinition", "ConfigMap")
        for key, text in leaves(o)
        if ":" in text
        if REFERENCE.fullmatch(text) or NAMED.search(key)
    }


def complete(reference: str) -> str:
    """With the registry and the account that a reference of Docker Hub leaves out."""
    first, _, rest = reference.partition("/")
    if not rest:
        return f"docker.io/library/{reference}"
    return reference if "." in first or ":" in first else f"docker.io/{reference}"


@pytest.fixture(scope="module", params=SHAPES, ids="-".join)
def wiring(request: pytest.FixtureRequest) -> Wiring:
    return wired(*request.param)


def test_every_image_is_in_the_lock_or_named_by_digest_in_a_manifest_of_it(wiring: Wiring) -> None:
    found = rendered(wiring)
    assert len(found) > 30
    by_manifest = {image for image in found if re.match(r"gcr\.io/knative-releases/.*/eventing/.*@sha256:", image)}
    assert len(by_manifest) >= 5, "Knative's own manifests name theirs by digest"
    assert sorted(found - by_manifest - {i.reference for i in lock().images.values()}) == []


def test_the_images_that_are_checked_are_those_of_the_program(wiring: Wiring, request: pytest.FixtureRequest) -> None:
    profile, driver, broker, _ = request.node.callspec.params["wiring"]
    checked = {i.reference: i.name for i in used(list(LAYERS), driver=driver, broker=broker)}
    found = rendered(wiring) & {i.reference for i in lock().images.values()}
    assert sorted(found - set(checked)) == []
    idle = set() if profile == "prod" else {"flux-helm-controller", "flux-notification-controller"}
    assert {checked[reference] for reference in set(checked) - found} == idle


def test_no_image_of_the_lock_is_in_no_layer() -> None:
    placed = {name for table in (LAYERS, STORES, BROKERS) for names in table.values() for name in names}
    assert placed == set(lock().images)


def test_images_of_one_release_have_the_version_of_its_manifest_or_chart() -> None:
    entries = {**lock().charts, **lock().manifests}
    for prefix, name in (("natss-", "eventing-natss"), ("natss-", "eventing-natss-broker"), ("istio-", "istiod")):
        tags = {i.ref.rpartition(":")[2].lstrip("v") for i in lock().images.values() if i.name.startswith(prefix)}
        assert tags == {entries[name].version}, prefix


def test_each_flavour_of_a_server_has_its_own_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    from components import seldon

    pinned = {n: dataclasses.replace(i, digest=f"sha256:{n}") for n, i in lock().images.items()}
    changed = dataclasses.replace(lock(), images=pinned)
    monkeypatch.setattr(upstream, "lock", lambda: changed)
    servers = [
        (server["image"], server["defaultImageVersion"])
        for table in seldon._servers().values()
        if table
        for server in table["protocols"].values()
    ]
    assert len(servers) == len(set(servers)) == 9
    names = [tag.rpartition("@sha256:")[2] for _, tag in servers]
    assert [f"{repository}:{tag}" for repository, tag in servers] == [changed.images[n].reference for n in names]


def test_prod_refuses_images_without_a_digest(run: Callable[..., Recording]) -> None:
    with pytest.raises(pulumi.RunError) as error:
        run(profile="prod", provider="on-prem", objectStore=json.dumps({"driver": "seaweedfs"}))
    (line,) = (line for line in str(error.value).splitlines() if "images:" in line)
    assert "argo-server" in line
    assert "seaweedfs" in line
    assert "rustfs" not in line, "it is not installed"
