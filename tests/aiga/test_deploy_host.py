"""`aiga serve --host`: where the gateway listens, and what it says of that."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
import requests
import tritonclient.grpc as triton
from deploy_world import port, serving
from runner_projects import Made, made

PROJECT = """
apiVersion: aiga.dev/v1
name: echo
serve: {server: custom, run: "echo:Echo"}
"""
CLASS = """
class Echo:
    def predict(self, X, names):
        return X
"""
ELSEWHERE = "127.0.0.2"
"""An address of every Linux, besides the one that is listened on unless told."""


@pytest.fixture
def project(tmp_path: Path) -> Made:
    own = made(tmp_path, PROJECT, "")
    own.write("echo.py", CLASS)
    return own


def listening(pid: int) -> dict[str, set[str]]:
    """The addresses that the children of a process listen on: those of the gateway, and those of the others."""
    found: dict[str, set[str]] = {"gateway": set(), "others": set()}
    for one in psutil.Process(pid).children(recursive=True):
        kind = "gateway" if "aiga.serving.gateway" in one.cmdline() else "others"
        sockets = [each for each in one.net_connections() if each.status == psutil.CONN_LISTEN]
        found[kind] |= {each.laddr.ip.removeprefix("::ffff:") for each in sockets}
    return found


def test_both_protocols_are_reached_from_elsewhere_and_the_model_servers_are_not(project: Made) -> None:
    http, grpc = port(), port()
    process = project.start("serve", "--port", str(http), "--grpc-port", str(grpc), "--host", "0.0.0.0")
    with serving(process) as printed:
        body = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1, 1], "data": [3]}]}
        url = f"http://{ELSEWHERE}:{http}/seldon/project-echo/echo/v2/models/echo/infer"
        assert requests.post(url, json=body, timeout=30).json()["outputs"][0]["data"] == [3.0]
        with triton.InferenceServerClient(f"{ELSEWHERE}:{grpc}") as client:
            assert client.is_server_ready(client_timeout=30)
        where = listening(process.pid)
        assert where["others"] == {"127.0.0.1"}
        assert {"0.0.0.0"} <= where["gateway"] <= {"0.0.0.0", "::"}, "gRPC takes IPv6 too, where there is any"
    lines = printed.splitlines()
    assert "main: echo:Echo, 100 % of the traffic" in lines
    assert f"page: http://127.0.0.1:{http}/" in lines and f"grpc: 127.0.0.1:{grpc}" in lines, "as this machine asks"
    note = "note: it listens on 0.0.0.0: whoever reaches that can call the model and see the page"
    assert lines.count(note) == 1


@pytest.mark.parametrize("given", ["localhost", "", "::1", "10.0.0", "0.0.0.0:8080"])
def test_what_is_no_address_is_refused(project: Made, given: str) -> None:
    told = project.aiga("serve", "--host", given, code=2)
    assert f"--host {given}: must be an IPv4 address (127.0.0.1 for this machine alone, 0.0.0.0 for all" in told


def test_an_address_of_another_machine_is_refused_before_a_server_starts(project: Made) -> None:
    told = project.aiga("serve", "--host", "203.0.113.1", "--port", str(port()), code=2)
    assert "--host 203.0.113.1: is no address of this machine (127.0.0.1 for" in told
    assert not list(project.home.rglob("server.log"))
