"""The models of `aiga:*` configuration: the only place where a key, its default and its meaning are written.

`Pulumi.yaml` and docs/configuration.md are generated from them (`make docs`).
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic.alias_generators import to_camel

from stacks.values import (
    Annotation,
    Bucket,
    Duration,
    Endpoint,
    Folder,
    Name,
    Prefix,
    Quantity,
    Repository,
    Retention,
    Webhook,
)

BUCKETS = ("artifacts", "data", "models", "releases")


class Model(BaseModel):
    """Frozen, camelCase in YAML, and no key that nobody reads."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )


class Layers(Model):
    """Which layers are installed. Switching off what another one needs is refused."""

    istio: bool = Field(default=True, description="Ingress gateway, traffic splitting, mTLS.")
    knative: bool = Field(default=True, description="Knative Eventing: the Broker that carries CloudEvents.")
    nats: bool = Field(default=True, description="NATS JetStream: keeps the events of Knative and Argo Events.")
    argo: bool = Field(default=True, description="Argo Workflows and Argo Events: pipelines and what starts them.")
    seldon: bool = Field(default=True, description="Seldon Core 1.17.1: model servers, canaries, shadows.")
    monitoring: bool = Field(
        default=True, description="Prometheus, Alertmanager, Grafana; without it no layer is scraped."
    )
    object_store: bool = Field(default=True, description="S3-compatible store for models, artefacts and data.")
    sealed_secrets: bool = Field(default=True, description="Secrets that can lie in Git.")
    flux: bool = Field(default=True, description="GitOps: applies what a release commits.")


class ObjectStore(Model):
    """The object store, or the S3 service to use instead of one."""

    driver: Literal["minio", "rustfs", "seaweedfs", "s3"] = Field(
        default="rustfs", description="Server to install; s3 uses an existing service and installs none."
    )
    size: Quantity | None = Field(default=None, description="Size of its volume; empty for the profile's.")
    storage_class: Name | None = Field(
        default=None, description="StorageClass of its volume; empty for aiga:storageClass."
    )
    buckets: tuple[Bucket, ...] = Field(default=BUCKETS, description="Buckets to make.")
    prefix: Prefix | None = Field(
        default=None,
        description="Put before the name of every bucket, such as acme-ml-: on AWS and GCS all the world shares names.",
    )
    endpoint: Endpoint | None = Field(default=None, description="URL of the S3 service (driver s3).")
    region: str | None = Field(default=None, description="Region of the S3 service (driver s3).")
    access_key: SecretStr | None = Field(default=None, description="Access key of the S3 service (driver s3).")
    secret_key: SecretStr | None = Field(default=None, description="Secret key of the S3 service (driver s3).")


class Tls(Model):
    """The certificate of the ingress gateway."""

    certificate: Literal["generated", "secret"] = Field(
        default="generated", description="generated: by an own authority; secret: an existing Secret holds it."
    )
    secret_name: Name | None = Field(
        default=None, description="Secret of type kubernetes.io/tls in istio-system (certificate: secret)."
    )
    generation: int = Field(default=1, ge=1, description="Raise it to renew every certificate the platform generates.")


class SealedSecrets(Model):
    """The key that Sealed Secrets decrypts with."""

    generation: int = Field(default=1, ge=1, description="Raise it to add a new sealing key; older ones still decrypt.")


class Flux(Model):
    """Where Flux finds what to apply."""

    source: Literal["bucket", "git"] = Field(
        default="bucket", description="bucket: `releases` on the platform's own store; git: a repository."
    )
    url: Repository | None = Field(default=None, description="URL of the repository (source git).")
    branch: str = Field(default="main", min_length=1, description="Branch of the repository (source git).")
    secret_name: Name | None = Field(
        default=None,
        description="Secret in flux-system with the repository's credentials (source git); empty when public.",
    )
    staging_path: Folder = Field(default="staging", min_length=1, description="Folder applied to staging.")
    production_path: Folder = Field(default="production", min_length=1, description="Folder applied to production.")
    interval: Duration = Field(default="1m", description="How often the source is looked at.")


class Gateway(Model):
    """The Service in front of the ingress gateway, where the provider's choice does not fit."""

    service_type: Literal["LoadBalancer", "NodePort"] | None = Field(
        default=None,
        description="Type of the Service; empty for the provider's. NodePort opens 30080 and 30443 on every node.",
    )
    annotations: dict[Annotation, str] = Field(
        default={}, description="Added to the provider's, such as the one that makes a load balancer internal."
    )


class Monitoring(Model):
    """Prometheus and Alertmanager."""

    retention: Retention | None = Field(default=None, description="How long metrics are kept; empty for the profile's.")
    alert_webhook: Webhook | None = Field(
        default=None, description="URL that receives alerts; empty sends them nowhere."
    )
