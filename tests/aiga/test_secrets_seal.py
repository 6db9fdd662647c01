"""What `seal` writes is opened by kubeseal, only under the name it was sealed for, and shows no value."""

from __future__ import annotations

import base64
import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest

import tools
from aiga.errors import UserError
from aiga.secrets.seal import Scope, seal
from components.keys import sealing_key, server_certificate

VALUES = {"DB_PASSWORD": "hunter2 ünïcode", "key.pem": "-----BEGIN-----\nabc\n" * 200}


@pytest.fixture(scope="module")
def cluster() -> dict[str, str]:
    """The key pair that the platform makes for its controller."""
    return sealing_key(datetime.now(UTC))


def unseal(manifest: dict[str, Any], private_key: str, folder: Path) -> subprocess.CompletedProcess[str]:
    key = folder / "key.pem"
    key.write_text(private_key)
    command = [tools.ensure(["kubeseal"])["kubeseal"], "--recovery-unseal", "--recovery-private-key", key]
    return subprocess.run(command, input=json.dumps(manifest), capture_output=True, text=True, check=False)


@pytest.mark.parametrize("scope", get_args(Scope))
def test_kubeseal_opens_what_was_sealed(scope: Scope, cluster: dict[str, str], tmp_path: Path) -> None:
    opened = unseal(seal("db", "iris", VALUES, cluster["tls_crt"].encode(), scope), cluster["tls_key"], tmp_path)
    assert opened.returncode == 0, opened.stderr
    secret = json.loads(opened.stdout)
    assert {key: base64.b64decode(value).decode() for key, value in secret["data"].items()} == VALUES
    assert (secret["metadata"]["name"], secret["metadata"]["namespace"]) == ("db", "iris")


@pytest.mark.parametrize(
    ("scope", "moved_to", "opens"),
    [
        ("strict", {"name": "other"}, False),
        ("strict", {"namespace": "other"}, False),
        ("namespace-wide", {"name": "other"}, True),
        ("namespace-wide", {"namespace": "other"}, False),
        ("cluster-wide", {"name": "other", "namespace": "other"}, True),
    ],
)
def test_a_sealed_secret_opens_only_where_its_scope_allows(
    scope: Scope, moved_to: dict[str, str], opens: bool, cluster: dict[str, str], tmp_path: Path
) -> None:
    manifest = seal("db", "iris", {"KEY": "value"}, cluster["tls_crt"].encode(), scope)
    manifest["metadata"] |= moved_to
    manifest["spec"]["template"]["metadata"] |= moved_to
    assert (unseal(manifest, cluster["tls_key"], tmp_path).returncode == 0) == opens


def test_the_manifest_shows_no_value_and_differs_each_time(cluster: dict[str, str]) -> None:
    first, second = (json.dumps(seal("db", "iris", VALUES, cluster["tls_crt"].encode())) for _ in range(2))
    assert "hunter2" not in first and base64.b64encode(b"hunter2").decode()[:8] not in first
    assert first != second, "the same session key twice would break the cipher, whose nonce is constant"


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(UserError) as raised:
        seal("Db_Secret", "my.space", {"a key": "s3cret-value"}, b"nonsense", "everywhere")  # type: ignore[arg-type]
    lines = str(raised.value).splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "secret 'Db_Secret'",
        "namespace 'my.space'",
        "secret 'Db_Secret'",
        "scope 'everywhere'",
        "certificate",
    ]
    assert "s3cret-value" not in str(raised.value)


def test_certificates_that_no_controller_has_are_refused(cluster: dict[str, str]) -> None:
    old = sealing_key(datetime.now(UTC) - timedelta(days=11 * 365))["tls_crt"]
    elliptic = server_certificate(["a.example.org"], datetime.now(UTC))["tls_crt"]
    for certificate, rule in ((old, "expired"), (elliptic, "RSA"), (cluster["tls_key"], "PEM")):
        with pytest.raises(UserError, match=rule):
            seal("db", "iris", {"KEY": "value"}, certificate.encode())


def test_nothing_to_seal_is_refused(cluster: dict[str, str]) -> None:
    for values in ({}, {"KEY": ""}):
        with pytest.raises(UserError, match="no value"):
            seal("db", "iris", values, cluster["tls_crt"].encode())
