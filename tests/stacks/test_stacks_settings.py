"""Every mistake of a stack's configuration is named, with its rule and its remedy, and all of them at once."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest
from pulumi.runtime import config as pulumi_config

from stacks import settings
from stacks.clusters import CLUSTERS
from stacks.mistakes import Mistake
from stacks.models import Layers
from stacks.rules import NEEDS
from stacks.settings import Settings
from tests.stacks.settings_world import right, wrong

TABLE: list[tuple[dict[str, Any], str]] = [
    ({"profile": "huge"}, "profile: huge: must be one of laptop, team, prod (such as laptop)"),
    ({"profile": "produ"}, "profile: produ: must be one of laptop, team, prod (did you mean prod?)"),
    ({"provider": "gek"}, "provider: gek: must be one of k3d, civo, gke, on-prem, sim (did you mean gke?)"),
    ({"objcetStore": {}}, "objcetStore: {}: unknown key (did you mean objectStore?)"),
    ({"object_store": {}}, "object_store: {}: unknown key (did you mean objectStore?)"),
    (
        {"objectStore": {"storage_class": "fast"}},
        "objectStore.storage_class: fast: unknown key (did you mean objectStore.storageClass?)",
    ),
    ({"tls": {"zzz": 1}}, "tls.zzz: 1: unknown key (known here: certificate, generation, secretName)"),
    ({"protect": "maybe"}, "protect: maybe: must be true or false (without quotes)"),
    ({"layers": {"istio": "no"}}, 'layers.istio: "no": must be true or false (without quotes)'),
    ({"layers": "none"}, "layers: none: must be a map (key: value, indented under it)"),
    ({"layers": [1]}, "layers: [1]: must be a map (key: value, indented under it)"),
    ({"tls": {"generation": "two"}}, 'tls.generation: "two": must be a whole number (such as 2, without quotes)'),
    ({"tls": {"generation": 1.5}}, "tls.generation: 1.5: must be a whole number (such as 2, without quotes)"),
    ({"tls": {"generation": 0}}, "tls.generation: 0: must be at least 1 (count upwards)"),
    (
        {"objectStore": {"size": "big"}},
        "objectStore.size: big: must be a size in Mi, Gi or Ti (such as 20Gi)",
    ),
    (
        {"objectStore": {"buckets": ["artifacts", "data", "models", "releases", "My"]}},
        "objectStore.buckets[4]: My: must be 3 to 63 lower-case letters, digits, dots and hyphens (S3 allows no more)",
    ),
    (
        {"objectStore": {"buckets": ["artifacts", "releases"]}},
        "objectStore.buckets: artifacts, releases: must hold models: seldon uses it (add models, or switch seldon off)",
    ),
    (
        {"objectStore": {"endpoint": "https://s3.example.org"}},
        "objectStore.endpoint: https://s3.example.org: is for driver s3 only "
        "(set objectStore.driver to s3, or drop it)",
    ),
    (
        {"objectStore": {"buckets": ["artifacts", "models", "releases", "a..b"]}},
        "objectStore.buckets[3]: a..b: must have a letter or digit on both sides of each dot "
        "(S3 takes it for a host's name)",
    ),
    (
        {"objectStore": {"buckets": ["artifacts", "models", "releases", "10.0.0.1"]}},
        "objectStore.buckets[3]: 10.0.0.1: must not look like an IP address (S3 takes it for a host's name)",
    ),
    (
        {"storageClass": "a..b"},
        "storageClass: a..b: must be a Kubernetes name (lower-case letters, digits, hyphens and dots)",
    ),
    (
        {"gateway": {"annotations": {"bad key!": "x"}}},
        "gateway.annotations.bad key!: bad key!: must be the name of an annotation: at most 63 letters, digits, - _ . "
        "after an optional DNS name and / (such as networking.gke.io/load-balancer-type)",
    ),
    (
        {"domain": f"{'a' * 64}.example.org"},
        f"domain: {'a' * 59}…: must have at most 63 characters between two dots (DNS allows no more)",
    ),
    (
        {"domain": ".".join(["a" * 60] * 4 + ["example"])},
        f"domain: {'a' * 59}…: must have at most 245 characters (DNS allows 253, and pages are names under it)",
    ),
    (
        {"domain": "https://x.org"},
        "domain: https://x.org: must be a DNS name (no scheme, port or slash: ml.example.org)",
    ),
    ({"domain": ""}, 'domain: "": must be a DNS name (no scheme, port or slash: ml.example.org)'),
    (
        {"kubernetesVersion": "1.33.9"},
        "kubernetesVersion: 1.33.9: must be 1.34 or newer: the controllers of Knative Eventing exit below it "
        "(upgrade the cluster first)",
    ),
    (
        {"profile": "prod"},
        'context: "": profile prod needs the context it is meant for, so that it cannot reach another cluster '
        "(name it: kubectl config get-contexts)",
    ),
    (
        {"flux": {"source": "git"}},
        'flux.url: "": source git needs a repository (set its URL, or flux.source to bucket)',
    ),
    (
        {"flux": {"url": "https://x.org/r"}},
        "flux.url: https://x.org/r: is for source git only (set flux.source to git)",
    ),
    (
        {"flux": {"stagingPath": "production"}},
        "flux.productionPath: production: must differ from flux.stagingPath "
        "(one folder for each, else staging is production)",
    ),
    (
        {"flux": {"productionPath": "./staging/"}},
        "flux.productionPath: ./staging/: must differ from flux.stagingPath "
        "(one folder for each, else staging is production)",
    ),
    (
        {"flux": {"productionPath": "staging/production"}},
        "flux.productionPath: staging/production: must not lie in flux.stagingPath, nor hold it "
        "(one folder for each, else staging is production)",
    ),
    (
        {"flux": {"stagingPath": "../staging"}},
        "flux.stagingPath: ../staging: must be a folder in the source (relative to its root, without ..)",
    ),
    (
        {"flux": {"interval": "5"}},
        "flux.interval: 5: must be a number of seconds, minutes or hours (such as 30s, 5m or 1h)",
    ),
    (
        {"tls": {"certificate": "secret"}},
        'tls.secretName: "": certificate secret needs its name (a kubernetes.io/tls in istio-system)',
    ),
    (
        {"upstream": "standins"},
        "upstream: standins: stand-in charts run nothing, and provider k3d is a real cluster "
        "(use auto, vendor or source)",
    ),
]


@pytest.mark.parametrize(("keys", "message"), TABLE, ids=[message.split(":")[0] for _, message in TABLE])
def test_a_mistake_says_where_what_which_rule_and_the_remedy(keys: dict[str, Any], message: str) -> None:
    assert wrong(**keys) == [message]


def test_all_mistakes_are_reported_at_once() -> None:
    found = wrong(
        profile="huge",
        provider="moon",
        objcetStore={},
        layers={"nats": False, "istio": "yes"},
        tls={"generation": "x", "certificat": "secret"},
        flux={"source": "git"},
    )
    paths = [line.split(":")[0] for line in found]
    assert paths == [
        "flux.url",
        "layers.istio",
        "layers.nats",
        "layers.nats",
        "objcetStore",
        "profile",
        "provider",
        "tls.certificat",
        "tls.generation",
    ], found


def test_a_rule_says_nothing_about_a_value_that_is_wrong_by_itself() -> None:
    assert wrong(profile="prodd", layers={"nats": "no"}, objectStore={"driver": "s4"}) == [
        'layers.nats: "no": must be true or false (without quotes)',
        "objectStore.driver: s4: must be one of minio, rustfs, seaweedfs, s3 (such as minio)",
        "profile: prodd: must be one of laptop, team, prod (did you mean prod?)",
    ]


@pytest.mark.parametrize(("layer", "needed", "reason"), NEEDS)
def test_switching_off_a_needed_layer_is_refused_with_the_reason(layer: str, needed: str, reason: str) -> None:
    names = Layers.model_fields
    off, user = names[needed].alias, names[layer].alias
    expected = f"layers.{off}: false: {user} needs {off}: {reason} (switch {off} on, or {user} off too)"
    assert expected in wrong(layers={off: False})


def test_a_layer_nobody_needs_can_be_switched_off() -> None:
    assert not right(layers={"monitoring": False}).layers.monitoring
    assert not right(layers={"sealedSecrets": False, "flux": False, "seldon": False, "argo": False}).layers.argo


def test_flux_needs_the_object_store_only_for_a_bucket() -> None:
    off = {"objectStore": False, "argo": False, "seldon": False}
    assert wrong(layers=off) == [
        "layers.objectStore: false: flux needs objectStore: flux.source is bucket, which lies there "
        "(switch objectStore on, or flux off too)"
    ]
    assert right(layers=off, flux={"source": "git", "url": "https://git.example.org/r"}).flux.url


def test_an_external_store_needs_its_address_and_keys() -> None:
    assert [line.split(":")[0] for line in wrong(objectStore={"driver": "s3"})] == [
        f"objectStore.{key}" for key in ("accessKey", "endpoint", "region", "secretKey")
    ]
    whole = {
        "driver": "s3",
        "endpoint": "https://s3.eu.example.org",
        "region": "eu",
        "accessKey": "a",
        "secretKey": "b",
    }
    assert right({"objectStore"}, objectStore=whole).object_store.secret_key is not None


def test_a_secret_in_plain_text_is_refused_and_not_repeated() -> None:
    found = wrong(set(), monitoring={"alertWebhook": "https://hooks.example.org/s3cr3t"})
    assert found == [
        "monitoring.alertWebhook: [secret]: is a secret in plain text "
        "(drop it there, then `make secret KEY=monitoring.alertWebhook STACK=dev`)"
    ]
    accepted = right({"monitoring"}, monitoring={"alertWebhook": "https://hooks.example.org/s3cr3t"})
    assert "s3cr3t" not in repr(accepted)


def test_a_wrong_secret_is_not_shown() -> None:
    assert wrong(monitoring={"alertWebhook": {"a": "s3cr3t"}}) == [
        "monitoring.alertWebhook: [secret]: must be a string (put it in quotes)"
    ]


def test_empty_means_choose_for_me() -> None:
    chosen = right(context="", protect="", objectStore={"size": "", "region": None}, kubeconfig="")
    assert (chosen.context, chosen.protect, chosen.object_store.size) == (None, None, None)


def test_the_defaults_are_a_laptop() -> None:
    assert right() == Settings()
    assert Settings().profile == "laptop"


@pytest.mark.parametrize(
    ("keys", "protects", "accepts"),
    [
        ({}, False, True),
        ({"profile": "prod", "context": "c"}, True, False),
        ({"profile": "prod", "context": "c", "protect": "false", "allowUnverified": "true"}, False, True),
        ({"protect": "true", "allowUnverified": "false"}, True, False),
    ],
)
def test_prod_protects_and_takes_nothing_unverified_unless_told(
    keys: dict[str, str], protects: bool, accepts: bool
) -> None:
    chosen = right(None, **keys)
    assert (chosen.protects, chosen.accepts_unverified) == (protects, accepts)


def test_urls_carry_the_port_that_the_cluster_is_reached_at() -> None:
    assert right().url("grafana") == "https://grafana.aiga.localhost:8443"
    assert right(provider="gke", domain="ml.example.org").url("argo") == "https://argo.ml.example.org"
    assert right(provider="on-prem").url("argo").endswith(":30443")
    assert right(gateway={"serviceType": "NodePort"}).url("argo") == "https://argo.aiga.localhost:30443"
    assert (
        right(provider="on-prem", gateway={"serviceType": "LoadBalancer"}).url("argo") == "https://argo.aiga.localhost"
    )


def test_the_gateways_annotations_add_to_the_providers() -> None:
    assert right(gateway={"annotations": {"a/b": "c"}}).service_annotations["a/b"] == "c"
    assert wrong(gateway={"annotations": {"a/b": 1}}) == [
        "gateway.annotations.a/b: 1: must be a string (put it in quotes)"
    ]


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        right().domain = "other.org"


@pytest.fixture
def configured() -> Any:
    before = dict(pulumi_config.CONFIG.get())
    yield pulumi.runtime.set_all_config
    pulumi.runtime.set_all_config(before, [])


def test_load_reads_what_pulumi_holds(configured: Any) -> None:
    configured(
        {"aiga:domain": "ml.example.org", "kubernetes:context": "not ours", "aiga:layers": '{"flux": false}'}, []
    )
    found = settings.load()
    assert (found.domain, found.layers.flux, found.layers.nats) == ("ml.example.org", False, True)


def test_load_stops_the_program_with_every_mistake(configured: Any) -> None:
    configured({"aiga:domian": "x.org", "aiga:tls": '{"generation": "one"}'}, [])
    with pytest.raises(pulumi.RunError) as stopped:
        settings.load()
    stack = pulumi.get_stack()
    assert str(stopped.value).splitlines() == [
        f"Pulumi.{stack}.yaml: aiga:domian: x.org: unknown key (did you mean domain?)",
        f'Pulumi.{stack}.yaml: aiga:tls.generation: "one": must be a whole number (such as 2, without quotes)',
    ]


def test_load_knows_which_keys_are_encrypted(configured: Any) -> None:
    value = {"aiga:monitoring": '{"alertWebhook": "https://hooks.example.org"}'}
    configured(value, ["aiga:monitoring"])
    assert settings.load().monitoring.alert_webhook is not None
    configured(value, [])
    with pytest.raises(pulumi.RunError, match="plain text"):
        settings.load()


@pytest.mark.parametrize("name", CLUSTERS)
def test_every_cluster_is_a_provider_with_a_way_to_make_it(name: str) -> None:
    traits = right(provider=name).cluster
    assert traits.name == name
    assert traits.create, f"{name}: no documented way to make such a cluster"
    assert traits.ingress.address


def test_only_the_simulator_pretends() -> None:
    assert [name for name, traits in CLUSTERS.items() if traits.simulated] == ["sim"]
    assert CLUSTERS["sim"].storage_class == "kwok-volume"


def test_mistakes_sort_by_key() -> None:
    assert sorted([Mistake("b", "", "", ""), Mistake("a", "", "", "")])[0].path == "a"
