"""Answers the API server's calls to webhooks in the place of pods that do not exist.

The API server opens a tunnel (CONNECT) to the Service's address over a unix socket. It is refused unless a ready pod
stands behind the Service, as it would be in a real cluster; else TLS ends here and the review is allowed.
"""

from __future__ import annotations

import json
import logging
import socket
import socketserver
import ssl
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Protocol

_PATIENCE = 10.0
_LONGEST_HEAD = 8192
log = logging.getLogger("simulator.webhooks")


class Directory(Protocol):
    """What the server has to know about the cluster."""

    def refusal(self, address: str) -> str | None:
        """Why nothing answers at this `address:port`; None when something does."""

    def context(self, name: str) -> ssl.SSLContext:
        """What to show to a client that asks for this DNS name."""

    def answered(self, name: str) -> None:
        """Count an answer."""


class Server(socketserver.ThreadingUnixStreamServer):
    """Listens on the socket that the API server's egress configuration names."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path: Path, directory: Directory) -> None:
        path.unlink(missing_ok=True)
        self.directory = directory
        super().__init__(str(path), _Tunnel)
        path.chmod(0o600)

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a call broke off", exc_info=True)


class _Tunnel(socketserver.BaseRequestHandler):
    """One CONNECT and the one call inside it."""

    server: Server
    request: socket.socket

    def handle(self) -> None:
        self.request.settimeout(_PATIENCE)
        address = _target(_head(self.request))
        refusal = self.server.directory.refusal(address) if address else "this is for CONNECT alone"
        if refusal:
            self.request.sendall(f"HTTP/1.1 503 {refusal}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            return
        self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        names: list[str] = []
        with _greeter(self.server.directory.context, names).wrap_socket(self.request, server_side=True) as secured:
            _Call(secured, names[0] if names else "", self.server)


class _Call(BaseHTTPRequestHandler):
    """A review, answered; one a connection, so that each is refused once the pods behind the Service are gone."""

    def do_POST(self) -> None:
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps(answer(review)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        server: Any = self.server
        server.directory.answered(self.client_address)

    def log_message(self, format: str, *args: Any) -> None:
        log.debug(format, *args)


def answer(review: dict[str, Any]) -> dict[str, Any]:
    """Admission is allowed unchanged; conversion changes the version and nothing else."""
    request = review["request"]
    head = {"apiVersion": review["apiVersion"], "kind": review["kind"]}
    if review["kind"] == "ConversionReview":
        version = request["desiredAPIVersion"]
        converted = [{**each, "apiVersion": version} for each in request["objects"]]
        result = {"status": "Success"}
        return {**head, "response": {"uid": request["uid"], "convertedObjects": converted, "result": result}}
    return {**head, "response": {"uid": request["uid"], "allowed": True}}


def _greeter(context: Callable[[str], ssl.SSLContext], names: list[str]) -> ssl.SSLContext:
    """A context that takes the certificate of the name the client asks for."""

    def choose(secured: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        if not name:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        names.append(name)
        secured.context = context(name)
        return None

    greeter = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    greeter.sni_callback = choose
    return greeter


def _head(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head and len(head) < _LONGEST_HEAD:
        part = connection.recv(4096)
        if not part:
            break
        head += part
    return head


def _target(head: bytes) -> str | None:
    words = head.split(b"\r\n", 1)[0].split()
    return words[1].decode(errors="replace") if len(words) == 3 and words[0] == b"CONNECT" else None
