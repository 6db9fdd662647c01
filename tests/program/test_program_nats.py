"""NATS as the platform configures it, run for real: clients with TLS and without are both served.

Argo Events 1.9 upgrades every connection to TLS and gives up where a server offers none; eventing-natss uses none.
"""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from program_wiring import Wiring
from program_world import recorded

import tools
from components import keys
from components.nats import URL

HOST = URL.removeprefix("nats://").rpartition(":")[0]


@pytest.fixture(scope="module")
def wiring() -> Wiring:
    return Wiring(recorded("sim"))


@pytest.fixture(scope="module")
def pair(wiring: Wiring) -> dict[str, str]:
    """A certificate for the names that the program asks for."""
    asked = next(r for r in wiring.recording.resources if r.name == "nats-tls")
    return keys.server_certificate(asked.inputs["dns_names"], datetime.now(UTC))


@pytest.fixture(scope="module")
def port(wiring: Wiring, pair: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A server with the rendered configuration; only folders and ports are the test's own."""
    home = tmp_path_factory.mktemp("nats")
    rendered = wiring.find("ConfigMap", "nats-io", "nats-config")
    assert rendered is not None
    text = rendered["data"]["nats.conf"]
    for name, body in pair.items():
        (home / name.replace("_", ".")).write_text(body)
    for folder in ("/etc/nats-certs/nats", "/var/run/nats", "/data"):
        text = text.replace(f'"{folder}', f'"{home}')
    client, monitor = _free(), _free()
    text = re.sub(r'"port": \d+', f'"port": {client}', re.sub(r'"http_port": \d+', f'"http_port": {monitor}', text))
    (home / "nats.conf").write_text(text)
    server = tools.ensure(["nats-server"])["nats-server"]
    log = (home / "log").open("w")
    process = subprocess.Popen(
        [server, "--config", home / "nats.conf"], stderr=log, env={**os.environ, "SERVER_NAME": "nats-0"}
    )
    try:
        _wait(client, process, home / "log")
        yield client
    finally:
        process.terminate()
        process.wait(10)
        log.close()


def _free() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        number: int = listener.getsockname()[1]
        return number


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        assert process.poll() is None, f"nats-server refuses the rendered configuration: {log.read_text()}"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(log.read_text())


def greeted(port: int, secure: ssl.SSLContext | None) -> tuple[dict[str, object], bytes]:
    """What the server says of itself, and its answer to a client that pings over plain TCP, or over TLS."""
    with socket.create_connection(("127.0.0.1", port), 5) as plain:
        about = json.loads(plain.makefile("rb", buffering=0).readline().removeprefix(b"INFO "))
        talking = secure.wrap_socket(plain, server_hostname=HOST) if secure else plain
        talking.sendall(b'CONNECT {"verbose":false,"tls_required":%s}\r\nPING\r\n' % (b"true" if secure else b"false"))
        answer = talking.recv(64)
        while b"INFO" in answer and b"PONG" not in answer:
            answer = talking.recv(4096)
        talking.close()
        return about, answer


def test_a_client_that_insists_on_tls_is_served_under_the_services_name(port: int, pair: dict[str, str]) -> None:
    about, answer = greeted(port, ssl.create_default_context(cadata=pair["ca_crt"]))
    assert about.get("tls_available") is True
    assert b"PONG" in answer


def test_a_client_without_tls_is_served_too(port: int) -> None:
    about, answer = greeted(port, None)
    assert not about.get("tls_required")
    assert b"PONG" in answer


def test_streams_are_kept_on_the_volume(port: int) -> None:
    about, _ = greeted(port, None)
    assert about.get("jetstream") is True
