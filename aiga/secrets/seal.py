"""SealedSecrets made offline: only the cluster whose certificate it is can open them, so they may lie in Git.

The form is kubeseal's: AES-256-GCM under a key used once, hence a nonce of zeros, and that key under RSA-OAEP, whose
label ties the value to the name and the namespace it may be opened for.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from aiga.errors import UserError

Scope = Literal["strict", "namespace-wide", "cluster-wide"]
_ANNOTATION = "sealedsecrets.bitnami.com/"
_SESSION_KEY_BITS = 256
_NONCE = bytes(12)
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_NAMESPACE = re.compile(_LABEL)
_KEY = re.compile(r"[A-Za-z0-9._-]{1,253}")


def seal(
    name: str, namespace: str, values: Mapping[str, str], certificate_pem: bytes, scope: Scope = "strict"
) -> dict[str, Any]:
    """The manifest of a SealedSecret.

    Args:
        values: Key of the Secret to its value; each is sealed by itself.
        certificate_pem: Public certificate of the cluster's sealed-secrets controller.
        scope: What may be renamed: nothing, the Secret within its namespace, or the namespace too.

    Raises:
        UserError: a name that Kubernetes refuses, nothing to seal, a certificate that cannot be used. All at once.
    """
    mistakes = _mistakes(name, namespace, values)
    if scope not in get_args(Scope):
        mistakes.append(f"scope {scope!r}: must be {', '.join(get_args(Scope))}")
    try:
        key = _public_key(certificate_pem)
    except UserError as error:
        mistakes.append(str(error))
    if mistakes:
        raise UserError("\n".join(mistakes))
    label = {"strict": f"{namespace}/{name}", "namespace-wide": namespace, "cluster-wide": ""}[scope].encode()
    metadata: dict[str, Any] = {"name": name, "namespace": namespace}
    if scope != "strict":
        metadata["annotations"] = {_ANNOTATION + scope: "true"}
    return {
        "apiVersion": "bitnami.com/v1alpha1",
        "kind": "SealedSecret",
        "metadata": metadata,
        "spec": {
            "encryptedData": {each: _encrypt(key, values[each].encode(), label) for each in sorted(values)},
            "template": {"metadata": dict(metadata), "type": "Opaque"},
        },
    }


def _encrypt(public: rsa.RSAPublicKey, value: bytes, label: bytes) -> str:
    """Base64 of: length of the sealed session key (2 bytes, big-endian), the sealed session key, the ciphertext."""
    session = AESGCM.generate_key(_SESSION_KEY_BITS)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), label)
    sealed = public.encrypt(session, oaep)
    return base64.b64encode(
        len(sealed).to_bytes(2, "big") + sealed + AESGCM(session).encrypt(_NONCE, value, None)
    ).decode()


def _public_key(pem: bytes) -> rsa.RSAPublicKey:
    """Of the first certificate, as kubeseal takes it."""
    try:
        certificate = x509.load_pem_x509_certificates(pem)[0]
    except ValueError as error:
        raise UserError(
            "certificate: must be PEM (-----BEGIN CERTIFICATE-----): save what `kubeseal --fetch-cert` prints"
        ) from error
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise UserError("certificate: must hold an RSA key: take that of the sealed-secrets controller")
    if certificate.not_valid_after_utc < datetime.now(UTC):
        raise UserError(
            f"certificate: expired on {certificate.not_valid_after_utc:%Y-%m-%d}: fetch the controller's newest"
        )
    return key


def _mistakes(name: str, namespace: str, values: Mapping[str, str]) -> list[str]:
    mistakes = []
    if not _NAME.fullmatch(name):
        mistakes.append(f"secret {name!r}: must be lower-case letters, digits, dashes and dots, such as db-password")
    if not _NAMESPACE.fullmatch(namespace):
        mistakes.append(f"namespace {namespace!r}: must be lower-case letters, digits and dashes, such as iris")
    if not values:
        mistakes.append(f"secret {name!r}: has no value to seal")
    mistakes += [f"secret {name!r}: key {key!r}: has no value to seal" for key, value in values.items() if not value]
    mistakes += [
        f"secret {name!r}: key {key!r}: must be letters, digits, dots, dashes and underscores, such as DB_PASSWORD"
        for key in values
        if not _KEY.fullmatch(key)
    ]
    return mistakes
