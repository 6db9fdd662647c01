"""Secrets come from the environment or a keyring, what is missing is told at once, and no value gets into text."""

from __future__ import annotations

from collections.abc import Iterator

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, NoKeyringError

from aiga.errors import UserError
from aiga.secrets.resolve import keep, lookup, mask, resolve, service
from aiga.spec.project import Secret

DECLARED = {"db-password": Secret(env="DB_PASSWORD"), "token": Secret(env="API_TOKEN"), "hook": Secret(env="HOOK")}


class InMemory(KeyringBackend):
    """A keyring that forgets."""

    priority = 1  # type: ignore[assignment]

    def __init__(self, failure: Exception | None = None) -> None:
        super().__init__()
        self.values: dict[tuple[str, str], str] = {}
        self.failure = failure

    def get_password(self, service: str, username: str) -> str | None:
        if self.failure:
            raise self.failure
        return self.values.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.failure:
            raise self.failure
        self.values[service, username] = password


@pytest.fixture(autouse=True)
def _no_values(monkeypatch: pytest.MonkeyPatch) -> None:
    for secret in DECLARED.values():
        monkeypatch.delenv(secret.env, raising=False)


@pytest.fixture
def ring() -> Iterator[InMemory]:
    before = keyring.get_keyring()
    ring = InMemory()
    keyring.set_keyring(ring)
    yield ring
    keyring.set_keyring(before)


def test_the_environment_goes_before_the_keyring(ring: InMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "from-environment")
    keep("iris", "db-password", "from-keyring")
    keep("iris", "token", "kept-token")
    assert resolve(["db-password", "token"], DECLARED, "iris") == {
        "DB_PASSWORD": "from-environment",
        "API_TOKEN": "kept-token",
    }


def test_projects_do_not_see_each_others_secrets(ring: InMemory) -> None:
    keep("iris", "token", "of-iris")
    assert ring.values == {(service("iris"), "token"): "of-iris"}
    with pytest.raises(UserError):
        resolve(["token"], DECLARED, "digits")


@pytest.mark.parametrize("failure", [NoKeyringError(), KeyringLocked(), OSError("no bus"), None], ids=str)
def test_all_missing_secrets_are_named_with_both_remedies(ring: InMemory, failure: Exception | None) -> None:
    ring.failure = failure
    with pytest.raises(UserError) as raised:
        resolve(["db-password", "token", "other"], DECLARED, "iris")
    lines = str(raised.value).splitlines()
    assert len(lines) == 3
    assert "db-password" in lines[0] and "export DB_PASSWORD=" in lines[0] and "aiga secret set db-password" in lines[0]
    assert "token" in lines[1] and "export API_TOKEN=" in lines[1] and "aiga secret set token" in lines[1]
    assert "other" in lines[2] and "not declared" in lines[2]


def test_an_empty_variable_counts_as_missing(ring: InMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "")
    with pytest.raises(UserError, match="API_TOKEN"):
        resolve(["token"], DECLARED, "iris")


def test_a_message_about_what_is_missing_holds_no_value_that_was_found(
    ring: InMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_TOKEN", "s3cret-value")
    with pytest.raises(UserError) as raised:
        resolve(["token", "hook"], DECLARED, "iris")
    assert "s3cret-value" not in str(raised.value)


def test_a_keyring_that_takes_nothing_is_said_without_the_value(ring: InMemory) -> None:
    ring.failure = NoKeyringError("no backend for s3cret-value")
    with pytest.raises(UserError) as raised:
        keep("iris", "token", "s3cret-value")
    assert "keyring" in str(raised.value) and "s3cret-value" not in str(raised.value)


def test_lookup_gives_one_value_by_the_secrets_name(ring: InMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", "https://example.org/hook")
    value = lookup(DECLARED, "iris")
    assert value("hook") == "https://example.org/hook"
    with pytest.raises(UserError, match="aiga secret set token"):
        value("token")


@pytest.mark.parametrize(
    ("text", "values", "masked"),
    [
        ("password=hunter2 ok", ["hunter2"], "password=*** ok"),
        ("hunter2hunter2", ["hunter2"], "******"),
        ("hunter22", ["hunter2", "hunter22"], "***"),
        ("postgres://u:p%40ss%2Fword@h", ["p@ss/word"], "postgres://u:***@h"),
        ('{"key": "a\\"quote"}', ['a"quote'], '{"key": "***"}'),
        ("line: MIIEvQIBADANBg", ["-----BEGIN KEY-----\nMIIEvQIBADANBg\n-----END KEY-----\n"], "line: ***"),
        (
            "BEGIN -----BEGIN KEY----- public",
            ["-----BEGIN KEY-----\nMIIEvQIBADANBg\n"],
            "BEGIN -----BEGIN KEY----- public",
        ),
        ("token abc", ["abc\n"], "token ***"),
        ("nothing here", ["", "hunter2"], "nothing here"),
    ],
)
def test_masking(text: str, values: list[str], masked: str) -> None:
    assert mask(text, values) == masked
