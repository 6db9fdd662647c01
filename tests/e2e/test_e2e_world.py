"""The helpers of the end-to-end checks, as far as one machine can tell: whom they trust, and how long they ask."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import e2e_world
import pytest

from components.keys import server_certificate

PAIR = server_certificate(["aiga.localhost", "*.aiga.localhost"], datetime.now(UTC))
OTHER = server_certificate(["aiga.localhost"], datetime.now(UTC))


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was asked, and by whom."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{self.headers['Host']} {self.headers['Authorization']} {body}".encode())

    def log_message(self, *_: object) -> None:
        """Not on the screen."""


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server on this machine in the gateway's place, with a certificate such as the stack makes."""
    for key in ("tls_crt", "tls_key"):
        (tmp_path / key).write_text(PAIR[key])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls_crt", tmp_path / "tls_key")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(e2e_world, "PORT", server.server_port)
    yield
    server.shutdown()
    server.server_close()


def trusting(ca: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(e2e_world, "trust", lambda: ssl.create_default_context(cadata=ca))


def test_the_gateway_is_asked_by_name_at_its_address(gateway: None, monkeypatch: pytest.MonkeyPatch) -> None:
    trusting(PAIR["ca_crt"], monkeypatch)
    answer = e2e_world.https("hooks.aiga.localhost", "/retrain", {"tag": "a"}, token="secret")
    host, scheme, token, *body = answer.text.split()
    assert (host.split(":")[0], scheme, token) == ("hooks.aiga.localhost", "Bearer", "secret")
    assert (answer.status, "".join(body)) == (200, '{"tag":"a"}')


def test_a_certificate_of_another_authority_is_refused(gateway: None, monkeypatch: pytest.MonkeyPatch) -> None:
    trusting(OTHER["ca_crt"], monkeypatch)
    with pytest.raises(ssl.SSLCertVerificationError):
        e2e_world.https("aiga.localhost", "/", {})


def test_a_certificate_for_another_name_is_refused(gateway: None, monkeypatch: pytest.MonkeyPatch) -> None:
    trusting(PAIR["ca_crt"], monkeypatch)
    with pytest.raises(ssl.SSLCertVerificationError):
        e2e_world.https("aiga.example.org", "/", {})


def test_waiting_ends_and_says_what_went_wrong_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)

    def refused() -> bool:
        raise ConnectionRefusedError("nobody listens")

    with pytest.raises(AssertionError, match=r"the gateway answers \(nobody listens\)"):
        e2e_world.until(refused, "the gateway answers", 0.05)
