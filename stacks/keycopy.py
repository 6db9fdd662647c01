"""A copy of the sealing keys, apart from state and cluster: what was sealed can be read again with it anywhere."""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path
from typing import Any

import yaml

from components.sealed_secrets import ACTIVE, NAMESPACE
from kube.cluster import Cluster
from kube.errors import KubeError
from stacks.errors import EngineError, UserError


def write(cluster: Cluster, context: str, file: Path) -> list[str]:
    """Write every sealing key of the cluster into a file for `kubectl apply`, and return their names.

    Raises:
        UserError: the file exists, or there is no key to copy.
        EngineError: the cluster did not answer.
    """
    if file.exists() or file.is_symlink():
        raise UserError(f"{file}: exists, and may hold keys that are nowhere else (name another file)")
    selector = "=".join(ACTIVE)
    try:
        found = cluster.list("v1", "Secret", NAMESPACE, selector)
    except KubeError as error:
        raise EngineError(f"sealing keys on {context}: {error}") from None
    if not found:
        raise UserError(
            f"cluster {context}: no Secret in {NAMESPACE} carries {selector} "
            "(nothing to copy: is layer sealedSecrets deployed there?)"
        )
    copies = {"apiVersion": "v1", "kind": "List", "items": [_copy(secret) for secret in found]}
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise UserError(f"{file}: {error.strerror or error} (name a file in a folder that you can write to)") from None
    with os.fdopen(descriptor, "w") as opened:
        yaml.safe_dump(copies, opened, sort_keys=False)
    return [secret["metadata"]["name"] for secret in found]


def _copy(secret: dict[str, Any]) -> dict[str, Any]:
    """The Secret under a name of its own, so that it takes no other platform's key away when it is applied there."""
    print_ = hashlib.sha256(base64.b64decode(secret["data"]["tls.crt"])).hexdigest()[:8]
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"restored-key-{print_}", "namespace": NAMESPACE, "labels": dict([ACTIVE])},
        "type": secret["type"],
        "data": {key: secret["data"][key] for key in ("tls.crt", "tls.key")},
    }
