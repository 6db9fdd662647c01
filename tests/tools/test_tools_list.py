"""The list itself: everything pinned, open, and with a way to it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools import ToolError, catalogue, needed_by, versions
from tools.catalogue import ALL_PLATFORMS, Catalogue, Platform, Tool, read_sums

OSI = {"Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MPL-2.0", "AGPL-3.0-only", "GPL-3.0-only"}
TOOLS = catalogue.default().tools
CONTROL_PLANE = {"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok", "kwokctl"}

SAID = {
    "pulumi": ("v3.256.0\n", "3.256.0"),
    "kwok": ("kwok version v0.8.0 go1.26.8 (linux/amd64)\n", "0.8.0"),
    "kwokctl": ("kwokctl version v0.8.0 go1.26.8 (linux/amd64)\n", "0.8.0"),
    "etcd": ("etcd Version: 3.6.16\nGit SHA: Not provided\nGo Version: go1.26.8\n", "3.6.16"),
    "kube-apiserver": ("Kubernetes v1.36.3\n", "1.36.3"),
    "kube-controller-manager": ("Kubernetes v1.36.3\n", "1.36.3"),
    "kube-scheduler": ("Kubernetes v1.36.3\n", "1.36.3"),
    "kubectl": ("Client Version: v1.32.4-dispatcher\nKustomize Version: v5.5.0\n", "1.32.4-dispatcher"),
    "helm": ("v3.22.0+g144ca65\n", "3.22.0+g144ca65"),
    "k3d": ("k3d version v5.8.3\nk3s version v1.31.5-k3s1 (default)\n", "5.8.3"),
    "nats-server": ("nats-server: v2.15.2\n", "2.15.2"),
    "versitygw": ("Version  : 1.8.0\nBuild    : norev\nBuildTime: none\n", "1.8.0"),
    "kubeseal": ("kubeseal version: 0.40.0\n", "0.40.0"),
    "kubeconform": ("v0.7.0\n", "0.7.0"),
}


def every(kind: str) -> list[Tool]:
    return [tool for tool in TOOLS.values() if getattr(tool, kind)]


def named(tool: Tool) -> str:
    return tool.name


@pytest.mark.parametrize("tool", TOOLS.values(), ids=named)
def test_every_tool_is_pinned_open_and_fits_its_own_range(tool: Tool) -> None:
    for version in (tool.version, tool.built_version):
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), f"{tool.name} must be pinned to one version"
        assert versions.fits(version, tool.fits), f"what we install of {tool.name} must be what we accept on PATH"
    assert tool.licence in OSI, f"{tool.name}: {tool.licence} is not a licence we may build on"
    assert tool.download or tool.go, f"there is no way to {tool.name}"


@pytest.mark.parametrize("tool", every("go"), ids=named)
def test_every_go_module_requires_the_version_that_is_listed_and_has_its_digests(tool: Tool) -> None:
    assert tool.go is not None
    folder = catalogue.default().module(tool)
    required = dict(re.findall(r"^(?:require )?\s*(\S+/\S+) v(\d\S*)", (folder / "go.mod").read_text(), re.MULTILINE))
    source = next(file.read_text() for file in folder.glob("*.go"))
    package = tool.go.package if tool.go.package != "." else re.findall(r'"(go\.etcd\.io/[^"]+)"', source)[0]
    module = max((path for path in required if f"{package}/".startswith(f"{path}/")), key=len)
    assert required[module] == tool.built_version, f"{tool.name}: tools.yaml and go.mod name different versions"
    assert f"{module} v{tool.built_version} h1:" in (folder / "go.sum").read_text(), "go.sum does not hold its digest"
    assert f'"{package}"' in source, f"`go mod tidy` would drop {package}: nothing imports it"


def test_no_go_module_lies_about_that_no_tool_uses() -> None:
    used = {tool.go.module for tool in TOOLS.values() if tool.go}
    assert {folder.name for folder in catalogue.default().modules.iterdir()} == used


@pytest.mark.parametrize("tool", every("download"), ids=named)
def test_every_download_has_a_digest_to_be_checked_against(tool: Tool) -> None:
    assert tool.download is not None
    for name in tool.download.published:
        assert name in ALL_PLATFORMS
        asset = tool.download.asset(tool.version, Platform(*name.split("/")))
        assert asset and asset.url.startswith("https://") and "{" not in "".join(filter(None, asset))
        if asset.checksums is None and name != "darwin/amd64":
            assert asset.url in catalogue.default().sums, f"{asset.url}: neither pinned nor in a list of its publisher"


def test_every_pinned_digest_belongs_to_a_download_of_the_list() -> None:
    urls = set()
    for tool in every("download"):
        assert tool.download is not None
        assets = (tool.download.asset(tool.version, Platform(*name.split("/"))) for name in ALL_PLATFORMS)
        urls |= {asset.url for asset in assets if asset}
    assert set(catalogue.default().sums) <= urls, "a bumped version left its old digest behind: run `tools lock`"
    assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in catalogue.default().sums.values())


def test_each_target_needs_an_engine_and_a_client_and_the_simulator_a_control_plane() -> None:
    for target in ("sim", "k3d", "up", "test"):
        assert {"pulumi", "kubectl", "helm"} <= set(needed_by(target))
    assert set(needed_by("sim")) >= CONTROL_PLANE
    assert set(needed_by("test")) >= CONTROL_PLANE | {"nats-server", "versitygw", "kubeseal", "kubeconform"}
    assert not CONTROL_PLANE & set(needed_by("up")), "who has a cluster does not wait for ours to be built"


@pytest.mark.parametrize("name", SAID)
def test_what_a_tool_says_is_read(name: str) -> None:
    said, version = SAID[name]
    match = re.search(TOOLS[name].prints, said)
    assert match and match[1] == version


@pytest.mark.parametrize(
    ("version", "allowed", "fits"),
    [
        ("3.219.0", ">=3.219,<4", True),
        ("v3.218.9", ">=3.219,<4", False),
        ("4.0.0", ">=3.14,<4", False),
        ("1.36.3-gke.1180000", ">=1.36,<1.37", True),
        ("1.36.3+k3s1", ">=1.36,<1.37", True),
        ("1.36.0-rc.1", ">=1.35,<1.37", False),
        ("0.10.0", ">=0.9,<1", True),
        ("3.22", "==3.22.0", True),
        ("development", ">=0", False),
    ],
)
def test_ranges(version: str, allowed: str, fits: bool) -> None:
    assert versions.fits(version, allowed) is fits


def test_a_range_that_cannot_be_read_is_refused_with_what_may_stand_there() -> None:
    with pytest.raises(ValueError, match=">=N"):
        versions.bounds("~1.36")


def test_a_mistake_in_the_list_is_named_with_its_field(tmp_path: Path) -> None:
    (tmp_path / "tools.yaml").write_text("tools: {demo: {version: 1.0.0, fits: latest, licens: MIT}}")
    with pytest.raises(ToolError) as caught:
        Catalogue(tmp_path)
    for word in ("tools.yaml", "fits", "licens", "asks"):
        assert word in str(caught.value)


def test_sums_are_read_by_address() -> None:
    assert read_sums(f"{'a' * 64}  https://example.org/x\n\n") == {"https://example.org/x": "a" * 64}
