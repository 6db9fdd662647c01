"""The layer graph: which layer takes what from which. Everything that has no edge here is built at the same time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pulumi
import pulumi_kubernetes as kubernetes

from components import (
    argo,
    flux,
    images,
    knative,
    namespaces,
    nats,
    network,
    object_store,
    pod_security,
    retry,
    upstream,
)
from components.argo import Argo, ArgoArgs
from components.context import Context
from components.flux import Flux, FluxArgs
from components.guard import Guard
from components.istio import MODELS_GATEWAY, Istio, IstioArgs
from components.istio import NAMESPACE as ISTIO
from components.knative import BROKER, INGRESS, Knative, KnativeArgs
from components.knative import NAMESPACE as KNATIVE
from components.monitoring import Monitoring, MonitoringArgs, MonitoringKinds
from components.nats import URL, Nats, NatsArgs
from components.object_store import ObjectStore, ObjectStoreArgs
from components.sealed_secrets import SealedSecrets, SealedSecretsArgs
from components.seldon import Seldon, SeldonArgs
from components.target import Target
from components.upstream import Entry, Image, Upstream
from stacks.settings import Settings


class Platform(pulumi.ComponentResource):
    """All layers that the settings switch on. A layer that is off is None."""

    istio: Istio | None = None
    knative: Knative | None = None
    nats: Nats | None = None
    argo: Argo | None = None
    seldon: Seldon | None = None
    monitoring: Monitoring | None = None
    object_store: ObjectStore | None = None
    sealed_secrets: SealedSecrets | None = None
    flux: Flux | None = None

    def __init__(self, name: str, settings: Settings) -> None:
        super().__init__("aiga:platform:Platform", name, None, _provided(settings))
        self._settings = settings
        self._on = settings.layers
        self._own = pulumi.ResourceOptions(parent=self)
        self.context = _context(settings)
        self.context.upstream.check(sources(settings), pulled(settings))
        self.context = context = replace(self.context, first=(Guard("guard", self._shapes(), self._own),))
        enabled = {layer for layer, on in settings.layers if on}
        self.spaces = namespaces.spaces(enabled, minor=context.minor, channel_broker=settings.broker == "channel")
        self._policy: list[pulumi.Resource] = []
        if pod_security.supported(context):
            self._policy = pod_security.PodSecurity("pod-security", context, self._own).objects
        spaces = namespaces.NamespacesArgs(spaces=self.spaces, outside=_outside(settings))
        self._namespaces = namespaces.Namespaces("namespaces", context, spaces, self._own)
        self._kinds = MonitoringKinds("monitoring-kinds", context, self._own) if self._on.monitoring else None

        if self._on.nats:
            generation = settings.tls.generation
            servers = NatsArgs(certificate_generation=generation, after=self._after("nats-io"))
            self.nats = Nats("nats", context, servers, self._own)
        if self._on.istio:
            self.istio = self._istio()
        if self._on.monitoring:
            self.monitoring = self._monitoring()
        if self._on.object_store:
            self.object_store = self._object_store()
        if self._on.knative:
            after = [*self._after("knative-eventing"), *self._policy]
            nats_url = self.nats.url if self.nats else URL
            broker = KnativeArgs(broker=settings.broker, nats_url=nats_url, after=after)
            self.knative = Knative("knative", context, broker, self._own)
        if self._on.argo and self.object_store:
            self.argo = self._argo(self.object_store)
        if self._on.seldon and self.istio and self.object_store:
            self.seldon = self._seldon(self.istio, self.object_store)
        if self._on.sealed_secrets:
            generation = settings.sealed_secrets.generation
            sealing = SealedSecretsArgs(generation=generation, after=self._after("sealed-secrets"))
            self.sealed_secrets = SealedSecrets("sealed-secrets", context, sealing, self._own)
        if self._on.flux:
            self.flux = self._flux()
        self.register_outputs({})

    def _after(self, namespace: str) -> list[pulumi.Resource]:
        """What every layer waits for: its namespace, and the kinds of its monitors."""
        return [self._namespaces.ready(namespace), *([self._kinds.objects] if self._kinds else [])]

    def _pages(self) -> pulumi.Output[str] | None:
        return self.istio.pages_gateway if self.istio else None

    @property
    def store_url(self) -> str:
        store = self._settings.object_store
        return object_store.address(self.context, store.driver, store.endpoint)

    @property
    def _region(self) -> str:
        return self._settings.object_store.region or "us-east-1"

    def _bucket(self, name: str) -> str:
        return f"{self._settings.object_store.prefix or ''}{name}"

    @property
    def broker_url(self) -> str:
        """Plain, for Seldon's values want it at render time; the log of requests may start before the Broker does."""
        return f"http://{INGRESS[self._settings.broker]}.{KNATIVE}.svc.cluster.local/{KNATIVE}/{BROKER}"

    def _istio(self) -> Istio:
        settings = self._settings
        args = IstioArgs(
            domain=settings.domain,
            tls_secret=settings.tls.secret_name if settings.tls.certificate == "secret" else None,
            tls_generation=settings.tls.generation,
            service_type=settings.service_type,
            service_annotations=settings.service_annotations,
            node_ports=settings.cluster.ingress.node_ports,
            after=self._after("istio-system"),
        )
        return Istio("istio", self.context, args, self._own)

    def _monitoring(self) -> Monitoring:
        settings, traits = self._settings, self._settings.cluster.monitoring
        webhook = settings.monitoring.alert_webhook
        args = MonitoringArgs(
            domain=settings.domain,
            retention=settings.monitoring.retention,
            alert_webhook=pulumi.Output.secret(webhook.get_secret_value()) if webhook else None,
            overrides={
                "kubeEtcd": {"enabled": traits.etcd},
                "kubeScheduler": {"enabled": traits.scheduler},
                "kubeControllerManager": {"enabled": traits.controller_manager},
                "kubeProxy": {"enabled": traits.proxy},
                "prometheus-node-exporter": {"hostRootFsMount": {"enabled": traits.node_exporter_root_mount}},
            },
            pages_gateway=self._pages(),
            after=self._after("monitoring"),
            exporter_after=[self._namespaces.ready("node-exporter")],
        )
        return Monitoring("monitoring", self.context, args, self._own)

    def _shapes(self) -> dict[str, str]:
        """What cannot be changed in place, of the layers that are on."""
        shapes = {"nats": nats.shape(self.context)} if self._on.nats else {}
        if self._on.knative:
            shapes["knative"] = knative.shape(self._settings.broker)
        if self._on.object_store:
            shapes["objectStore"] = object_store.shape(self.context, self._store_args([]))
        return shapes

    def _object_store(self) -> ObjectStore:
        return ObjectStore("object-store", self.context, self._store_args(self._after("storage")), self._own)

    def _store_args(self, after: list[pulumi.Resource]) -> ObjectStoreArgs:
        store = self._settings.object_store
        return ObjectStoreArgs(
            driver=store.driver,
            buckets=store.buckets,
            prefix=store.prefix or "",
            size=store.size,
            storage_class=store.storage_class or self.context.storage_class,
            endpoint=store.endpoint,
            region=self._region,
            access_key=store.access_key.get_secret_value() if store.access_key else None,
            secret_key=pulumi.Output.secret(store.secret_key.get_secret_value()) if store.secret_key else None,
            after=after,
        )

    def _argo(self, store: ObjectStore) -> Argo:
        args = ArgoArgs(
            domain=self._settings.domain,
            nats_url=self.nats.url if self.nats else URL,
            store_url=self.store_url,
            store_region=self._region,
            bucket=self._bucket(argo.BUCKET),
            account=store.account("argo"),
            pages_gateway=self._pages(),
            workflows_after=self._after("argo"),
            events_after=self._after("argo-events"),
        )
        return Argo("argo", self.context, args, self._own)

    def _seldon(self, istio: Istio, store: ObjectStore) -> Seldon:
        # The manager watches VirtualServices from its first second: Istio's kinds come first, its pods need not.
        kinds = [istio.control.crds] if istio.control.crds else []
        args = SeldonArgs(
            models_gateway=f"{ISTIO}/{MODELS_GATEWAY}",
            request_log=self.broker_url,
            store_endpoint=store.endpoint,
            store_region=self._region,
            account=store.account("seldon"),
            certificate_generation=self._settings.tls.generation,
            after=[*self._after("seldon-system"), *kinds, *self._policy],
        )
        return Seldon("seldon", self.context, args, self._own)

    def _flux(self) -> Flux:
        source = self._settings.flux
        args = FluxArgs(
            source=source.source,
            url=source.url,
            branch=source.branch,
            staging_path=source.staging_path,
            production_path=source.production_path,
            interval=source.interval,
            git_secret=source.secret_name,
            store_url=self.store_url if self.object_store else None,
            store_region=self._region,
            bucket=self._bucket(flux.BUCKET),
            account=self.object_store.account("flux") if self.object_store else None,
            after=self._after("flux-system"),
        )
        return Flux("flux", self.context, args, self._own)


def sources(settings: Settings) -> list[Entry]:
    """The charts and manifests of the layers that are on."""
    natss = {"channel": "eventing-natss", "native": "eventing-natss-broker"}[settings.broker]
    charts: dict[str, list[str]] = {
        "istio": ["base", "istiod", "gateway"],
        "nats": ["nats"],
        "argo": ["argo-workflows", "argo-events"],
        "seldon": ["seldon-core-operator"],
        "monitoring": ["prometheus-operator-crds", "kube-prometheus-stack"],
        "object_store": [settings.object_store.driver] if settings.object_store.driver != "s3" else [],
        "sealed_secrets": ["sealed-secrets"],
        "flux": ["flux2"],
    }
    on = [layer for layer, enabled in settings.layers if enabled]
    manifests = ["knative-eventing", natss] if settings.layers.knative else []
    pinned = upstream.lock()
    return [
        *(pinned.charts[chart] for layer in on for chart in charts.get(layer, [])),
        *(pinned.manifests[manifest] for manifest in manifests),
    ]


def pulled(settings: Settings) -> list[Image]:
    """The images of the layers that are on."""
    on = [layer for layer, enabled in settings.layers if enabled]
    return images.used(on, driver=settings.object_store.driver, broker=settings.broker)


def _outside(settings: Settings) -> list[network.Flow]:
    webhook = settings.monitoring.alert_webhook
    return network.to_outside(
        store=settings.object_store.endpoint,
        repository=settings.flux.url,
        alerts=webhook.get_secret_value() if webhook else None,
    )


def _provided(settings: Settings) -> pulumi.ResourceOptions:
    """The one provider of the stack, for the configured cluster; the same kubeconfig reaches the dynamic resources."""
    provider = kubernetes.Provider(
        "cluster",
        kubeconfig=settings.kubeconfig,
        context=settings.context,
        enable_patch_force=True,  # what was edited behind our back is ours again at the next `up`, whoever edited it
        enable_config_map_mutable=True,
        enable_secret_mutable=True,
    )
    return pulumi.ResourceOptions(providers={"kubernetes": provider})


def _context(settings: Settings) -> Context:
    return Context(
        stack=pulumi.get_stack(),
        profile=settings.profile,
        upstream=Upstream(
            mode=settings.upstream,
            standins=Path(settings.standins) if settings.standins else None,
            allow_unverified=settings.accepts_unverified,
        ),
        kubernetes_version=settings.kubernetes_version,
        storage_class=settings.volume_class,
        monitoring=settings.layers.monitoring,
        protect=settings.protects,
        retry=[retry.hook(Target(settings.kubeconfig or "", settings.context), pulumi.get_stack())],
    )
