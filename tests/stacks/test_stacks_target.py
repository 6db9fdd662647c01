"""The right cluster or none: what is aimed at is checked before anything is created."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

from simulator import provider as standin
from stacks import plugins, target
from stacks.errors import UserError
from stacks.settings import Settings
from stacks.target import Target
from stacks.workdir import WorkDir

Project = Callable[..., WorkDir]


def kubeconfig(path: Path, contexts: dict[str, str], current: str = "") -> Path:
    """Write a kubeconfig of contexts by name and server."""
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": current,
                "clusters": [{"name": name, "cluster": {"server": server}} for name, server in contexts.items()],
                "users": [{"name": name, "user": {"token": "t"}} for name in contexts],
                "contexts": [{"name": name, "context": {"cluster": name, "user": name}} for name in contexts],
            }
        )
    )
    return path


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(autouse=True)
def _no_ambient_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("KUBE_CONTEXT", "KUBECONFIG", "STACK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    def make(**config: Any) -> WorkDir:
        (tmp_path / "Pulumi.yaml").write_text("name: aiga\nruntime: python\n")
        keys = {f"aiga:{key}": value for key, value in config.items()}
        (tmp_path / "Pulumi.dev.yaml").write_text(yaml.safe_dump({"config": keys}))
        work = WorkDir("dev", tmp_path, tmp_path / ".aiga")
        work.folder.mkdir(parents=True, exist_ok=True)
        return work

    return make


def reach(work: WorkDir, **settings: Any) -> Target:
    return target.reach(work, Settings(**settings), lambda _: None, create=False)


def at(context: str, identity: str) -> Target:
    cluster = cast(Any, SimpleNamespace())
    return Target(Path("/k"), context, "https://x", "v1.36.3-gke.10", identity, cluster)


def test_a_cluster_that_does_not_answer_is_one_line(project: Project, tmp_path: Path) -> None:
    file = kubeconfig(tmp_path / "config", {"gone": f"https://127.0.0.1:{closed_port()}"}, current="gone")
    with pytest.raises(UserError) as refused:
        reach(project(), provider="on-prem", kubeconfig=str(file))
    message = str(refused.value)
    assert message.startswith(f"cluster gone ({file}) cannot be reached: ")
    assert "nothing was created" in message
    assert "\n" not in message
    assert refused.value.exit_code == 2


def test_prod_refuses_another_context_than_its_own(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = f"https://127.0.0.1:{closed_port()}"
    file = kubeconfig(tmp_path / "config", {"prod": server, "play": server}, current="play")
    monkeypatch.setenv("KUBE_CONTEXT", "play")
    with pytest.raises(UserError, match=r"KUBE_CONTEXT=play: profile prod touches only .*, prod \(unset"):
        reach(project(), provider="gke", profile="prod", context="prod", kubeconfig=str(file))


def test_prod_takes_its_own_context_though_another_is_current(project: Project, tmp_path: Path) -> None:
    server = f"https://127.0.0.1:{closed_port()}"
    file = kubeconfig(tmp_path / "config", {"prod": server, "play": server}, current="play")
    with pytest.raises(UserError, match=r"^cluster prod "):
        reach(project(), provider="gke", profile="prod", context="prod", kubeconfig=str(file))


def test_an_unknown_context_is_named_with_the_known_ones(project: Project, tmp_path: Path) -> None:
    file = kubeconfig(tmp_path / "config", {"one": "https://x", "two": "https://y"})
    with pytest.raises(UserError, match=r"context three: not in .*config, which knows one, two"):
        reach(project(), provider="civo", context="three", kubeconfig=str(file))


def test_of_several_kubeconfigs_the_one_with_the_context_is_taken(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = f"https://127.0.0.1:{closed_port()}"
    first = kubeconfig(tmp_path / "first", {"one": server}, current="one")
    second = kubeconfig(tmp_path / "second", {"two": server})
    monkeypatch.setenv("KUBECONFIG", f"{first}:{second}:{tmp_path / 'missing'}")
    with pytest.raises(UserError, match=rf"^cluster two \({second}\)"):
        reach(project(), provider="civo", context="two")


def test_a_missing_kubeconfig_is_named(project: Project, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"kubeconfig {tmp_path}/none: no such file"):
        reach(project(), provider="civo", kubeconfig="none")


def test_the_cluster_of_last_time_is_taken_rather_than_the_ambient_one(project: Project, tmp_path: Path) -> None:
    work = project()
    server = f"https://127.0.0.1:{closed_port()}"
    file = kubeconfig(tmp_path / "then", {"then": server})
    (tmp_path / ".kube").mkdir()
    kubeconfig(tmp_path / ".kube" / "config", {"now": server}, current="now")
    known = {"kubeconfig": str(file), "context": "then", "identity": "i", "server": server}
    work.record.write_text(json.dumps(known))
    with pytest.raises(UserError, match=r"^cluster then "):
        reach(work, provider="on-prem")


def test_a_context_that_reaches_another_cluster_than_the_state_describes_is_refused(project: Project) -> None:
    work = project()
    target.refuse_other_cluster(work, at("k3d-aiga", "one"))
    target.record(work, at("k3d-aiga", "one"))
    target.refuse_other_cluster(work, at("k3d-aiga", "one"))
    with pytest.raises(UserError, match=r"its state describes another cluster .*`make forget STACK=dev`"):
        target.refuse_other_cluster(work, at("k3d-aiga", "two"))


def test_the_version_goes_to_the_charts_without_its_build() -> None:
    assert at("c", "i").kubernetes_version == "1.36.3"


@dataclass
class Choice:
    """What a command without STACK=… means on a machine, and why it says so."""

    work: WorkDir
    said: list[str] = field(default_factory=list)

    def __call__(self, named: str | None = None) -> str:
        return target.choose(named, self.work.project, self.work.folder.parent, self.said.append)

    def remember(self, stack: str) -> None:
        target.remember(stack, self.work.folder.parent)


@pytest.fixture
def choose(project: Project, monkeypatch: pytest.MonkeyPatch) -> Choice:
    monkeypatch.setattr(target, "docker_runs", lambda: False)
    work = project()
    for other in ("sim", "civo"):
        (work.project / f"Pulumi.{other}.yaml").write_text("config: {}\n")
    return Choice(work)


def test_without_a_name_the_machine_decides_and_the_reason_is_told(
    choose: Choice, monkeypatch: pytest.MonkeyPatch, project: Project
) -> None:
    assert choose() == "sim"
    monkeypatch.setattr(target, "docker_runs", lambda: True)
    assert choose() == "dev"
    monkeypatch.setattr(target, "docker_runs", lambda: False)
    project(context="mine")
    assert choose() == "dev"
    project()
    monkeypatch.setenv("KUBE_CONTEXT", "mine")
    assert choose() == "dev"
    reasons = [line.partition(": ")[2] for line in choose.said]
    assert len(set(reasons)) == 4


def test_without_a_name_every_command_means_the_stack_of_the_last_up(
    choose: Choice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target, "docker_runs", lambda: True)
    choose.remember("civo")
    assert choose() == "civo"
    assert choose.said == ["stack civo: that of the last `make up` (STACK=name takes another)"]
    (choose.work.project / "Pulumi.civo.yaml").unlink()
    assert choose() == "dev", "a stack whose file is gone is none"


def test_a_named_cluster_counts_for_more_than_the_last_stack(choose: Choice, monkeypatch: pytest.MonkeyPatch) -> None:
    choose.remember("sim")
    monkeypatch.setenv("KUBE_CONTEXT", "mine")
    assert choose() == "dev"
    choose.remember("civo")
    (choose.work.project / "Pulumi.civo.yaml").write_text("config: {aiga:context: mine}\n")
    assert choose() == "civo", "the last stack is on that very cluster"
    (choose.work.project / "Pulumi.civo.yaml").write_text("config: {}\n")
    civo = WorkDir("civo", choose.work.project, choose.work.home)
    civo.folder.mkdir()
    target.record(civo, at("mine", "i"))
    assert choose() == "civo"


def test_a_named_stack_counts_for_more_than_all_else(choose: Choice, monkeypatch: pytest.MonkeyPatch) -> None:
    choose.remember("civo")
    monkeypatch.setenv("KUBE_CONTEXT", "mine")
    monkeypatch.setenv("STACK", "staging")
    assert choose() == "staging"
    assert choose("sim") == "sim"
    assert choose.said == []


def test_standin_plugins_are_refused_on_a_real_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIGA_PLUGINS", "standin")
    with pytest.raises(UserError, match="serve the simulator alone"):
        plugins.provide(tmp_path / "pulumi", tmp_path, lambda _: None, simulated=False)
    assert not plugins.provide(tmp_path / "pulumi", tmp_path, lambda _: None, simulated=True).official


def test_without_official_plugins_a_real_cluster_is_refused_and_the_simulator_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIGA_PLUGINS", raising=False)
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "/nonexistent")
    tried: list[str] = []

    def unreachable() -> str:
        tried.append("tried")
        return "no network"

    monkeypatch.setattr(plugins, "_unreachable", unreachable)
    with pytest.raises(UserError, match=r"are not installed and could not be: no network; .*pulumi plugin install"):
        plugins.provide(tmp_path / "pulumi", tmp_path, lambda _: None, simulated=False)
    served = plugins.provide(tmp_path / "pulumi", tmp_path, lambda _: None, simulated=True)
    assert "stand-ins" in served.served
    assert tried == ["tried"], "a failure is remembered"
    monkeypatch.setenv("AIGA_PLUGINS", "official")
    with pytest.raises(UserError, match="AIGA_PLUGINS=official"):
        plugins.provide(tmp_path / "pulumi", tmp_path, lambda _: None, simulated=True)
    assert tried == ["tried", "tried"], "who insists is tried for again"


def test_installed_official_plugins_serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIGA_PLUGINS", raising=False)
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path))
    for name in plugins.NAMES:
        folder = tmp_path / "plugins" / f"resource-{name}-v{standin.version(name)}"
        folder.mkdir(parents=True)
        (folder / f"pulumi-resource-{name}").touch(mode=0o755)
    assert plugins.provide(tmp_path / "pulumi", tmp_path, lambda _: None, simulated=False).official
