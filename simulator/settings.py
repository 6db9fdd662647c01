"""What kwokctl and the API server are told: ports, binaries, and the way to webhooks that no pod stands behind."""

from __future__ import annotations

import json
import random
import socket
import time
from collections.abc import Collection, Mapping
from pathlib import Path

import yaml

from simulator.errors import SimulatorError
from simulator.home import Home

BINARIES = {
    "etcdBinary": "etcd",
    "kubeApiserverBinary": "kube-apiserver",
    "kubeControllerManagerBinary": "kube-controller-manager",
    "kubeSchedulerBinary": "kube-scheduler",
    "kwokControllerBinary": "kwok",
    "kubectlBinary": "kubectl",
}
TOOLS = ("kwokctl", *BINARIES.values())
_PORTS = (
    "etcdPort",
    "etcdPeerPort",
    "kubeApiserverPort",
    "kubeControllerManagerPort",
    "kubeSchedulerPort",
    "kwokControllerPort",
)
_FREE_WITHIN = 1.0
_ENVIRONMENT = {"GOGC": "200", "GOMEMLIMIT": "2GiB"}
"""The API server takes a quarter less processor time over a platform's CRDs, for at most 2 GiB."""
_PORT_RANGE = range(20000, 30000)
"""Below the ports that systems hand out for outgoing connections, so that none is taken while a component restarts."""


def write(home: Home, tools: Mapping[str, Path]) -> None:
    """Write both configuration files, with the ports of last time where they are still free."""
    ports = _known(home)
    if not ports or not _come_free(ports.values()):
        ports = _choose()
        home.ports.write_text(json.dumps(ports))
    home.kwokctl_config.write_text(_kwokctl(home, tools, ports))
    home.egress_config.write_text(_egress(home))


def current(home: Home, tools: Mapping[str, Path]) -> bool:
    """Whether what runs was started with these settings and these binaries."""
    try:
        written = (home.kwokctl_config.read_text(), home.egress_config.read_text())
    except OSError:
        return False
    return written == (_kwokctl(home, tools, _known(home)), _egress(home))


def api_server(home: Home) -> str:
    """The API server's URL."""
    return f"https://127.0.0.1:{_known(home)['kubeApiserverPort']}"


def _kwokctl(home: Home, tools: Mapping[str, Path], ports: Mapping[str, int]) -> str:
    alone = {"leader-elect": "false"}  # nobody to elect against, and a lease left by a killed process costs 15 s
    extra = {
        "kube-apiserver": {
            "service-cluster-ip-range": "10.96.0.0/16",  # kwokctl's /24 is full at the 255th Service
            "egress-selector-config-file": str(home.egress_config),
        },
        "kube-controller-manager": alone,
        "kube-scheduler": alone,
    }
    config = {
        "apiVersion": "config.kwok.x-k8s.io/v1alpha1",
        "kind": "KwokctlConfiguration",
        "options": {
            "runtime": "binary",
            "bindAddress": "127.0.0.1",  # kwokctl's default offers an open etcd to the whole network
            "disableQPSLimits": True,
            **ports,
            **{option: str(tools[tool]) for option, tool in BINARIES.items()},
        },
        "componentsPatches": [
            {"name": name, "extraArgs": _pairs("key", arguments), "extraEnvs": _pairs("name", _ENVIRONMENT)}
            for name, arguments in extra.items()
        ],
    }
    return yaml.safe_dump(config)


def _pairs(label: str, values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{label: name, "value": value} for name, value in values.items()]


def _egress(home: Home) -> str:
    transport = {"uds": {"udsName": str(home.socket)}}
    config = {
        "apiVersion": "apiserver.k8s.io/v1beta1",
        "kind": "EgressSelectorConfiguration",
        "egressSelections": [
            {"name": "cluster", "connection": {"proxyProtocol": "HTTPConnect", "transport": transport}}
        ],
    }
    return yaml.safe_dump(config)


def _known(home: Home) -> dict[str, int]:
    try:
        known = json.loads(home.ports.read_text())
        return {name: int(known[name]) for name in _PORTS}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _come_free(ports: Collection[int]) -> bool:
    """What was killed a moment ago may hold its port a little longer."""
    deadline = time.monotonic() + _FREE_WITHIN
    while not all(_free(port) for port in ports):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _choose() -> dict[str, int]:
    candidates = random.sample(_PORT_RANGE, len(_PORT_RANGE))
    free = [port for port in candidates[:200] if _free(port)]
    if len(free) < len(_PORTS):
        raise SimulatorError(f"simulator: no free ports between {_PORT_RANGE.start} and {_PORT_RANGE.stop - 1}")
    return dict(zip(_PORTS, free, strict=False))


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what just ended lingers in TIME_WAIT
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
