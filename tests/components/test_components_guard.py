"""A change that Kubernetes would refuse half-way is refused at once, with a way that works."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from components import guard, knative
from components.guard import UNPROTECTED, WAYS, _Provider, refused
from components.target import ClusterError
from stacks.models import Layers
from stacks.rules import NEEDS

PARAGRAPHS = {"NATS": "nats", "Knative": "knative", "The object store": "objectStore"}
OLD = {"nats": "servers with volumes of 1Gi", "objectStore": "rustfs, one server", "knative": "the channel Broker"}


def alias(layer: str) -> str:
    return Layers.model_fields[layer].alias or layer


def dependants(layer: str) -> set[str]:
    """What has to go off with a layer, the layer itself among it."""
    found = {layer}
    while more := {other for other, needed, _ in NEEDS if alias(needed) in found} - found:
        found |= more
    return found


def test_the_same_shape_is_nothing_to_refuse() -> None:
    assert refused(OLD, OLD) == []


def test_a_layer_that_comes_or_goes_is_free_to() -> None:
    assert refused(OLD, {"nats": OLD["nats"]}) == []
    assert refused({}, OLD) == []


@pytest.mark.parametrize("layer", sorted(OLD))
def test_another_shape_is_refused_with_what_it_was_what_it_would_be_and_the_way(layer: str) -> None:
    (problem,) = refused(OLD, {**OLD, layer: "something else"})
    assert problem.startswith(f"{layer}: it runs as {OLD[layer]} and cannot become something else in place (")
    assert WAYS[layer] in problem
    assert "\n" not in problem


@pytest.mark.parametrize("layer", sorted(WAYS))
def test_a_way_begins_with_taking_the_protection_off_and_names_every_layer_that_has_to_go(layer: str) -> None:
    (problem,) = refused(OLD, {**OLD, layer: "something else"})
    steps = problem.partition(" in place (")[2]
    assert steps.startswith(UNPROTECTED), "a protected CRD or store is not deleted, so no layer goes off before that"
    assert "`aiga:protect: false`" in UNPROTECTED
    off = WAYS[layer].partition(" off in aiga:layers")[0]
    assert {other for other in dependants(layer) if other not in off} == set()


def test_the_page_on_operations_says_the_same() -> None:
    page = (Path(guard.__file__).parents[1] / "docs" / "operations.md").read_text()
    section = page.partition("## Changing a profile")[2].partition("\n## ")[0]
    assert 0 < section.index("`aiga:protect: false` and `make up`") < section.lower().index("switch")
    paragraphs = {title: section.partition(f"- **{title}**")[2].partition("\n- **")[0] for title in PARAGRAPHS}
    for title, layer in PARAGRAPHS.items():
        off = paragraphs[title].partition(" off")[0]
        assert {other for other in dependants(layer) if f"`{other}`" not in off} == set()


def test_every_layer_that_may_not_change_has_a_way() -> None:
    assert set(WAYS) == set(OLD)


def test_all_refused_layers_stop_the_deployment_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "tracebacklimit", 1000, raising=False)  # the plugin's own is set to nothing
    new = {**OLD, "nats": "servers with volumes of 20Gi", "knative": "the native Broker"}
    with pytest.raises(ClusterError) as caught:
        _Provider().diff("shapes", {"shapes": OLD}, {"shapes": new})
    assert str(caught.value) == "; ".join(refused(OLD, new))
    assert "knative: it runs as the channel Broker and cannot become the native Broker" in str(caught.value)


@pytest.mark.parametrize(
    ("new", "changes"),
    [(OLD, False), ({"nats": OLD["nats"]}, True), ({**OLD, "later": "a layer guarded since"}, True)],
)
def test_what_is_free_to_change_is_kept_in_the_state(new: dict[str, Any], changes: bool) -> None:
    provider = _Provider()
    assert provider.diff("shapes", {"shapes": OLD}, {"shapes": new}).changes is changes
    assert provider.update("shapes", {"shapes": OLD}, {"shapes": new}).outs == {"shapes": new}


def test_the_two_brokers_are_two_shapes() -> None:
    assert knative.shape("channel") != knative.shape("native")
