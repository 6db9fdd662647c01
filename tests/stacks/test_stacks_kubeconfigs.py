"""What is typed by hand after `make env` acts on the stack's cluster, whatever else this machine knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from stacks import byhand, kubeconfigs, plugins, session, target
from stacks.errors import UserError
from stacks.plugins import Plugins
from stacks.target import Target
from stacks.workdir import WorkDir


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WorkDir:
    for name in ("KUBECONFIG", "KUBE_CONTEXT", kubeconfigs.AMBIENT):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(session, "installed", lambda *_: {"pulumi": tmp_path / "bin" / "pulumi"})
    monkeypatch.setattr(plugins, "provide", lambda *_, **__: Plugins("official", official=True))
    monkeypatch.setattr(session.tools, "dynamic_plugin", lambda pulumi: pulumi)
    (tmp_path / "Pulumi.yaml").write_text("name: aiga\nruntime: python\n")
    (tmp_path / "Pulumi.one.yaml").write_text("config: {aiga:provider: on-prem, aiga:context: prod}\n")
    return WorkDir("one", tmp_path, tmp_path / ".aiga")


@pytest.fixture
def ambient(tmp_path: Path) -> Path:
    """A kubeconfig of two clusters, whose current one is not the stack's."""
    place = tmp_path / ".kube" / "config"
    place.parent.mkdir()
    place.write_text(
        yaml.safe_dump(
            {
                "current-context": "play",
                "contexts": [
                    {"name": name, "context": {"cluster": name, "user": name, "namespace": name}}
                    for name in ("play", "prod")
                ],
                "clusters": [
                    {"name": name, "cluster": {"server": f"https://{name}", "certificate-authority": "ca.pem"}}
                    for name in ("play", "prod")
                ],
                "users": [
                    {"name": "play", "user": {"token": "t"}},
                    {"name": "prod", "user": {"client-key": "/k/key.pem", "exec": {"command": "./login"}}},
                ],
            }
        )
    )
    return place


def deployed(work: WorkDir, kubeconfig: Path, context: str) -> None:
    work.write({"aiga:kubeconfig": str(kubeconfig), "aiga:context": context})
    nowhere: Any = None
    target.record(work, Target(kubeconfig, context, "https://x", "v1.36.3", "identity", nowhere))


def exported(work: WorkDir, said: list[str]) -> dict[str, str]:
    lines = [line.removeprefix("export ") for line in byhand.exports(work, said.append) if line.startswith("export ")]
    return {name: value.strip("'") for name, _, value in (line.partition("=") for line in lines)}


@pytest.mark.parametrize("known", ["deployed", "previewed"])
def test_what_is_typed_by_hand_reaches_the_stack_s_cluster_and_no_other(
    work: WorkDir, ambient: Path, known: str
) -> None:
    deployed(work, ambient, "prod")
    if known == "previewed":
        work.record.unlink()
    said: list[str] = []
    place = Path(exported(work, said)["KUBECONFIG"])
    assert said == []
    assert place.stat().st_mode & 0o777 == 0o600
    written = yaml.safe_load(place.read_text())
    assert written["current-context"] == "prod"
    assert [written[part] for part in ("contexts", "clusters", "users")] == [
        [{"name": "prod", "context": {"cluster": "prod", "user": "prod", "namespace": "prod"}}],
        [{"name": "prod", "cluster": {"server": "https://prod", "certificate-authority": f"{ambient.parent}/ca.pem"}}],
        [{"name": "prod", "user": {"client-key": "/k/key.pem", "exec": {"command": f"{ambient.parent}/login"}}}],
    ]
    assert yaml.safe_load(ambient.read_text())["current-context"] == "play", "the user's own file stays"


def test_where_the_cluster_is_gone_kubectl_reaches_nothing_and_the_rest_still_works(
    work: WorkDir, ambient: Path
) -> None:
    deployed(work, ambient, "prod")
    exported(work, [])
    ambient.write_text(ambient.read_text().replace("prod", "other"))
    said: list[str] = []
    variables = exported(work, said)
    assert not Path(variables["KUBECONFIG"]).exists()
    assert variables["PULUMI_STACK"] == "one"
    assert len(said) == 1
    assert said[0].startswith(f"context prod: no longer in {ambient} ")


def test_a_stack_that_never_ran_has_nothing_to_export(work: WorkDir) -> None:
    with pytest.raises(UserError, match=r"has not run here yet \(`make up STACK=one` or"):
        exported(work, [])


def test_a_shell_with_one_stack_s_exports_still_finds_the_clusters_of_others(
    work: WorkDir, ambient: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed(work, ambient, "prod")
    for _ in range(2):
        for name, value in exported(work, []).items():
            if name in ("KUBECONFIG", kubeconfigs.AMBIENT):
                monkeypatch.setenv(name, value)
        assert kubeconfigs.locate(work, None, "play") == (ambient, "play")
    assert kubeconfigs.locate(work, None, None) == (ambient, "play")


def test_a_kubeconfig_given_as_text_is_for_its_owner_alone(work: WorkDir, ambient: Path) -> None:
    place, context = kubeconfigs.locate(work, ambient.read_text(), None)
    assert context == "play"
    assert place.stat().st_mode & 0o777 == 0o600
