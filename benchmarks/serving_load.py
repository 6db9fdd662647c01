"""A load generator that costs little itself: so many connections, each with at most one request under way.

Without a rate the next request goes out when an answer has come in, so that whoever is quick is asked more. With a rate
all are asked alike: requests are due at even intervals, and one that has to wait for its connection is late from then.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from functools import partial
from typing import cast
from urllib.parse import urlsplit

import numpy as np

CONNECTIONS = 16
WARM = 1.0
"""Seconds before anything counts."""
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


@dataclass(frozen=True)
class Figures:
    """What a load met; latencies in milliseconds."""

    rate: float
    """Answers a second."""
    p50: float
    p99: float
    errors: int = 0
    answers: int = 0

    @property
    def error_rate(self) -> float:
        """Share of the answers that were errors."""
        return self.errors / self.answers if self.answers else np.nan

    @classmethod
    def of(cls, latencies: list[float], seconds: float, errors: int = 0) -> Figures:
        """From latencies in seconds."""
        p50, p99 = np.percentile(latencies, (50, 99)) * 1000 if latencies else (np.nan, np.nan)
        return cls(len(latencies) / seconds, float(p50), float(p99), errors, len(latencies))

    @classmethod
    def median(cls, rounds: list[Figures]) -> Figures:
        """Of several rounds, number by number; their errors and answers together."""
        rate, p50, p99 = (float(np.median([getattr(one, name) for one in rounds])) for name in ("rate", "p50", "p99"))
        return cls(rate, p50, p99, sum(one.errors for one in rounds), sum(one.answers for one in rounds))


async def load(
    url: str, body: bytes, seconds: float, connections: int = CONNECTIONS, rate: float | None = None
) -> Figures:
    """Posts the same JSON for a while, on connections that are kept.

    Args:
        rate: requests a second, of all connections; as many as are answered when left out.

    Raises:
        OSError: nobody listens, or a connection was broken off.
    """
    where = urlsplit(url)
    host, port = where.hostname or "", where.port or 80
    head = (
        f"POST {where.path} HTTP/1.1\r\nHost: {where.netloc}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    loop = asyncio.get_running_loop()
    callers = []
    pause = connections / rate if rate else 0.0
    for number in range(connections):
        begin = time.perf_counter() + pause * number / connections
        _, caller = await loop.create_connection(partial(_Caller, head.encode() + body, begin, pause), host, port)
        callers.append(caller)
    await asyncio.sleep(WARM)
    for caller in callers:
        caller.latencies.clear()
        caller.errors = 0
    begun = time.perf_counter()
    await asyncio.sleep(seconds)
    took = time.perf_counter() - begun
    latencies = [latency for caller in callers for latency in caller.latencies]
    for caller in callers:
        caller.close()
    if any(caller.broken for caller in callers):
        raise ConnectionResetError(f"{url}: a connection was broken off")
    return Figures.of(latencies, took, sum(caller.errors for caller in callers))


class _Caller(asyncio.Protocol):
    """One connection: the next request goes out when it is due, and the answer to the last one has come in."""

    def __init__(self, request: bytes, begin: float, pause: float) -> None:
        """Requests are due from `begin` on, each `pause` seconds after the one before; at once when that is 0."""
        self._due, self._pause = begin, pause
        self.latencies: list[float] = []
        self.errors = 0
        """Answers that were none of status 200."""
        self.broken = False
        self._request = request
        self._received = b""
        self._sent = 0.0
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n") + 4
        length = _LENGTH.search(self._received, 0, end) if end > 3 else None
        if length is None or len(self._received) < end + int(length[1]):
            return
        self.latencies.append(time.perf_counter() - self._sent)
        self.errors += not self._received.startswith(b"HTTP/1.1 200")
        self._received = b""
        if self._transport is not None:
            self._next()

    def connection_lost(self, error: Exception | None) -> None:
        self.broken = self._transport is not None

    def close(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None and not self.broken:
            transport.close()

    def _next(self) -> None:
        late = time.perf_counter() - self._due if self._pause else 0.0
        if late < 0:
            asyncio.get_running_loop().call_later(-late, self._send, 0.0)
        else:
            self._send(late)
        self._due += self._pause

    def _send(self, late: float) -> None:
        """Sends a request that was due so many seconds ago: how exact a timer is counts for nobody."""
        self._sent = time.perf_counter() - late
        if self._transport is not None:
            self._transport.write(self._request)
