"""Small objects that several layers make of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

from components.keys import Certificate

Manifest = dict[str, Any]


def secret(name: str, namespace: str, data: Mapping[str, pulumi.Input[str]], kind: str = "Opaque") -> Manifest:
    """A Secret; `kind` is its type."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": kind,
        "stringData": dict(data),
    }


def tls_secret(name: str, namespace: str, pair: Certificate) -> Manifest:
    """The Secret of a certificate, under the keys that every server reads."""
    data = {"tls.crt": pair.tls_crt, "tls.key": pair.tls_key, "ca.crt": pair.ca_crt}
    return secret(name, namespace, data, "kubernetes.io/tls")
