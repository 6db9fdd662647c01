"""The rules that the simulator writes into Knative's webhooks name what Knative's CRDs serve."""

from __future__ import annotations

import pytest

from kube import yaml
from simulator.rules import RULES
from simulator.standins import REMEDY, true_definitions

CRDS = true_definitions()
pytestmark = pytest.mark.skipif(CRDS is None, reason=REMEDY)


def served() -> set[tuple[str, str, str]]:
    """Group, version and plural of what Eventing and eventing-natss bring."""
    assert CRDS is not None
    files = [*CRDS.glob("knative-eventing-*.yaml"), *CRDS.glob("eventing-natss-*.yaml")]
    crds = [o for file in files for o in yaml.load_all(file.read_bytes()) if o["kind"] == "CustomResourceDefinition"]
    return {
        (crd["spec"]["group"], version["name"], crd["spec"]["names"]["plural"])
        for crd in crds
        for version in crd["spec"]["versions"]
        if version["served"]
    }


@pytest.mark.parametrize(
    ("webhook", "natss"),
    [
        ("webhook.eventing.knative.dev", False),
        ("validation.webhook.eventing.knative.dev", False),
        ("defaulting.webhook.nats.messaging.knative.dev", True),
        ("validation.webhook.nats.messaging.knative.dev", True),
    ],
)
def test_each_kind_of_a_server_is_named_in_versions_that_are_served(webhook: str, natss: bool) -> None:
    known = served()
    named = {(r["apiGroups"][0], r["apiVersions"][0], r["resources"][0]) for r in RULES[webhook]["rules"]}
    assert named <= known
    kinds = {plural for _, _, plural in known if (plural == "natsjetstreamchannels") == natss}
    assert {plural for _, _, plural in named} == kinds
