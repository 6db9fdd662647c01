"""The Job that makes the object store's buckets and the accounts of the layers that use them.

It does nothing twice, so it may run again at any time. Its name carries the digest of what it does: another list of
buckets is another Job.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pulumi

from components.fixes import RESTRICTED
from components.upstream import image

if TYPE_CHECKING:
    from components.object_store import Account

Manifest = dict[str, Any]
SECRET = "buckets"


@dataclass(frozen=True)
class Access:
    """What one layer may do, by bucket; their names are without the stack's prefix."""

    layer: str
    buckets: Mapping[str, Literal["read", "write"]]


ACCOUNTS = (
    Access("argo", {"artifacts": "write"}),
    Access("seldon", {"models": "read"}),
    Access("flux", {"releases": "read"}),
)


def policy(access: Access, prefix: str = "") -> str:
    """An S3 policy document that grants an account its buckets and nothing else."""
    verbs = {
        "read": ["s3:GetObject", "s3:GetObjectVersion"],
        "write": ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
    }
    statements = []
    for short, grant in access.buckets.items():
        bucket = f"{prefix}{short}"
        whole = {"Action": ["s3:ListBucket", "s3:GetBucketLocation"], "Resource": [f"arn:aws:s3:::{bucket}"]}
        inside = {"Action": verbs[grant], "Resource": [f"arn:aws:s3:::{bucket}/*"]}
        statements += [{"Effect": "Allow", **whole}, {"Effect": "Allow", **inside}]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def script(buckets: Sequence[str], *, manages_accounts: bool, region: str, prefix: str = "") -> str:
    """The Job's shell script. Keys come from the environment and never stand in it."""
    lines = ["set -eu", "mkdir -p /tmp/mc"]
    lines += [f"mc mb --ignore-existing --region {shlex.quote(region)} store/{prefix}{bucket}" for bucket in buckets]
    if manages_accounts:
        for access in ACCOUNTS:
            name, key = f"aiga-{access.layer}", _variable(access.layer)
            lines += [
                f"printf '%s' '{policy(access, prefix)}' > /tmp/{name}.json",
                f'printf "%s\\n%s\\n" {name} "${key}" | mc admin user add store',
                f"mc admin policy create store {name} /tmp/{name}.json",
                f"mc admin policy attach store {name} --user {name}"
                f" || mc admin policy entities store --user {name} | grep -q {name}",
            ]
    return "\n".join(lines)


def job_secret(namespace: str, url: str, root: Account, accounts: Mapping[str, Account]) -> Manifest:
    """The Job's environment: the store's address with the root account in it, and the key of each account to make."""
    scheme, _, host = url.partition("://")
    address = pulumi.Output.all(root.access_key, root.secret_key).apply(lambda k: f"{scheme}://{k[0]}:{k[1]}@{host}")
    keys: dict[str, pulumi.Input[str]] = {_variable(layer): account.secret_key for layer, account in accounts.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET, "namespace": namespace},
        "stringData": {"MC_HOST_store": pulumi.Output.secret(address), **keys},
    }


def buckets_job(
    namespace: str, buckets: Sequence[str], *, manages_accounts: bool, region: str, prefix: str = ""
) -> Manifest:
    body = script(buckets, manages_accounts=manages_accounts, region=region, prefix=prefix)
    container = {
        "name": "buckets",
        "image": image("minio-client").reference,
        "command": ["/bin/sh", "-c", body],
        "env": [{"name": "MC_CONFIG_DIR", "value": "/tmp/mc"}],
        "envFrom": [{"secretRef": {"name": SECRET}}],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": {**RESTRICTED, "runAsUser": 1000},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": f"buckets-{hashlib.sha256(body.encode()).hexdigest()[:8]}", "namespace": namespace},
        "spec": {
            "backoffLimit": 10,
            "template": {
                "metadata": {"labels": {"app.kubernetes.io/name": "buckets"}},
                "spec": {
                    "restartPolicy": "OnFailure",
                    "automountServiceAccountToken": False,
                    "containers": [container],
                    "volumes": [{"name": "tmp", "emptyDir": {}}],
                },
            },
        },
    }


def _variable(layer: str) -> str:
    return f"KEY_{layer.upper()}"
