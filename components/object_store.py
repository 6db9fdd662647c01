"""The object store: data, models, artefacts and releases in buckets, by one of four drivers.

`minio` (the last published image), `rustfs` and `seaweedfs` run in the cluster; `s3` is a store of your own. Buckets
and the accounts of the layers that use them are made by one Job, not by chart hooks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pulumi
import pulumi_random as random

from components import chart, fixes
from components.context import Context
from components.install import Manifest, install, register
from components.manifests import secret
from components.object_store_job import ACCOUNTS, Access, buckets_job, job_secret
from components.upstream import image

NAMESPACE = "storage"
Driver = Literal["minio", "rustfs", "seaweedfs", "s3"]
ENDPOINTS = {
    "minio": "http://minio.storage.svc.cluster.local:9000",
    "rustfs": "http://rustfs-svc.storage.svc.cluster.local:9000",
    "seaweedfs": "http://seaweedfs-all-in-one.storage.svc.cluster.local:8333",
}
REPLICATED_SEAWEEDFS = "http://seaweedfs-s3.storage.svc.cluster.local:8333"
"""In the prod profile SeaweedFS answers S3 from pods of its own."""
METRICS: Mapping[str, tuple[dict[str, str], Sequence[dict[str, str]]]] = {
    "minio": ({"app": "minio", "monitoring": "true"}, [{"port": "http", "path": "/minio/v2/metrics/cluster"}]),
    "seaweedfs": ({"app.kubernetes.io/name": "seaweedfs"}, [{"port": "server-metrics"}, {"port": "metrics"}]),
}
"""Labels of the Services with metrics, and their endpoints. RustFS has none: it only pushes, by OTLP."""
REQUESTS = {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}}
"""For containers that state nothing: RustFS' init container, which a quota would refuse."""


@dataclass(frozen=True, kw_only=True)
class ObjectStoreArgs:
    driver: Driver = "minio"
    buckets: Sequence[str]
    prefix: str = ""
    """Before the name of every bucket, where names are shared with others: on AWS and GCS with all the world."""
    size: str | None = None
    """Size of each volume, e.g. 50Gi; the profile's when None."""
    storage_class: str | None = None
    """Of the volumes; the cluster's default when None."""
    endpoint: str | None = None
    """For `s3`: its URL."""
    region: str = "us-east-1"
    access_key: pulumi.Input[str] | None = None
    secret_key: pulumi.Input[str] | None = None
    after: Sequence[pulumi.Resource]


@dataclass(frozen=True)
class Account:
    """One layer's key pair, able to do no more than its `Access` says."""

    access_key: pulumi.Output[str]
    secret_key: pulumi.Output[str]


class ObjectStore(pulumi.ComponentResource):
    """A store with its buckets. `account(layer)` gives that layer's credentials, known once the buckets exist."""

    endpoint: pulumi.Output[str]
    """URL, known once the buckets exist."""

    def __init__(
        self, name: str, context: Context, args: ObjectStoreArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aiga:platform:ObjectStore", name, None, opts)
        root = self._root(name, args)
        self._accounts = {a.layer: root if args.driver == "s3" else self._account(name, a) for a in ACCOUNTS}
        served = self._server(name, context, args, root)
        url = address(context, args.driver, args.endpoint)
        managed = args.driver in ("minio", "rustfs")  # the others know their accounts from their own configuration
        credentials = register(
            context,
            name,
            job_secret(NAMESPACE, url, root, self._accounts if managed else {}),
            pulumi.ResourceOptions(parent=self, depends_on=list(args.after)),
        )
        job = buckets_job(NAMESPACE, args.buckets, manages_accounts=managed, region=args.region, prefix=args.prefix)
        buckets = register(context, name, job, pulumi.ResourceOptions(parent=self, depends_on=[*served, credentials]))
        self.endpoint = buckets.id.apply(lambda _: url)
        self.root = root
        self.register_outputs({"endpoint": self.endpoint})

    def account(self, layer: str) -> Account:
        """A layer's key pair; it comes with the buckets, so that who uses it waits for them."""
        pair = self._accounts[layer]
        keys = pulumi.Output.all(self.endpoint, pair.access_key, pair.secret_key)
        return Account(keys.apply(lambda k: k[1]), pulumi.Output.secret(keys.apply(lambda k: k[2])))

    def _root(self, name: str, args: ObjectStoreArgs) -> Account:
        if args.driver == "s3":
            if args.access_key is None or args.secret_key is None:
                raise ValueError("objectStore: driver s3 needs accessKey and secretKey")
            return Account(pulumi.Output.secret(args.access_key), pulumi.Output.secret(args.secret_key))
        return self._account(name, Access("root", {}))

    def _account(self, name: str, access: Access) -> Account:
        secret = random.RandomPassword(
            f"{name}-{access.layer}", length=40, special=False, opts=pulumi.ResourceOptions(parent=self)
        )
        return Account(pulumi.Output.from_input(f"aiga-{access.layer}"), secret.result)

    def _server(self, name: str, context: Context, args: ObjectStoreArgs, root: Account) -> list[pulumi.Resource]:
        if args.driver == "s3":
            return list(args.after)
        credentials = register(
            context,
            name,
            _root_secret(args, root, self._accounts),
            pulumi.ResourceOptions(parent=self, depends_on=list(args.after)),
        )
        values = chart.values(args.driver, context.profile, _values(context, args))
        objects = chart.render(context, args.driver, release=args.driver, namespace=NAMESPACE, values=values)
        mended = fixes.apply(
            objects,
            fixes.limited(REQUESTS),
            fixes.secured,
            fixes.without_token("minio", "rustfs", "seaweedfs-all-in-one", "seaweedfs-s3"),
            fixes.without_token("seaweedfs-master", "seaweedfs-volume", "seaweedfs-filer"),
            fixes.budgeted,
            fixes.spread,
            lambda objects: [*objects, *_monitor(args.driver)],
        )
        return install(context, name, mended, parent=self, after=[*args.after, credentials]).last


def shape(context: Context, args: ObjectStoreArgs) -> str:
    """What of it cannot be changed in place: the driver, whether it is replicated, its volumes."""
    if args.driver == "s3":
        return f"a store outside at {args.endpoint}"
    values = chart.values(args.driver, context.profile, _values(context, args))
    sizes = {
        "minio": lambda: values["persistence"]["size"],
        "rustfs": lambda: values["storageclass"]["dataStorageSize"],
        "seaweedfs": lambda: (
            values["volume"]["dataDirs"][0] if context.profile == "prod" else values["allInOne"]["data"]
        )["size"],
    }
    mode = "replicated" if context.profile == "prod" else "one server"
    return f"{args.driver}, {mode}, volumes of {sizes[args.driver]()}, class {args.storage_class or 'default'}"


def address(context: Context, driver: Driver, endpoint: str | None = None) -> str:
    """The store's URL, which the layers' charts want at render time."""
    if driver == "s3":
        if endpoint is None:
            raise ValueError("objectStore: driver s3 needs its endpoint")
        return endpoint.rstrip("/")
    return REPLICATED_SEAWEEDFS if driver == "seaweedfs" and context.profile == "prod" else ENDPOINTS[driver]


def _monitor(driver: str) -> list[Manifest]:
    """Ours for all drivers: what the charts bring appears or not with the cluster they are rendered for."""
    if driver not in METRICS:
        return []
    labels, endpoints = METRICS[driver]
    return [
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "ServiceMonitor",
            "metadata": {"name": driver, "namespace": NAMESPACE},
            "spec": {"selector": {"matchLabels": labels}, "endpoints": list(endpoints)},
        }
    ]


def _root_secret(args: ObjectStoreArgs, root: Account, accounts: Mapping[str, Account]) -> Manifest:
    """The server's own credentials, under the name and the keys that its chart reads."""
    if args.driver == "seaweedfs":
        return secret("seaweedfs-s3", NAMESPACE, {"seaweedfs_s3_config": _identities(root, accounts, args.prefix)})
    keys = {"minio": ("rootUser", "rootPassword"), "rustfs": ("RUSTFS_ACCESS_KEY", "RUSTFS_SECRET_KEY")}[args.driver]
    return secret(f"{args.driver}-root", NAMESPACE, dict(zip(keys, (root.access_key, root.secret_key), strict=True)))


def _identities(root: Account, accounts: Mapping[str, Account], prefix: str = "") -> pulumi.Output[str]:
    """SeaweedFS knows its accounts from one document, with what each may do by bucket."""
    layers = {"root": root, **accounts}

    def document(keys: Sequence[str]) -> str:
        identities = []
        for i, layer in enumerate(layers):
            grants = next((a.buckets for a in ACCOUNTS if a.layer == layer), None)
            actions = ["Admin"] if grants is None else _actions(grants, prefix)
            pair = {"accessKey": keys[2 * i], "secretKey": keys[2 * i + 1]}
            identities.append({"name": layer, "credentials": [pair], "actions": actions})
        return json.dumps({"identities": identities})

    flat = [key for account in layers.values() for key in (account.access_key, account.secret_key)]
    return pulumi.Output.secret(pulumi.Output.all(*flat).apply(document))


def _actions(grants: Mapping[str, str], prefix: str = "") -> list[str]:
    verbs = {"read": ("Read", "List"), "write": ("Read", "List", "Write", "Tagging")}
    return [f"{verb}:{prefix}{bucket}" for bucket, grant in grants.items() for verb in verbs[grant]]


def _values(context: Context, args: ObjectStoreArgs) -> dict[str, Any]:
    """What the profile's values leave open: size, storage class and images."""
    return {"minio": _minio, "rustfs": _rustfs, "seaweedfs": _seaweedfs}[args.driver](context, args)


def _minio(context: Context, args: ObjectStoreArgs) -> dict[str, Any]:
    volume = _present(size=args.size, storageClass=args.storage_class)
    return {"persistence": volume, "image": _image("minio")}


def _rustfs(context: Context, args: ObjectStoreArgs) -> dict[str, Any]:
    volume = _present(dataStorageSize=args.size, name=args.storage_class)
    server, init = _image("rustfs"), _image("busybox")
    return {"storageclass": volume, "image": {"rustfs": server, "initImage": init}}


def _seaweedfs(context: Context, args: ObjectStoreArgs) -> dict[str, Any]:
    volume = _present(size=args.size, storageClass=args.storage_class)
    if context.profile != "prod":
        return {"image": {"tag": _image("seaweedfs")["tag"]}, "allInOne": {"data": volume}}
    directory = {"name": "data1", "type": "persistentVolumeClaim", "size": "50Gi", "maxVolumes": 0, **volume}
    class_only = _present(storageClass=args.storage_class)
    return {
        "image": {"tag": _image("seaweedfs")["tag"]},
        "master": {"data": class_only},
        "filer": {"data": class_only},
        "volume": {"dataDirs": [directory]},
    }


def _image(name: str) -> dict[str, str]:
    return {"repository": image(name).repository, "tag": image(name).tag}


def _present(**values: str | None) -> dict[str, str]:
    return {key: value for key, value in values.items() if value is not None}
