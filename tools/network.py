"""HTTP with a short memory: a host that cannot be reached is asked once in a run, however many tools lie there."""

from __future__ import annotations

import http.client
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections import defaultdict
from collections.abc import Callable
from typing import IO

from tools.errors import Impossible

CONNECT_SECONDS = 4.0
READ_SECONDS = 30.0
_CHUNK = 1 << 18

_unreachable: dict[str, str] = {}
_asked: set[str] = set()
_locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)


def forget() -> None:
    """Drop what was learnt about hosts."""
    _unreachable.clear()
    _asked.clear()


def fetch(url: str, into: IO[bytes], received: Callable[[int, int | None], None] = lambda _done, _all: None) -> None:
    """Write the body of `url` to `into`. A body cut short is asked for once more; Impossible when it stays so."""
    host, port = _peer(url)
    _reach(host, port)
    for last in (False, True):
        into.seek(0)
        into.truncate()
        try:
            _copy(url, into, received)
            return
        except urllib.error.HTTPError as error:
            raise Impossible(f"{url}: HTTP {error.code} {error.reason}") from error
        except urllib.error.URLError as error:
            _unreachable[host] = _reason(error.reason)
            raise _no_network(host) from error
        except (OSError, http.client.HTTPException) as error:
            if last:
                raise Impossible(f"{url}: broke off twice: {_reason(error)}") from error


def _copy(url: str, into: IO[bytes], received: Callable[[int, int | None], None]) -> None:
    request = urllib.request.Request(url, headers={"User-Agent": "aiga-tools"})
    with urllib.request.urlopen(request, timeout=READ_SECONDS) as answer:
        length = answer.headers.get("Content-Length")
        expected = int(length) if length and length.isdigit() else None
        done = 0
        while chunk := answer.read(_CHUNK):
            into.write(chunk)
            done += len(chunk)
            received(done, expected)
        if expected is not None and done != expected:
            raise http.client.IncompleteRead(b"", expected - done)


def _peer(url: str) -> tuple[str, int]:
    """Whom we talk to for this URL: its host, or the proxy that stands before it."""
    parts = urllib.parse.urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(parts.netloc):
        parts = urllib.parse.urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _reach(host: str, port: int) -> None:
    with _locks[host]:
        if host not in _asked:
            _asked.add(host)
            why = _try(host, port)
            if why:
                _unreachable[host] = why
    if host in _unreachable:
        raise _no_network(host)


def _try(host: str, port: int) -> str:
    """Why the host cannot be connected to, "" when it can. A slow resolver is not waited for."""
    outcome = [f"no answer in {CONNECT_SECONDS:.0f} s"]

    def connect() -> None:
        try:
            socket.create_connection((host, port), timeout=CONNECT_SECONDS).close()
            outcome[0] = ""
        except OSError as error:
            outcome[0] = _reason(error)

    attempt = threading.Thread(target=connect, daemon=True)
    attempt.start()
    attempt.join(CONNECT_SECONDS + 0.5)
    return outcome[0]


def _no_network(host: str) -> Impossible:
    return Impossible(
        f"{host} cannot be reached ({_unreachable[host]})",
        f"give access to {host} (HTTPS_PROXY is honoured)",
    )


def _reason(error: object) -> str:
    if isinstance(error, socket.gaierror):
        return "name not known"
    if isinstance(error, http.client.IncompleteRead):
        return f"{error.expected} bytes missing"
    text = getattr(error, "strerror", None) or str(error)
    return text or type(error).__name__
