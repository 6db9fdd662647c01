"""Flux: what Git, or a bucket of the platform's own store, says is released, is what runs; staging first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pulumi

from components import chart, fixes
from components.context import Context
from components.install import Manifest, install, register
from components.object_store import Account
from components.upstream import image

NAMESPACE = "flux-system"
SOURCE = "releases"
BUCKET = "releases"
ENVIRONMENTS = ("staging", "production")


@dataclass(frozen=True, kw_only=True)
class FluxArgs:
    source: Literal["bucket", "git"] = "bucket"
    url: str | None = None
    """Of the Git repository, when the source is git."""
    branch: str = "main"
    staging_path: str = "./staging"
    production_path: str = "./production"
    interval: str = "1m"
    git_secret: str | None = None
    """Secret in flux-system with the repository's credentials; None for a public one."""
    store_url: str | None = None
    """Of the object store, when the source is its bucket."""
    store_region: str = "us-east-1"
    bucket: str = BUCKET
    """The bucket of releases: its name, with the stack's prefix."""
    account: Account | None = None
    after: Sequence[pulumi.Resource]


class Flux(pulumi.ComponentResource):
    """The controllers, one source, and a Kustomization for each environment."""

    def __init__(self, name: str, context: Context, args: FluxArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aiga:platform:Flux", name, None, opts)
        values = chart.values("flux2", context.profile, _values(context))
        objects = chart.render(context, "flux2", release="flux2", namespace=NAMESPACE, values=values)
        # The chart's policies open the namespace wide; ours (components/network.py) name each flow.
        mended = fixes.apply(objects, fixes.drop(kinds={"NetworkPolicy"}), fixes.budgeted, fixes.spread)
        installed = install(context, name, mended, parent=self, after=args.after)
        own = pulumi.ResourceOptions(parent=self, depends_on=installed.last)
        first = [register(context, name, o, own) for o in _source(args)]
        paths = dict(zip(ENVIRONMENTS, (args.staging_path, args.production_path), strict=True))
        for environment, path in paths.items():
            manifest = _kustomization(environment, path, args)
            register(context, name, manifest, pulumi.ResourceOptions(parent=self, depends_on=first))
        self.installed = installed
        self.register_outputs({})


def _values(context: Context) -> dict[str, Any]:
    tags = {
        f"{short}Controller": {"tag": image(f"flux-{short}-controller").tag}
        for short in ("source", "kustomize", "helm", "notification")
    }
    return {**tags, "prometheus": {"podMonitor": {"create": context.monitoring}}}


def _source(args: FluxArgs) -> list[Manifest]:
    metadata = {"name": SOURCE, "namespace": NAMESPACE}
    if args.source == "git":
        spec: dict[str, Any] = {"url": args.url, "ref": {"branch": args.branch}, "interval": args.interval}
        if args.git_secret:
            spec["secretRef"] = {"name": args.git_secret}
        return [
            {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "metadata": metadata, "spec": spec}
        ]
    if args.account is None or args.store_url is None:
        raise ValueError("flux: source bucket needs the object store's address and an account on it")
    scheme, _, address = args.store_url.partition("://")
    keys = {"accesskey": args.account.access_key, "secretkey": args.account.secret_key}
    spec = {
        "provider": "generic",
        "bucketName": args.bucket,
        "endpoint": address,
        "region": args.store_region,
        "insecure": scheme == "http",
        "interval": args.interval,
        "secretRef": {"name": "releases-s3"},
    }
    return [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {**metadata, "name": "releases-s3"}, "stringData": keys},
        {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "Bucket", "metadata": metadata, "spec": spec},
    ]


def _kustomization(environment: str, path: str, args: FluxArgs) -> Manifest:
    """Not waited for: a platform without its first release is whole, though nothing is there to apply.

    It names its account: in the prod profile one that names none gets that of tenants, who may do next to nothing.
    """
    kind = {"bucket": "Bucket", "git": "GitRepository"}[args.source]
    after = [{"name": "staging"}] if environment == "production" else []
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": environment, "namespace": NAMESPACE},
        "spec": {
            "interval": args.interval,
            "path": path,
            "prune": True,
            "serviceAccountName": "kustomize-controller",
            "sourceRef": {"kind": kind, "name": SOURCE},
            **({"dependsOn": after} if after else {}),
        },
    }
