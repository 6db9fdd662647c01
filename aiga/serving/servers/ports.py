"""Free ports of the loopback address, kept for a server through its restarts."""

from __future__ import annotations

import socket
from dataclasses import dataclass

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Ports:
    """Where a server listens."""

    http: int
    grpc: int
    metrics: int


class Reserved:
    """Ports that nobody else is given: they are bound here without being listened on, and the server shares them."""

    def __init__(self) -> None:
        self._sockets = [_bound() for _ in range(3)]
        self.ports = Ports(*(each.getsockname()[1] for each in self._sockets))

    def release(self) -> None:
        for each in self._sockets:
            each.close()


def _bound() -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind((HOST, 0))
    return bound
