"""The stand-in kubernetes plugin works on the simulator alone; all else is one clear error, and nothing is made."""

from __future__ import annotations

from pathlib import Path

import pulumi
import pulumi_kubernetes as k8s
import pytest

from kube import yaml
from kube.cluster import Cluster
from kube.refs import Ref
from simulator import Running
from simulator.provider import Plugins
from simulator.provider.errors import ProviderError
from simulator.provider.options import MARKER, Options, connect
from tests.provider.provider_world import Stack


@pytest.fixture(autouse=True)
def _standin_only(plugins: Plugins) -> None:
    if plugins != "standin":
        pytest.skip("the official plugin works on every cluster")


def kubeconfig(sim: Running, folder: Path, *, context: str, server: str | None = None) -> Path:
    """The simulator's own, with another name for its context or another address."""
    config = yaml.load(sim.kubeconfig.read_text())
    config["contexts"][0]["name"] = config["current-context"] = context
    if server:
        config["clusters"][0]["cluster"]["server"] = server
    path = folder / "kubeconfig"
    path.write_text(yaml.dump([config]))
    return path


def program(options: pulumi.ResourceOptions) -> None:
    for number in range(5):
        k8s.core.v1.ConfigMap(
            f"refused-{number}", metadata={"name": f"refused-{number}", "namespace": "default"}, opts=options
        )


@pytest.mark.engine
@pytest.mark.parametrize("operation", ["preview", "up"])
def test_another_cluster_is_refused_before_anything_is_made(
    stack: Stack, sim: Running, cluster: Cluster, tmp_path: Path, operation: str
) -> None:
    path = kubeconfig(sim, tmp_path, context="prod")
    refused = getattr(stack, operation)(program, kubeconfig=str(path), context="prod")
    assert not refused.ok
    assert 'refuses context "prod"' in refused.text
    assert "simulator alone" in refused.text
    assert "Traceback" not in refused.text
    assert cluster.get(Ref("v1", "ConfigMap", "default", "refused-0")) is None


def test_a_cluster_that_only_bears_the_name_is_refused(sim: Running, cluster: Cluster) -> None:
    marker = cluster.get(MARKER)
    assert marker is not None
    cluster.delete(MARKER)
    try:
        with pytest.raises(ProviderError, match="has no ConfigMap kube-system/aiga-simulator"):
            connect(Options(kubeconfig=str(sim.kubeconfig), context=sim.context))
    finally:
        cluster.create(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": MARKER.name, "namespace": MARKER.namespace},
                "data": marker["data"],
            },
            manager="tests",
        )


def test_a_cluster_that_does_not_answer_is_named(sim: Running, tmp_path: Path) -> None:
    path = kubeconfig(sim, tmp_path, context=sim.context, server="https://127.0.0.1:9")
    with pytest.raises(ProviderError, match=r"unreachable.*127\.0\.0\.1:9"):
        connect(Options(kubeconfig=str(path), context=sim.context))


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("/no/such/file", "there is no such file"),
        ("{a: b", "kubeconfig"),
        ("- a\n- b\n", "neither the path"),
        ("apiVersion: v1\nkind: Config\n", "without a context"),
    ],
)
def test_a_kubeconfig_that_is_none_is_refused_with_its_reason(given: str, complaint: str) -> None:
    with pytest.raises(ProviderError, match=complaint):
        connect(Options.read({"kubernetes:config:kubeconfig": given}, {}))


def test_the_program_overrides_the_environment(sim: Running) -> None:
    variables = {
        "kubernetes:config:kubeconfig": sim.kubeconfig.read_text(),
        "kubernetes:config:enablePatchForce": "false",
        "kubernetes:config:namespace": "elsewhere",
    }
    environment = {"PULUMI_K8S_ENABLE_PATCH_FORCE": "true", "PULUMI_K8S_UPSERT_EXISTING_OBJECTS": "true"}
    options = Options.read(variables, environment)
    assert (options.force, options.upsert, options.namespace) == (False, True, "elsewhere")
    assert options.context == sim.context
