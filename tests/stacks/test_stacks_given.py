"""A machine that keeps nothing gets the configuration's secrets from its environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from stacks import given, session
from stacks.errors import UserError
from stacks.rules import SECRETS
from stacks.workdir import ROOT, WorkDir

HOOK = "https://hooks.example.org/s3cr3t"


@pytest.fixture(autouse=True)
def _none_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for path in SECRETS:
        monkeypatch.delenv(given.variable(path), raising=False)


@pytest.fixture
def work(tmp_path: Path) -> WorkDir:
    (tmp_path / "Pulumi.yaml").write_text("name: aiga\nruntime: python\n")
    (tmp_path / "Pulumi.one.yaml").write_text("config: {aiga:monitoring: {retention: 3d}}\n")
    return WorkDir("one", tmp_path, tmp_path / ".aiga")


def test_every_secret_has_a_variable_that_is_documented_and_that_the_workflows_hand_on() -> None:
    names = [given.variable(path) for path in SECRETS]
    assert names == [
        "AIGA_SECRET_OBJECT_STORE_ACCESS_KEY",
        "AIGA_SECRET_OBJECT_STORE_SECRET_KEY",
        "AIGA_SECRET_MONITORING_ALERT_WEBHOOK",
    ]
    for name in names:
        assert name in (ROOT / "docs" / "configuration.md").read_text()
        for workflow in ("up", "preview"):
            text = (ROOT / ".github" / "workflows" / f"{workflow}.yaml").read_text()
            assert f"{name}: ${{{{ secrets.{name} }}}}" in text, workflow


def test_a_variable_counts_as_the_key(work: WorkDir, monkeypatch: pytest.MonkeyPatch) -> None:
    assert session.checked(work, [])[0].monitoring.alert_webhook is None
    monkeypatch.setenv("AIGA_SECRET_MONITORING_ALERT_WEBHOOK", HOOK)
    decided, config = session.checked(work, [])
    assert decided.monitoring.alert_webhook is not None
    assert decided.monitoring.retention == "3d"
    assert config == {"aiga:monitoring": {"retention": "3d"}}, "nothing of it is written down"
    assert given.secrets() == {"monitoring.alertWebhook": HOOK}


def test_an_s3_service_can_be_used_with_keys_from_the_environment(
    work: WorkDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ["objectStore.driver=s3", "objectStore.endpoint=https://s3.example.org", "objectStore.region=eu"]
    with pytest.raises(UserError, match="accessKey"):
        session.checked(work, store)
    monkeypatch.setenv("AIGA_SECRET_OBJECT_STORE_ACCESS_KEY", "a")
    monkeypatch.setenv("AIGA_SECRET_OBJECT_STORE_SECRET_KEY", "b")
    assert session.checked(work, store)[0].object_store.driver == "s3"


def test_a_wrong_value_is_named_by_its_variable_and_not_shown(work: WorkDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIGA_SECRET_MONITORING_ALERT_WEBHOOK", "no s3cr3t url")
    monkeypatch.setenv("AIGA_SECRET_MONITORING_WEBHOOK", "s3cr3t")
    with pytest.raises(UserError) as refused:
        session.checked(work, [])
    lines = str(refused.value).splitlines()
    assert "s3cr3t" not in str(refused.value)
    assert [line.split(":")[0] for line in lines] == [
        "AIGA_SECRET_MONITORING_WEBHOOK",
        "AIGA_SECRET_MONITORING_ALERT_WEBHOOK",
    ]


def test_an_empty_variable_is_none(work: WorkDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIGA_SECRET_MONITORING_ALERT_WEBHOOK", "")
    assert session.checked(work, [])[0].monitoring.alert_webhook is None


def test_one_in_plain_text_is_still_refused(work: WorkDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIGA_SECRET_MONITORING_ALERT_WEBHOOK", HOOK)
    work.committed.write_text(f"config: {{aiga:monitoring: {{alertWebhook: '{HOOK}'}}}}\n")
    with pytest.raises(UserError, match="is a secret in plain text"):
        session.checked(work, [])


def test_one_encrypted_key_hides_no_plain_one_beside_it(work: WorkDir) -> None:
    work.committed.write_text(
        "config: {aiga:objectStore: {driver: s3, endpoint: 'https://s3.example.org', region: eu, "
        "accessKey: {secure: 'v1:x'}, secretKey: plain}}\n"
    )
    with pytest.raises(UserError, match=r"objectStore.secretKey: \[secret\]: is a secret in plain text"):
        session.checked(work, [])


def test_a_wrong_secret_is_not_encrypted_at_all(work: WorkDir) -> None:
    for value in ("not a url", ""):
        with pytest.raises(UserError, match=r"^monitoring\.alertWebhook: "):
            session.set_secret(work, "monitoring.alertWebhook", value, lambda _: None)
    assert not work.folder.exists()
