"""Signatures: a model is loaded only with evidence that a trusted key of its project signed.

A project's private key lies outside of the store, `~/.config/aiga/keys/<project>.key`; `AIGA_KEYS` names another
folder. Trusted are the public keys there, `<project>.pub` and `<project>.*.pub`; none is ever taken from a model.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from aiga.errors import UserError
from aiga.registry.evidence import Signature, SignedEvidence

KEYS = "AIGA_KEYS"
"""Folder of the keys."""


class Untrusted(UserError):
    """A model that must not be loaded: its signature, or what was signed, is not right."""


def folder() -> Path:
    return Path(os.environ.get(KEYS) or "~/.config/aiga/keys").expanduser()


def identity(key: Ed25519PublicKey) -> str:
    """The first 16 hex digits of the public key's sha256."""
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


@dataclass(frozen=True)
class SigningKey:
    """The private key of a project."""

    _key: Ed25519PrivateKey

    @classmethod
    def load_or_create(cls, project: str) -> SigningKey:
        """The project's key of this machine, made where there is none; of many that make it at once, one does.

        Raises:
            UserError: others may read it, or it is no such key.
        """
        path = folder() / f"{project}.key"
        try:
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                made = cls(Ed25519PrivateKey.generate())
                pem = made._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
                _create(path, pem, 0o600)
            key = cls._load(path)
            if not path.with_suffix(".pub").exists():
                _create(path.with_suffix(".pub"), key.public_pem, 0o644)
        except OSError as error:
            raise UserError(f"{error.filename or path}: {error.strerror} (or set {KEYS} to another folder)") from error
        return key

    @classmethod
    def _load(cls, path: Path) -> SigningKey:
        mode = path.stat().st_mode & 0o777
        if mode & 0o077:
            raise UserError(f"{path}: others may read this private key, mode {mode:04o} (chmod 600 {path})")
        try:
            key = load_pem_private_key(path.read_bytes(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise UserError(f"{path}: is no private key in PEM form without a password: {error}") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise UserError(f"{path}: must be an ed25519 key")
        return cls(key)

    @property
    def id(self) -> str:
        return identity(self._key.public_key())

    @property
    def public_pem(self) -> bytes:
        """What a verifier is given."""
        return self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, evidence: SignedEvidence) -> SignedEvidence:
        value = base64.b64encode(self._key.sign(evidence.payload())).decode()
        return SignedEvidence.model_validate(
            {
                **{name: getattr(evidence, name) for name in evidence.model_fields_set},
                "signature": Signature(algorithm="ed25519", key=self.id, value=value),
            }
        )


@dataclass(frozen=True)
class TrustedKeys:
    """The public keys, by identity, that a verifier trusts with one project's models."""

    keys: dict[str, Ed25519PublicKey]

    @classmethod
    def load(cls, project: str) -> TrustedKeys:
        """Those of this machine's folder. None is no error: nothing is trusted then."""
        paths = sorted({*folder().glob(f"{project}.pub"), *folder().glob(f"{project}.*.pub")})
        return cls.from_pem((path.read_bytes(), str(path)) for path in paths)

    @classmethod
    def from_pem(cls, pems: Iterable[tuple[bytes, str]]) -> TrustedKeys:
        """Those in PEM form, each with the name of where it is from, such as a server's configuration."""
        keys: dict[str, Ed25519PublicKey] = {}
        for pem, where in pems:
            try:
                key = load_pem_public_key(pem)
            except (ValueError, UnsupportedAlgorithm) as error:
                raise UserError(f"{where}: is no public key in PEM form: {error}") from error
            if not isinstance(key, Ed25519PublicKey):
                raise UserError(f"{where}: must be an ed25519 key")
            keys[identity(key)] = key
        return cls(keys)

    @classmethod
    def of(cls, *keys: SigningKey) -> TrustedKeys:
        return cls.from_pem((key.public_pem, key.id) for key in keys)


def verify(evidence: SignedEvidence, trusted: TrustedKeys) -> None:
    """Nothing, where a trusted key signed exactly this evidence.

    Raises:
        Untrusted: with the reason.
    """
    where, signature = f"model {evidence.project}@{evidence.version}", evidence.signature
    if signature is None:
        raise Untrusted(f"{where}: is not signed (register it again)")
    key = trusted.keys.get(signature.key)
    if key is None:
        known = ", ".join(trusted.keys) or "none"
        raise Untrusted(
            f"{where}: is signed by key {signature.key}, which is not trusted; trusted are {known} "
            f"(if you know it, put its public key into {folder()}/{evidence.project}.<whose>.pub)"
        )
    try:
        key.verify(base64.b64decode(signature.value, validate=True), evidence.payload())
    except (InvalidSignature, binascii.Error):
        raise Untrusted(f"{where}: its model.yaml was changed after it was signed (register it again)") from None


def _create(path: Path, data: bytes, mode: int) -> None:
    """A whole file under its name, unless there is one."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if not path.exists():
            try:
                os.link(temporary, path)
            except FileExistsError:
                return
    finally:
        temporary.unlink()
