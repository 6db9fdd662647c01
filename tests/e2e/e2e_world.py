"""What the end-to-end checks share: manifests, kubectl, waiting, HTTPS through the gateway, ports of Services.

The cluster is the one of $KUBECONFIG (`eval "$(make env)"`); $E2E_ADDRESS, $E2E_PORT and $E2E_DOMAIN say where its
gateway is reached, and default to k3d's.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template
from typing import Any, TypeVar

from components.upstream import image

MANIFESTS = Path(__file__).with_name("manifests")
ADDRESS = os.environ.get("E2E_ADDRESS", "127.0.0.1")
PORT = int(os.environ.get("E2E_PORT", "8443"))
DOMAIN = os.environ.get("E2E_DOMAIN", "aiga.localhost")
T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """What came back over HTTP."""

    status: int
    text: str

    def json(self) -> Any:
        return json.loads(self.text)


def manifest(name: str, **values: str) -> str:
    """A manifest with the images of the lock, and a check's own words, filled in."""
    images = {"mlserver": image("mlserver-sklearn").ref, "mc": image("minio-client").reference}
    text = (MANIFESTS / f"{name}.yaml").read_text()
    return Template(text).substitute({**images, "busybox": image("busybox").reference, **values})


def kubectl(*arguments: str, stdin: str | None = None, seconds: float = 120) -> str:
    """Run kubectl and return what it printed; its own message is the failure."""
    run = subprocess.run(
        ["kubectl", *arguments], input=stdin, capture_output=True, text=True, timeout=seconds, check=False
    )
    assert run.returncode == 0, f"kubectl {' '.join(arguments)}: {run.stderr.strip()}"
    return run.stdout


def apply(name: str, **values: str) -> None:
    """Apply a manifest; Kubernetes is given a while, for webhooks and aggregated roles settle late."""
    text = manifest(name, **values)
    until(lambda: _applied(text), f"{name}.yaml is applied", 60)


def _applied(text: str) -> bool:
    kubectl("apply", "--server-side", "--field-manager=aiga-e2e", "-f", "-", stdin=text)
    return True


def read(kind: str, namespace: str, name: str) -> Any:
    """One object."""
    return json.loads(kubectl("get", kind, name, "--namespace", namespace, "--output", "json"))


def secret(namespace: str, name: str, key: str) -> str:
    """One value of a Secret. It is never printed."""
    return base64.b64decode(read("secret", namespace, name)["data"][key]).decode()


def until(question: Callable[[], T], what: str, seconds: float) -> T:
    """Ask until the answer is true, and return it; what went wrong last is in the message."""
    deadline, last = time.monotonic() + seconds, "it was never true"
    while time.monotonic() < deadline:
        try:
            if answer := question():
                return answer
        except (AssertionError, OSError, http.client.HTTPException, ValueError, KeyError) as error:
            last = str(error)
        time.sleep(2)
    raise AssertionError(f"not within {seconds:.0f} s: {what} ({last})")


def https(host: str, path: str, body: Any = None, *, token: str | None = None) -> Answer:
    """Ask the gateway, its certificate checked against the stack's own authority."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    connection = _Through(host, PORT, timeout=30, context=trust())
    try:
        data = None if body is None else json.dumps(body)
        connection.request("GET" if body is None else "POST", path, data, headers)
        response = connection.getresponse()
        return Answer(response.status, response.read().decode(errors="replace"))
    finally:
        connection.close()


class _Through(http.client.HTTPSConnection):
    """Connects to the gateway's address, whatever the name resolves to."""

    def connect(self) -> None:
        plain = socket.create_connection((ADDRESS, self.port), self.timeout)
        self.sock = trust().wrap_socket(plain, server_hostname=self.host)


@cache
def trust() -> ssl.SSLContext:
    """Trust in the authority that signed the gateway's certificate, and in no other."""
    return ssl.create_default_context(cadata=secret("istio-system", "gateway-tls", "ca.crt"))


@contextmanager
def forwarded(namespace: str, service: str, port: int) -> Iterator[str]:
    """A local URL for a Service. kubelet opens the connection inside the pod, past NetworkPolicies."""
    command = ["kubectl", "port-forward", "--namespace", namespace, f"service/{service}", f":{port}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.search(r"127\.0\.0\.1:(\d+)", line)
            assert found, f"port-forward to {namespace}/{service}: {line.strip()}"
            yield f"127.0.0.1:{found[1]}"
        finally:
            process.terminate()


def plain(address: str, path: str) -> Any:
    """The JSON that a forwarded Service answers with."""
    connection = http.client.HTTPConnection(address, timeout=30)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        text = response.read().decode(errors="replace")
        assert response.status == 200, f"{path}: {response.status} {text[:200]}"
        return json.loads(text)
    finally:
        connection.close()
