"""Nothing reaches anything but along the listed flows, and each flow is open at both its ends."""

from __future__ import annotations

from typing import Any

import pytest

from components import network
from components.namespaces import SPACES
from components.network import API_SERVER_PORTS, FLOWS, PROJECT_LABEL, Manifest, policies, to_outside

PLATFORM = [space.name for space in SPACES]
PROJECTS = ["project-iris", "project-taxi"]
ALL = [*PLATFORM, *PROJECTS]
PORTS = sorted({port for flow in FLOWS for port in flow.ports} | {1, 22, 5432, *API_SERVER_PORTS})
PARTIES = {"anywhere", "namespaces", "projects"}


def labels(namespace: str) -> dict[str, str]:
    """What the namespace's labels are, as far as policies look at them."""
    own = {PROJECT_LABEL: namespace.removeprefix("project-")} if namespace in PROJECTS else {}
    return {"kubernetes.io/metadata.name": namespace, **own}


def matches(peer: dict[str, Any], namespace: str, own: str) -> bool:
    """Whether a peer of a policy in `own` means pods of `namespace`: what the API documents of NetworkPolicyPeer."""
    if "namespaceSelector" not in peer:
        return namespace == own
    selector = peer["namespaceSelector"]
    wanted = selector.get("matchLabels", {}).items() <= labels(namespace).items()
    assert all(e["operator"] == "Exists" for e in selector.get("matchExpressions", []))
    return wanted and all(e["key"] in labels(namespace) for e in selector.get("matchExpressions", []))


def opens(found: list[Manifest], direction: str, namespace: str, port: int) -> bool:
    """Whether the policies of a namespace let pods speak with another on a port: any rule of any of them does."""
    side = {"ingress": "from", "egress": "to"}[direction]
    for policy in found:
        for rule in policy["spec"].get(direction, []):
            peers, ports = rule.get(side), rule.get("ports")
            peered = not peers or any(matches(p, namespace, policy["metadata"]["namespace"]) for p in peers)
            ported = not ports or any(p["port"] == port and p["protocol"] == "TCP" for p in ports)
            if peered and ported:
                return True
    return False


BY_SPACE = {space: policies(space, PLATFORM) for space in ALL}


def reaches(source: str, target: str, port: int) -> bool:
    return opens(BY_SPACE[source], "egress", target, port) and opens(BY_SPACE[target], "ingress", source, port)


def party(namespace: str) -> str:
    return "projects" if namespace in PROJECTS else namespace


def listed(source: str, target: str, port: int) -> bool:
    """Whether some flow, or the three things open to all, explains it."""
    if source == target:
        return True
    flows = [f for f in FLOWS if port in f.ports and f.target in (party(target), "anywhere")]
    leaves = port in API_SERVER_PORTS or any(f.source in (party(source), "namespaces") for f in flows)
    enters = any(f.source in (party(source), "namespaces", "anywhere") for f in flows if f.target != "anywhere")
    return leaves and enters


@pytest.mark.parametrize("space", ALL)
def test_every_namespace_denies_everything_by_default(space: str) -> None:
    deny, flows = BY_SPACE[space]
    assert deny["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert flows["spec"]["podSelector"] == {}
    assert {p["metadata"]["namespace"] for p in (deny, flows)} == {space}


def test_only_listed_flows_are_open() -> None:
    unexplained = [
        (source, target, port)
        for source in ALL
        for target in ALL
        for port in PORTS
        if reaches(source, target, port) != listed(source, target, port)
    ]
    assert unexplained == []


@pytest.mark.parametrize("flow", FLOWS, ids=lambda f: f"{f.source}-{f.target}-{f.ports[0]}")
def test_a_flow_is_open_at_both_ends(flow: Any) -> None:
    sources = {"anywhere": [], "namespaces": ALL, "projects": PROJECTS}.get(flow.source, [flow.source])
    targets = {"anywhere": [], "projects": PROJECTS}.get(flow.target, [flow.target])
    for port in flow.ports:
        for source in sources:
            assert all(reaches(source, target, port) for target in targets)
            if flow.target == "anywhere":
                assert any("to" not in rule for rule in BY_SPACE[source][1]["spec"]["egress"])
        if flow.source == "anywhere":
            for target in targets:
                rules = BY_SPACE[target][1]["spec"]["ingress"]
                assert any("from" not in r and port in [p["port"] for p in r.get("ports", [])] for r in rules)


@pytest.mark.parametrize("space", ALL)
def test_every_pod_finds_dns_the_api_server_and_its_neighbours(space: str) -> None:
    egress = BY_SPACE[space][1]["spec"]["egress"]
    kube_system = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
    assert {"to": [kube_system], "ports": [{"protocol": p, "port": 53} for p in ("UDP", "TCP")]} in egress
    assert all(opens(BY_SPACE[space], "egress", "anywhere-at-all", port) for port in API_SERVER_PORTS)
    assert reaches(space, space, 5432)


def test_a_store_outside_is_reached_on_its_own_port_by_who_uses_the_clusters() -> None:
    present = [*PLATFORM, *PROJECTS]
    users = [space for space in ALL if reaches(space, "storage", 8333)]
    assert opened_by(present, store="https://s3.example.org:9021/") == {*users, "storage"}


def opened_by(present: list[str], **urls: str) -> set[str]:
    """Who reaches port 9021 outside once the stack is given some URLs, and did not before."""
    flows = to_outside(**urls)
    before = {s for s in present if opens(BY_SPACE[s], "egress", "outside", 9021)}
    return {s for s in present if opens(policies(s, PLATFORM, outside=flows), "egress", "outside", 9021)} - before


def test_flux_and_alertmanager_reach_the_ports_of_the_urls_they_are_given() -> None:
    assert opened_by(ALL, repository="http://git.local:9021/releases") == {"flux-system"}
    assert opened_by(ALL, repository="ssh://git@git.local:9021/releases") == {"flux-system"}
    assert opened_by(ALL, alerts="http://hooks.local:9021/alerts?token=x") == {"monitoring"}
    assert to_outside() == []


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://s3.example.org", 443),
        ("http://s3.example.org", 80),
        ("https://s3.example.org:9021/", 9021),
        ("ssh://git@git.example.org/team/releases", 22),
        ("https://[2001:db8::1]:8443/x", 8443),
    ],
)
def test_the_port_of_a_url_is_what_it_says_else_its_schemes(url: str, expected: int) -> None:
    assert network.port(url) == expected


@pytest.mark.parametrize("gone", PLATFORM)
def test_nothing_names_a_namespace_that_the_stack_lacks(gone: str) -> None:
    present = [space for space in PLATFORM if space != gone]
    assert all(f"'{gone}'" not in str(policies(space, present)) for space in [*present, *PROJECTS])


@pytest.mark.parametrize(
    ("source", "target", "port"),
    [
        ("argo", "nats-io", 4222),
        ("storage", "monitoring", 9090),
        ("project-iris", "project-taxi", 9000),
        ("project-iris", "sealed-secrets", 8081),
        ("knative-eventing", "storage", 9000),
        ("flux-system", "argo", 2746),
        ("monitoring", "nats-io", 4222),
        ("istio-system", "nats-io", 4222),
    ],
)
def test_what_has_no_business_there_is_kept_out(source: str, target: str, port: int) -> None:
    assert not reaches(source, target, port)


@pytest.mark.parametrize(
    ("source", "target", "port"),
    [
        ("argo-events", "nats-io", 4222),
        ("project-iris", "storage", 9000),
        ("project-iris", "nats-io", 4222),
        ("istio-system", "project-iris", 8000),
        ("knative-eventing", "project-taxi", 8080),
        ("monitoring", "project-iris", 6000),
    ],
)
def test_what_the_platform_lives_by_is_open(source: str, target: str, port: int) -> None:
    assert reaches(source, target, port)


def test_only_the_node_exporters_namespace_takes_nothing_in() -> None:
    """Its pods are on the network of their nodes, where no policy applies."""
    closed = {s for s in PLATFORM if not any(reaches(o, s, p) for o in ALL if o != s for p in PORTS)}
    assert closed == {"node-exporter"}


def test_every_party_is_a_namespace_of_the_platform_or_a_kind_of_party_and_says_why() -> None:
    known = {*PLATFORM, *PARTIES}
    for flow in FLOWS:
        assert {flow.source, flow.target} <= known, flow
        assert flow.why
        assert flow.ports
