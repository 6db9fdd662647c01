"""Rules that look at more than one key. Each returns the mistakes it finds in settings that are valid by themselves."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pydantic import SecretStr

from stacks.mistakes import HIDDEN, Mistake, shown
from stacks.models import Layers
from stacks.remedies import make
from stacks.values import ENCRYPTED, holds_credentials, is_kubeconfig_text

if TYPE_CHECKING:
    from stacks.settings import Settings

OLDEST_MINOR = 34

NEEDS: tuple[tuple[str, str, str], ...] = (
    ("knative", "nats", "its channels and brokers keep their events in JetStream"),
    ("argo", "nats", "the EventBus is a stream of it"),
    ("argo", "object_store", "workflows hand their artefacts on through it"),
    ("seldon", "istio", "it routes to models through Istio's gateway and CRDs"),
    ("seldon", "knative", "its request logger sends to the Broker"),
    ("seldon", "object_store", "model servers load their models from it"),
)
"""Layer, what it needs, and why; stacks/platform.py draws the same edges."""

SECRETS: Mapping[str, Callable[[Settings], SecretStr | None]] = {
    "objectStore.accessKey": lambda settings: settings.object_store.access_key,
    "objectStore.secretKey": lambda settings: settings.object_store.secret_key,
    "monitoring.alertWebhook": lambda settings: settings.monitoring.alert_webhook,
}
"""The keys that may only stand encrypted in a stack file."""


def broken_rules(settings: Settings, stack: str, secrets: Collection[str] | None) -> Iterator[Mistake]:
    """Yield a mistake for every rule that these settings break."""
    rules: tuple[Callable[[Settings], Iterator[Mistake]], ...] = (
        _layers,
        _flux,
        _version,
        _context,
        _object_store,
        _buckets,
        _tls,
        _standins,
    )
    for rule in rules:
        yield from rule(settings)
    yield from _encrypted(settings, stack, secrets)
    yield from _kubeconfig(settings, secrets)


def _alias(name: str) -> str:
    return Layers.model_fields[name].alias or name


def _layers(settings: Settings) -> Iterator[Mistake]:
    for layer, needed, reason in NEEDS:
        if getattr(settings.layers, layer) and not getattr(settings.layers, needed):
            yield _switched_off(layer, needed, reason)


def _switched_off(layer: str, needed: str, reason: str, *uses: str) -> Mistake:
    layer, needed = _alias(layer), _alias(needed)
    return Mistake(
        f"layers.{needed}",
        "false",
        f"{layer} needs {needed}: {reason}",
        f"switch {needed} on, or {layer} off too",
        frozenset({f"layers.{layer}", *uses}),
    )


def _flux(settings: Settings) -> Iterator[Mistake]:
    flux, uses = settings.flux, frozenset({"flux.source", "layers.flux"})
    if not settings.layers.flux:
        return
    if flux.source == "git" and flux.url is None:
        yield Mistake("flux.url", '""', "source git needs a repository", "set its URL, or flux.source to bucket", uses)
    if flux.source == "bucket":
        if flux.url is not None:
            yield Mistake("flux.url", shown(flux.url), "is for source git only", "set flux.source to git", uses)
        if not settings.layers.object_store:
            reason = "flux.source is bucket, which lies there"
            yield _switched_off("flux", "object_store", reason, "flux.source")
    staging, production = PurePosixPath(flux.staging_path), PurePosixPath(flux.production_path)
    if staging == production or staging in production.parents or production in staging.parents:
        rule = (
            "must differ from flux.stagingPath"
            if staging == production
            else "must not lie in flux.stagingPath, nor hold it"
        )
        remedy = "one folder for each, else staging is production"
        where = shown(flux.production_path)
        yield Mistake("flux.productionPath", where, rule, remedy, frozenset({"flux.stagingPath"}))


def _version(settings: Settings) -> Iterator[Mistake]:
    if not settings.at_least(OLDEST_MINOR):
        yield Mistake(
            "kubernetesVersion",
            settings.kubernetes_version,
            f"must be 1.{OLDEST_MINOR} or newer: the controllers of Knative Eventing exit below it",
            "upgrade the cluster first",
        )


def _context(settings: Settings) -> Iterator[Mistake]:
    if settings.profile == "prod" and settings.context is None:
        yield Mistake(
            "context",
            '""',
            "profile prod needs the context it is meant for, so that it cannot reach another cluster",
            "name it: kubectl config get-contexts",
            frozenset({"profile"}),
        )


def _object_store(settings: Settings) -> Iterator[Mistake]:
    store, uses = settings.object_store, frozenset({"objectStore.driver", "layers.objectStore"})
    if not settings.layers.object_store:
        return
    external = {
        "endpoint": store.endpoint,
        "region": store.region,
        "accessKey": store.access_key and HIDDEN,
        "secretKey": store.secret_key and HIDDEN,
    }
    for key, value in external.items():
        path = f"objectStore.{key}"
        if store.driver == "s3" and not value:
            yield Mistake(path, '""', "driver s3 needs it", "set it, or choose a driver that installs a store", uses)
        if store.driver != "s3" and value:
            yield Mistake(path, shown(value), "is for driver s3 only", "set objectStore.driver to s3, or drop it", uses)


def _buckets(settings: Settings) -> Iterator[Mistake]:
    buckets = settings.object_store.buckets
    readers = {
        "artifacts": ("argo", settings.layers.argo),
        "models": ("seldon", settings.layers.seldon),
        "releases": ("flux", settings.layers.flux and settings.flux.source == "bucket"),
    }
    for bucket, (layer, reads) in readers.items():
        if settings.layers.object_store and reads and bucket not in buckets:
            yield Mistake(
                "objectStore.buckets",
                shown(", ".join(buckets)),
                f"must hold {bucket}: {layer} uses it",
                f"add {bucket}, or switch {layer} off",
                frozenset({f"layers.{layer}", "flux.source"}),
            )
    uses = frozenset({"objectStore.buckets"})
    prefix = settings.object_store.prefix or ""
    longest = max((prefix + bucket for bucket in buckets), key=len, default="")
    if len(longest) > 63:
        rule = f"makes {longest} a name of {len(longest)} characters; S3 allows 63"
        yield Mistake("objectStore.prefix", shown(prefix), rule, "shorten it", uses)
    twice = sorted({bucket for bucket in buckets if buckets.count(bucket) > 1})
    if twice:
        yield Mistake("objectStore.buckets", shown(", ".join(twice)), "is listed twice", "drop one")


def _tls(settings: Settings) -> Iterator[Mistake]:
    tls, uses = settings.tls, frozenset({"tls.certificate"})
    if tls.certificate == "secret" and tls.secret_name is None:
        yield Mistake(
            "tls.secretName", '""', "certificate secret needs its name", "a kubernetes.io/tls in istio-system", uses
        )
    if tls.certificate == "generated" and tls.secret_name is not None:
        remedy = "set tls.certificate to secret, or drop it"
        yield Mistake("tls.secretName", tls.secret_name, "is for certificate secret only", remedy, uses)


def _standins(settings: Settings) -> Iterator[Mistake]:
    uses = frozenset({"provider"})
    if settings.upstream == "standins" and not settings.cluster.simulated:
        rule = f"stand-in charts run nothing, and provider {settings.provider} is a real cluster"
        yield Mistake("upstream", "standins", rule, "use auto, vendor or source", uses)
    if settings.standins is not None and not settings.cluster.simulated:
        rule = f"stand-in charts run nothing, and provider {settings.provider} is a real cluster"
        yield Mistake("standins", shown(settings.standins), rule, "drop it: the runner sets it where it fits", uses)


def _encrypted(settings: Settings, stack: str, secrets: Collection[str] | None) -> Iterator[Mistake]:
    """A secret in plain text in a stack file is a secret in Git."""
    for path, held in SECRETS.items():
        if secrets is not None and held(settings) is not None and not {path, path.split(".")[0]} & set(secrets):
            remedy = f"drop it there, then {make('secret', stack, KEY=path)}"
            yield Mistake(path, HIDDEN, "is a secret in plain text", remedy)


def _kubeconfig(settings: Settings, secrets: Collection[str] | None) -> Iterator[Mistake]:
    text = settings.kubeconfig or ""
    remedy = "put it into a file of your own and set its path, or leave it to KUBECONFIG"
    if text == ENCRYPTED:
        rule = "cannot be encrypted: the cluster is looked for before anything is decrypted"
        yield Mistake("kubeconfig", HIDDEN, rule, remedy)
    elif secrets is not None and "kubeconfig" not in secrets and is_kubeconfig_text(text) and holds_credentials(text):
        yield Mistake("kubeconfig", HIDDEN, "holds credentials in plain text", remedy)
