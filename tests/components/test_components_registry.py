"""The digest behind a tag, asked of a server that plays a registry as strictly as the public ones do."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from components import registry
from components.registry import RegistryError

DIGEST = "sha256:" + "d" * 64
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "/v2/team/app/manifests/1.2"


class Registry(BaseHTTPRequestHandler):
    """Gives digests to whoever comes with the token for that name, and tokens to anybody."""

    asked: list[tuple[str, str, str | None]]

    def do_HEAD(self) -> None:
        path = urlsplit(self.path).path
        self.asked.append((self.headers["Host"].partition(":")[0], path, self.headers["Authorization"]))
        if "/moved/" in path:
            there = f"http://localhost:{self.server.server_port}{path.replace('/moved/', '/app/')}"  # type: ignore[attr-defined]
            self._answer(307, Location=there)
        elif "/mute/" in path:
            self._answer(200)
        elif "/basic/" in path:
            self._answer(401, **{"WWW-Authenticate": 'Basic realm="staff"'})
        elif "/lost/" in path:
            self._answer(401, **{"WWW-Authenticate": 'Bearer service="here"'})
        elif "/open/" not in path and self.headers["Authorization"] != f"Bearer for-{path.split('/')[3]}":
            name = "/".join(path.split("/")[2:4])
            realm = f"http://{self.headers['Host']}/token?account=none"
            told = f'Bearer realm="{realm}",service="here",scope="repository:{name}:pull"'
            self._answer(401, **{"WWW-Authenticate": told})
        elif "/guarded/" in path:
            there = f"http://localhost:{self.server.server_port}{path.replace('/guarded/', '/open/')}"  # type: ignore[attr-defined]
            self._answer(307, Location=there)
        elif path.endswith("/gone"):
            self._answer(404)
        else:
            fits = INDEX in self.headers["Accept"]
            self._answer(200, **{"Docker-Content-Digest": DIGEST if fits else "sha256:" + "0" * 64})

    def do_GET(self) -> None:
        """Tokens; and what a redirect makes of a HEAD."""
        parts = urlsplit(self.path)
        if parts.path != "/token":
            self.do_HEAD()
            return
        query = parse_qs(parts.query)
        name = query["scope"][0].split(":")[1].split("/")[1]
        body = b"hello" if name == "garbled" else json.dumps({KEYS.get(name, "token"): f"for-{name}"}).encode()
        self.send_response(200 if query["service"] == ["here"] and query["account"] == ["none"] else 400)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _answer(self, code: int, **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


KEYS = {"other": "access_token", "none": "nothing"}


@pytest.fixture
def host() -> Iterator[str]:
    Registry.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("name", ["open", "app", "other"])
def test_the_digest_of_all_platforms_is_given_to_anybody(host: str, name: str) -> None:
    """Without a token, with one, and with one under the other name that the specification allows."""
    assert registry.digest(f"{host}/team/{name}:1.2", 5) == DIGEST


def test_a_token_is_asked_for_once_told_to(host: str) -> None:
    registry.digest(f"{host}/team/app:1.2", 5)
    assert Registry.asked == [("127.0.0.1", MANIFEST, None), ("127.0.0.1", MANIFEST, "Bearer for-app")]


def test_a_registry_may_hand_over_to_another_host_which_asks_for_its_own_token(host: str) -> None:
    assert registry.digest(f"{host}/team/moved:1.2", 5) == DIGEST
    assert [(at, token) for at, _, token in Registry.asked] == [
        ("127.0.0.1", None),
        ("localhost", None),
        ("localhost", "Bearer for-app"),
    ]


def test_a_token_goes_to_nobody_but_the_host_that_asked_for_it(host: str) -> None:
    assert registry.digest(f"{host}/team/guarded:1.2", 5) == DIGEST
    assert [(at, token) for at, _, token in Registry.asked] == [
        ("127.0.0.1", None),
        ("127.0.0.1", "Bearer for-guarded"),
        ("localhost", None),
    ]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("app:gone", "/v2/team/app/manifests/gone: 404 Not Found"),
        ("basic:1", "/v2/team/basic/manifests/1: 401 Unauthorized"),
        ("mute:1", "/v2/team/mute/manifests/1: its answer names no sha256 digest"),
        ("lost:1", "asks for a token and names no address to get it from: Bearer service="),
        ("none:1", "/token?account=none: no token in its answer"),
        ("garbled:1", "/token?account=none: no token in its answer"),
    ],
)
def test_a_refusal_is_one_line_with_the_address(host: str, name: str, reason: str) -> None:
    with pytest.raises(RegistryError) as error:
        registry.digest(f"{host}/team/{name}", 5)
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


def test_no_answer_at_all_is_one_line_with_the_address() -> None:
    with pytest.raises(RegistryError, match=r"^http://127\.0\.0\.1:9/v2/a/manifests/1: .*Connection refused$"):
        registry.digest("127.0.0.1:9/a:1", 5)


@pytest.mark.parametrize("ref", ["nats:2", "docker.io/library/nats", "docker.io/nats@sha256:00", ""])
def test_what_is_no_whole_reference_is_refused(ref: str) -> None:
    with pytest.raises(RegistryError, match="must be <registry>/<name>:<tag>"):
        registry.digest(ref, 5)


def test_the_lock_has_whole_references_only() -> None:
    from components import upstream

    images = upstream.lock().images.values()
    assert [image.ref for image in images if not registry.REFERENCE.fullmatch(image.ref)] == []
