"""Certificates and keys that the stack makes and keeps: secret in its state, the same at every preview.

They change only with their inputs: raise `generation` to renew one. Deleting the resource forgets it.
"""

from __future__ import annotations

import re
import secrets
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pulumi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pulumi.dynamic import ConfigureRequest, CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

Props = dict[str, Any]

VALID = timedelta(days=3650)
"""Nothing renews by itself, so certificates outlive what they are for; `generation` renews earlier."""

SEALING_BITS = 4096
_SKEW = timedelta(hours=1)  # clocks of nodes that lag behind
_LONGEST_COMMON_NAME = 64
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DNS_NAME = re.compile(rf"(\*\.)?{_LABEL}(\.{_LABEL})*")


class Certificate(Resource, module="aiga", name="Certificate"):
    """A server certificate and the authority that signed it; the authority's own key is thrown away."""

    ca_crt: pulumi.Output[str]
    """PEM of the authority: what clients trust."""
    tls_crt: pulumi.Output[str]
    """PEM of the server's certificate."""
    tls_key: pulumi.Output[str]
    """PEM of its private key, secret."""
    expires: pulumi.Output[str]
    """When both end, ISO 8601."""

    def __init__(
        self,
        name: str,
        *,
        dns_names: Sequence[str],
        generation: int = 1,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        dns_names: Names that clients use, wildcards allowed. A change makes a new certificate.
        generation: Raise it by one to renew.
        """
        wrong = [each for each in dns_names if not _DNS_NAME.fullmatch(each)]
        if wrong or not dns_names:
            raise pulumi.RunError(
                f"Certificate {name!r}: dns_names must be at least one name in lower case, like gateway.example.org or "
                f"*.example.org, got {wrong or 'none'}"
            )
        outputs = dict.fromkeys(("ca_crt", "tls_crt", "tls_key", "expires"))
        inputs = {"dns_names": list(dns_names), "generation": generation}
        super().__init__(CertificateProvider(), name, {**inputs, **outputs}, _keeping_secret(opts, "tls_key"))


class SealingKey(Resource, module="aiga", name="SealingKey"):
    """The key pair of the sealed-secrets controller, in the form of its `kubernetes.io/tls` Secret."""

    tls_crt: pulumi.Output[str]
    """PEM of the certificate that people seal with; not a secret."""
    tls_key: pulumi.Output[str]
    """PEM of the private key that opens what was sealed, secret."""
    expires: pulumi.Output[str]
    """When `kubeseal` stops accepting the certificate, ISO 8601."""

    def __init__(self, name: str, *, generation: int = 1, opts: pulumi.ResourceOptions | None = None) -> None:
        outputs = dict.fromkeys(("tls_crt", "tls_key", "expires"))
        props = {"generation": generation, **outputs}
        super().__init__(SealingKeyProvider(), name, props, _keeping_secret(opts, "tls_key"))


class SigningKey(Resource, module="aiga", name="SigningKey"):
    """An Ed25519 key pair, with which a project signs its models."""

    private_key: pulumi.Output[str]
    """PEM (PKCS 8), secret."""
    public_key: pulumi.Output[str]
    """PEM: what servers are configured to trust."""

    def __init__(self, name: str, *, generation: int = 1, opts: pulumi.ResourceOptions | None = None) -> None:
        props = {"generation": generation, "private_key": None, "public_key": None}
        super().__init__(SigningKeyProvider(), name, props, _keeping_secret(opts, "private_key"))


class _KeyProvider(ResourceProvider):
    """Makes keys on create and whenever an input changes; there is nothing to read or to delete."""

    serialize_as_secret_always = False
    shaping: tuple[str, ...] = ("generation",)

    def make(self, props: Props) -> dict[str, str]:
        """The outputs for these inputs."""
        raise NotImplementedError

    def configure(self, req: ConfigureRequest) -> None:
        """An error is one line."""
        sys.tracebacklimit = 0

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """A new key only for new inputs."""
        return DiffResult(changes=any(olds.get(key) != news.get(key) for key in self.shaping))

    def create(self, props: Props) -> CreateResult:
        """Under a random id: the key itself must not be in it."""
        return CreateResult(secrets.token_hex(6), self._outputs(props))

    def update(self, _id: str, _olds: Props, news: Props) -> UpdateResult:
        """A new key in place of the old one."""
        return UpdateResult(self._outputs(news))

    def _outputs(self, props: Props) -> Props:
        return {key: props[key] for key in self.shaping} | self.make(props)


class CertificateProvider(_KeyProvider):
    """What the plugin does for `Certificate`."""

    shaping = ("dns_names", "generation")

    def make(self, props: Props) -> dict[str, str]:
        """A new authority and a certificate from it."""
        return server_certificate(props["dns_names"], datetime.now(UTC))


class SealingKeyProvider(_KeyProvider):
    """What the plugin does for `SealingKey`."""

    def make(self, props: Props) -> dict[str, str]:
        """A new key and its certificate."""
        return sealing_key(datetime.now(UTC))


class SigningKeyProvider(_KeyProvider):
    """What the plugin does for `SigningKey`."""

    def make(self, props: Props) -> dict[str, str]:
        """A new key."""
        return signing_key()


def server_certificate(dns_names: Sequence[str], now: datetime) -> dict[str, str]:
    """An authority for this one certificate, and the certificate for `dns_names`."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority_name = _name("aiga")
    authority = (
        _certificate(authority_name, authority_name, authority_key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    common = dns_names[0] if len(dns_names[0]) <= _LONGEST_COMMON_NAME else "aiga"
    leaf = (
        _certificate(_name(common), authority_name, key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in dns_names]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
            critical=False,
        )
        .sign(authority_key, hashes.SHA256())
    )
    return {"ca_crt": _pem(authority), "tls_crt": _pem(leaf), "tls_key": _private(key), "expires": _expires(leaf)}


def sealing_key(now: datetime) -> dict[str, str]:
    """An RSA key and the self-signed certificate that carries its public half."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=SEALING_BITS)
    name = _name("sealed-secrets")
    certificate = (
        _certificate(name, name, key.public_key(), now)
        .add_extension(_usage(key_encipherment=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return {"tls_crt": _pem(certificate), "tls_key": _private(key), "expires": _expires(certificate)}


def signing_key() -> dict[str, str]:
    """An Ed25519 key and its public half."""
    key = ed25519.Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return {"private_key": _private(key), "public_key": public.decode()}


def _certificate(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey | rsa.RSAPublicKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _usage(**allowed: bool) -> x509.KeyUsage:
    purposes = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**dict.fromkeys(purposes, False) | allowed)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _private(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _expires(certificate: x509.Certificate) -> str:
    return certificate.not_valid_after_utc.isoformat()


def _keeping_secret(opts: pulumi.ResourceOptions | None, *outputs: str) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(additional_secret_outputs=list(outputs)))
