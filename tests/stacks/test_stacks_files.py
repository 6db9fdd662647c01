"""The committed files say what the models say, and no command rewrites them."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from stacks import files, reference, settings
from stacks.errors import UserError
from stacks.settings import Settings
from stacks.workdir import ROOT, WorkDir, known_stacks

STACKS = ("dev", "prod", "sim")


def test_nothing_generated_is_stale() -> None:
    for path, text in reference.files(ROOT).items():
        assert path.read_text() == text, f"{path.name}: run `make docs`"


def test_every_key_is_in_the_documentation() -> None:
    document = (ROOT / "docs" / "configuration.md").read_text()
    for info in Settings.model_fields.values():
        assert f"`aiga:{info.alias}`" in document
        assert info.description, f"{info.alias}: a key nobody explains"


@pytest.mark.parametrize("stack", STACKS)
def test_a_committed_stack_is_valid(stack: str) -> None:
    config = WorkDir(stack).stack_file()
    raw, secrets, foreign = files.raw_config(config)
    found = settings.parse(raw, stack, secrets)
    assert isinstance(found, Settings), settings.report(stack, found)
    assert not foreign


@pytest.mark.parametrize("stack", STACKS)
def test_a_committed_stack_holds_neither_salt_nor_secret(stack: str) -> None:
    text = (ROOT / f"Pulumi.{stack}.yaml").read_text()
    assert "encryptionsalt" not in text
    assert "secure:" not in text


def test_the_engine_accepts_the_declared_types() -> None:
    block = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    kinds: dict[str, type] = {"string": str, "object": dict, "integer": int, "boolean": bool}
    for key, entry in block.items():
        assert isinstance(entry["default"], kinds[entry["type"]]), f"{key}: the engine refuses this default"


def test_the_declared_defaults_are_those_of_the_models() -> None:
    block = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    defaults = {"config": {f"aiga:{key}": entry["default"] for key, entry in block.items()}}
    raw, _, _ = files.raw_config(defaults)
    assert settings.parse(raw, "dev") == Settings()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: aiga\nruntime: python\n")
    (tmp_path / "Pulumi.one.yaml").write_text("config:\n  aiga:tls: {generation: 5}\n  aiga:protect: true\n")
    return tmp_path


def test_copies_are_generated_and_the_committed_file_stays(project: Path) -> None:
    before = (project / "Pulumi.one.yaml").read_text()
    work = WorkDir("one", project, project / ".aiga")
    work.write({"aiga:context": "here"})
    copy = yaml.safe_load(work.generated.read_text())
    assert copy["config"] == {"aiga:tls": {"generation": 5}, "aiga:protect": True, "aiga:context": "here"}
    runtime = yaml.safe_load((work.folder / "Pulumi.yaml").read_text())["runtime"]
    assert Path(runtime["options"]["virtualenv"]).is_absolute()
    assert (project / "Pulumi.one.yaml").read_text() == before


def test_what_was_encrypted_into_the_copy_stays_and_what_was_removed_goes(project: Path) -> None:
    work = WorkDir("one", project, project / ".aiga")
    work.write({"aiga:context": "here"})
    copy = yaml.safe_load(work.generated.read_text())
    copy["encryptionsalt"] = "v1:abc"
    copy["config"]["aiga:monitoring"] = {"alertWebhook": {"secure": "v1:xyz"}, "retention": "3d"}
    work.generated.write_text(yaml.safe_dump(copy))
    work.write({})
    copy = yaml.safe_load(work.generated.read_text())
    assert copy["encryptionsalt"] == "v1:abc"
    assert copy["config"]["aiga:monitoring"] == {"alertWebhook": {"secure": "v1:xyz"}}
    assert "aiga:context" not in copy["config"]
    assert work.config()["aiga:monitoring"] == {"alertWebhook": {"secure": "v1:xyz"}}


def test_the_passphrase_is_made_once_and_for_its_owner_alone(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        monkeypatch.delenv(name, raising=False)
    work = WorkDir("one", project, project / ".aiga")
    assert work.ensure_passphrase()
    first = work.passphrase.read_text()
    assert len(first) > 30
    assert work.passphrase.stat().st_mode & 0o777 == 0o600
    assert not work.ensure_passphrase()
    assert work.passphrase.read_text() == first


def test_no_passphrase_is_made_where_the_environment_has_one(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "mine")
    work = WorkDir("one", project, project / ".aiga")
    assert not work.ensure_passphrase()
    assert not work.passphrase.exists()


def test_an_unknown_stack_is_named_with_the_known_ones(project: Path) -> None:
    with pytest.raises(UserError, match=r"Pulumi.two.yaml: no such file.*known: one"):
        WorkDir("two", project)
    assert known_stacks(project) == ["one"]


@pytest.mark.parametrize(
    ("assignment", "config"),
    [
        ("domain=x.org", {"aiga:domain": "x.org", "aiga:tls": {"generation": 1}}),
        ("aiga:tls.generation=2", {"aiga:tls": {"generation": 2}}),
        ("tls.secretName=x", {"aiga:tls": {"generation": 1, "secretName": "x"}}),
        ("layers.flux=false", {"aiga:tls": {"generation": 1}, "aiga:layers": {"flux": False}}),
        ("tls={}", {"aiga:tls": {}}),
    ],
)
def test_a_value_can_be_given_for_one_run(assignment: str, config: dict[str, Any]) -> None:
    committed = {"aiga:tls": {"generation": 1}}
    assert files.assign(committed, [assignment]) == config
    assert committed == {"aiga:tls": {"generation": 1}}


def test_an_assignment_without_a_value_is_refused() -> None:
    with pytest.raises(UserError, match="must be key=value"):
        files.assign({}, ["domain"])


@pytest.mark.parametrize("value", ["{", "[1, 2", "'", "a: b: c", "@x"])
def test_a_value_that_is_not_yaml_is_one_line(value: str) -> None:
    with pytest.raises(UserError) as refused:
        files.assign({}, [f"domain={value}"])
    message = str(refused.value)
    assert message.startswith(f"--config domain={value}: is not YAML: ")
    assert "\n" not in message
    assert message.endswith(")"), "with a remedy"


def test_a_date_is_a_wrong_value_like_any_other() -> None:
    config = files.assign({"aiga:tls": {"secretName": date(2026, 1, 2)}}, ["monitoring.retention=2026-01-02"])
    raw, _, _ = files.raw_config({"config": config})
    found = settings.parse(raw, "dev")
    assert isinstance(found, list)
    assert [mistake.path for mistake in found] == ["monitoring.retention", "tls.secretName"]


def test_a_stack_file_is_seen_as_the_program_will() -> None:
    raw, secrets, foreign = files.raw_config(
        {
            "config": {
                "aiga:protect": True,
                "aiga:tls": {"generation": 5},
                "aiga:monitoring": {"alertWebhook": {"secure": "v1:x"}},
                "kubernetes:context": "x",
                "agia:domain": "x.org",
            }
        }
    )
    assert raw["protect"] == "true"
    assert raw["tls"] == '{"generation": 5}'
    assert "v1:x" not in raw["monitoring"]
    assert (secrets, foreign) == ({"monitoring.alertWebhook"}, ["agia:domain"])


def test_a_broken_stack_file_is_one_line(project: Path) -> None:
    (project / "Pulumi.one.yaml").write_text("config: [")
    with pytest.raises(UserError, match=r"^Pulumi\.one\.yaml: is not YAML: [^\n]*$"):
        WorkDir("one", project).stack_file()
