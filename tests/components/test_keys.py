"""Keys and certificates do what they are for, and change only when asked to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dill
import pulumi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from components import keys

NOW = datetime(2026, 11, 23, tzinfo=UTC)
NAMES = ["seldon-webhook-service.seldon-system.svc", "*.aiga.local"]


@pytest.fixture(scope="module")
def pair() -> dict[str, str]:
    return keys.server_certificate(NAMES, NOW)


def verify(pair: dict[str, str], name: str, at: datetime = NOW, ca: str | None = None) -> list[x509.Certificate]:
    store = Store([x509.load_pem_x509_certificate((ca or pair["ca_crt"]).encode())])
    verifier = PolicyBuilder().store(store).time(at).build_server_verifier(x509.DNSName(name))
    return verifier.verify(x509.load_pem_x509_certificate(pair["tls_crt"].encode()), [])


@pytest.mark.parametrize("name", [NAMES[0], "grafana.aiga.local"])
def test_a_client_that_trusts_the_authority_accepts_the_server_under_each_name(pair: dict[str, str], name: str) -> None:
    assert len(verify(pair, name)) == 2


def test_another_name_is_refused(pair: dict[str, str]) -> None:
    with pytest.raises(VerificationError):
        verify(pair, "example.org")


def test_another_authority_is_refused(pair: dict[str, str]) -> None:
    with pytest.raises(VerificationError):
        verify(pair, NAMES[0], ca=keys.server_certificate(NAMES, NOW)["ca_crt"])


@pytest.mark.parametrize(
    ("at", "accepted"),
    [
        (NOW - timedelta(minutes=59), True),
        (NOW - timedelta(hours=2), False),
        (NOW + keys.VALID - timedelta(days=1), True),
        (NOW + keys.VALID + timedelta(days=1), False),
    ],
)
def test_it_is_valid_from_now_for_ten_years(pair: dict[str, str], at: datetime, accepted: bool) -> None:
    if accepted:
        assert verify(pair, NAMES[0], at)
        return
    with pytest.raises(VerificationError):
        verify(pair, NAMES[0], at)


def test_the_server_certificate_can_sign_nothing_and_serve_only(pair: dict[str, str]) -> None:
    leaf = x509.load_pem_x509_certificate(pair["tls_crt"].encode())
    assert leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == NAMES


def test_key_and_certificate_belong_together(pair: dict[str, str]) -> None:
    key = serialization.load_pem_private_key(pair["tls_key"].encode(), None)
    leaf = x509.load_pem_x509_certificate(pair["tls_crt"].encode())
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.curve.key_size == 256
    assert key.public_key() == leaf.public_key()
    assert pair["expires"] == (NOW + keys.VALID).isoformat()


def test_a_name_longer_than_a_common_name_may_be_is_still_certified() -> None:
    long = f"{'a' * 60}.{'b' * 60}.svc"
    assert verify(keys.server_certificate([long], NOW), long)


def test_what_is_sealed_with_the_certificate_opens_with_the_key() -> None:
    made = keys.sealing_key(NOW)
    certificate = x509.load_pem_x509_certificate(made["tls_crt"].encode())
    key = serialization.load_pem_private_key(made["tls_key"].encode(), None)
    public = certificate.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.key_size == 4096
    assert certificate.not_valid_after_utc - NOW == timedelta(days=3650)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), b"strict")
    assert key.decrypt(public.encrypt(b"session key", oaep), oaep) == b"session key"


def test_what_is_signed_verifies() -> None:
    made = keys.signing_key()
    private = serialization.load_pem_private_key(made["private_key"].encode(), None)
    public = serialization.load_pem_public_key(made["public_key"].encode())
    assert isinstance(private, ed25519.Ed25519PrivateKey)
    assert isinstance(public, ed25519.Ed25519PublicKey)
    public.verify(private.sign(b"model"), b"model")


@pytest.mark.parametrize(
    ("provider", "olds", "news", "changes"),
    [
        (keys.CertificateProvider(), {"generation": 1.0}, {"generation": 1}, False),
        (keys.CertificateProvider(), {"generation": 1}, {"generation": 2}, True),
        (keys.CertificateProvider(), {"dns_names": ["a"]}, {"dns_names": ["a", "b"]}, True),
        (keys.CertificateProvider(), {"tls_key": "old", "expires": "x"}, {}, False),
        (keys.SealingKeyProvider(), {"generation": 1}, {"generation": 1}, False),
        (keys.SigningKeyProvider(), {"generation": 1}, {"generation": 2}, True),
    ],
)
def test_only_an_input_makes_a_new_key(
    provider: keys._KeyProvider, olds: dict[str, object], news: dict[str, object], changes: bool
) -> None:
    assert provider.diff("id", olds, news).changes is changes


def test_every_key_is_a_new_one() -> None:
    provider = keys.SigningKeyProvider()
    one, two = (provider.create({"generation": 1}) for _ in range(2))
    assert one.outs is not None
    assert two.outs is not None
    assert one.outs["private_key"] != two.outs["private_key"]
    assert one.id != two.id
    assert set(one.outs) == {"generation", "private_key", "public_key"}


@pytest.mark.parametrize("names", [[], ["UPPER.example"], ["a b"], ["ok.example", "-a.example"], ["a.*.example"]])
def test_names_that_no_certificate_can_hold_are_refused_before_anything_is_made(names: list[str]) -> None:
    with pytest.raises(pulumi.RunError, match="dns_names must be at least one name"):
        keys.Certificate("gateway", dns_names=names)


def test_what_lies_in_every_state_is_a_name_not_code() -> None:
    for provider in (keys.CertificateProvider(), keys.SealingKeyProvider(), keys.SigningKeyProvider()):
        assert len(dill.dumps(provider, recurse=True)) < 150
