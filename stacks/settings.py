"""The stack's configuration, read once, into frozen models; every mistake is reported at once.

`load()` is for the program, `parse()` is the pure function behind it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal

import pulumi
from pulumi.runtime import config as pulumi_config
from pydantic import Field

from stacks.clusters import CLUSTERS, ClusterTraits
from stacks.mistakes import Mistake, build, typed
from stacks.models import Flux, Gateway, Layers, Model, Monitoring, ObjectStore, SealedSecrets, Tls
from stacks.rules import broken_rules
from stacks.values import Domain, Name, Provider, Version

__all__ = ["PROJECT", "Mistake", "Settings", "load", "parse", "report"]

PROJECT = "aiga"


class Settings(Model):
    """What an operator decides about one stack."""

    profile: Literal["laptop", "team", "prod"] = Field(
        default="laptop",
        description="laptop: at most 1 CPU and 3 GiB of requests; team: single replicas, persistent; prod: HA.",
    )
    provider: Provider = Field(
        default="k3d", description="Kind of cluster, which sets what stacks/clusters/ says of it."
    )
    kubeconfig: str | None = Field(
        default=None,
        description="Path of a kubeconfig, or its text where that holds no credentials; empty for $KUBECONFIG, then "
        "~/.kube/config.",
    )
    context: str | None = Field(
        default=None, description="Context of that kubeconfig; empty for its current one, which profile prod refuses."
    )
    domain: Domain = Field(default="aiga.localhost", description="Hosts of the URLs are names under it.")
    kubernetes_version: Version = Field(
        default="1.36.3",
        description="Version the charts are rendered for; 1.34 or newer. The runner sets the cluster's own.",
    )
    layers: Layers = Field(default=Layers(), description="Layers to install.")
    broker: Literal["channel", "native"] = Field(
        default="channel",
        description="channel: MTChannelBasedBroker over JetStream channels; native: NatsJetStreamBroker.",
    )
    storage_class: Name | None = Field(
        default=None, description="StorageClass of every volume; empty for the provider's."
    )
    object_store: ObjectStore = Field(default=ObjectStore(), description="The object store.")
    gateway: Gateway = Field(default=Gateway(), description="The Service of the ingress gateway.")
    tls: Tls = Field(default=Tls(), description="The certificate of the ingress gateway.")
    sealed_secrets: SealedSecrets = Field(default=SealedSecrets(), description="The sealing key.")
    flux: Flux = Field(default=Flux(), description="Where Flux finds what to apply.")
    monitoring: Monitoring = Field(default=Monitoring(), description="Prometheus and Alertmanager.")
    upstream: Literal["auto", "vendor", "source", "standins"] = Field(
        default="auto",
        description="Where charts come from: auto takes vendor/, then stand-ins where the runner made them, then "
        "their source; the others take one place only.",
    )
    standins: str | None = Field(
        default=None, description="Folder of the stand-in charts; the runner sets it, people do not."
    )
    protect: bool | None = Field(
        default=None,
        description="Refuse to delete CRDs, volumes and the sealing key; empty for true in profile prod only.",
    )
    allow_unverified: bool | None = Field(
        default=None, description="Accept an upstream entry without a recorded sha256; empty for all profiles but prod."
    )

    @property
    def cluster(self) -> ClusterTraits:
        """What differs on this provider."""
        return CLUSTERS[self.provider]

    @property
    def protects(self) -> bool:
        """Whether what cannot be rebuilt is protected."""
        return self.profile == "prod" if self.protect is None else self.protect

    @property
    def accepts_unverified(self) -> bool:
        """Whether an upstream entry without a digest may be used."""
        return self.profile != "prod" if self.allow_unverified is None else self.allow_unverified

    @property
    def volume_class(self) -> str | None:
        """StorageClass of volumes; None leaves it to the cluster's default."""
        return self.storage_class or self.cluster.storage_class

    @property
    def service_type(self) -> Literal["LoadBalancer", "NodePort"]:
        """Type of the gateway's Service."""
        return self.gateway.service_type or self.cluster.ingress.service_type

    @property
    def service_annotations(self) -> dict[str, str]:
        """Annotations of the gateway's Service."""
        return {**self.cluster.ingress.annotations, **self.gateway.annotations}

    def at_least(self, minor: int) -> bool:
        """Whether the cluster is Kubernetes 1.`minor` or newer."""
        return minor_of(self.kubernetes_version) >= minor

    def host(self, service: str) -> str:
        """DNS name of a service behind the gateway, such as grafana.aiga.localhost."""
        return f"{service}.{self.domain}"

    def url(self, service: str | None = None) -> str:
        """HTTPS URL of a page behind the gateway, with the port it is reached at; without a name, that of models."""
        ingress = self.cluster.ingress
        port = ingress.node_ports[1] if self.service_type == "NodePort" else ingress.https_port
        return f"https://{self.host(service) if service else self.domain}" + ("" if port == 443 else f":{port}")


def minor_of(version: str) -> int:
    """Return the minor of a Kubernetes version such as 1.36.3."""
    return int(version.split(".")[1])


def parse(raw: Mapping[str, str], stack: str, secrets: Collection[str] | None = None) -> Settings | list[Mistake]:
    """Turn raw configuration values, keyed without `aiga:`, into settings or every mistake in them.

    Args:
        raw: what `pulumi.Config` holds: strings, and JSON for objects.
        stack: its name, for the messages.
        secrets: keys that are encrypted in the stack file; None when that is not known, which leaves it unchecked.
    """
    data, mistakes = typed(raw, Settings)
    settings, more = build(Settings, data)
    mistakes += more
    wrong = {mistake.path for mistake in mistakes}
    mistakes += [rule for rule in broken_rules(settings, stack, secrets) if not rule.concerns(wrong)]
    return sorted(mistakes) if mistakes else settings


def wrong_by_itself(path: str, value: str) -> list[Mistake]:
    """Return the mistakes in one value, of a key such as monitoring.alertWebhook, whatever the others are."""
    data: Any = value
    for key in reversed(path.split(".")):
        data = {key: data}
    return build(Settings, data)[1]


def report(stack: str, mistakes: list[Mistake]) -> str:
    """Return the message a user reads: one line a mistake."""
    return "\n".join(f"Pulumi.{stack}.yaml: {PROJECT}:{mistake}" for mistake in mistakes)


def load() -> Settings:
    """Read the configuration of the stack being run.

    Raises:
        pulumi.RunError: naming every mistake, before any resource is registered.
    """
    prefix = f"{PROJECT}:"
    merged = {**pulumi_config.get_config_env(), **pulumi_config.CONFIG.get()}
    raw = {key.removeprefix(prefix): str(value) for key, value in merged.items() if key.startswith(prefix)}
    secrets = {key for key in raw if pulumi_config.is_config_secret(prefix + key)}
    stack = pulumi.get_stack()
    result = parse(raw, stack, secrets)
    if isinstance(result, Settings):
        return result
    raise pulumi.RunError(report(stack, result))
