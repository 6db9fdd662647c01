"""Asks an image registry which digest a tag stands for: the distribution spec's HEAD, with its anonymous token."""

from __future__ import annotations

import http.client
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from email.message import Message

REFERENCE = re.compile(r"(?P<registry>localhost|[^/]*[.:][^/]*)/(?P<name>[^:@]+):(?P<tag>[\w.-]+)")
_APIS = {"docker.io": "registry-1.docker.io"}
_LOCAL = ("localhost", "127.0.0.1")
"""Spoken to without TLS, as all clients of registries do."""
_ACCEPT = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
"""The index of all platforms first: its digest is right on every node."""


class RegistryError(Exception):
    """One line: which address, and what it said."""


def digest(ref: str, timeout: float) -> str:
    """The digest of the image that `registry/name:tag` stands for now, as `sha256:…`.

    Raises:
        RegistryError: no answer, a refusal, or an answer without a digest.
    """
    parts = REFERENCE.fullmatch(ref)
    if parts is None:
        raise RegistryError("must be <registry>/<name>:<tag>")
    host = _APIS.get(parts["registry"], parts["registry"])
    scheme = "http" if host.partition(":")[0] in _LOCAL else "https"
    url = f"{scheme}://{host}/v2/{parts['name']}/manifests/{parts['tag']}"
    try:
        answer = _head(url, timeout)
    except urllib.error.HTTPError as error:
        raise RegistryError(f"{error.url}: {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        raise RegistryError(f"{url}: {getattr(error, 'reason', error)}") from error
    found = answer.get("Docker-Content-Digest", "")
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", found):
        raise RegistryError(f"{url}: its answer names no sha256 digest")
    return found


def _head(url: str, timeout: float) -> Message:
    request = urllib.request.Request(url, method="HEAD", headers={"Accept": _ACCEPT})
    try:
        return _headers(request, timeout)
    except urllib.error.HTTPError as error:
        challenge = error.headers.get("WWW-Authenticate", "")
        if error.code != 401 or not challenge.lower().startswith("bearer "):
            raise
        # A registry may have handed over to another host: that one asks for the token, and that one gets it.
        request = urllib.request.Request(error.url, method="HEAD", headers={"Accept": _ACCEPT})
    request.add_unredirected_header("Authorization", f"Bearer {_token(challenge, timeout)}")
    return _headers(request, timeout)


def _headers(request: urllib.request.Request, timeout: float) -> Message:
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        found: Message = answer.headers
    return found


def _token(challenge: str, timeout: float) -> str:
    """What the registry's own issuer of tokens gives to anybody."""
    asked = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    realm = asked.pop("realm", "")
    if not realm.startswith(("https://", "http://")):
        raise RegistryError(f"asks for a token and names no address to get it from: {challenge}")
    wanted = {name: asked[name] for name in ("service", "scope") if name in asked}
    url = f"{realm}{'&' if '?' in realm else '?'}{urllib.parse.urlencode(wanted)}"
    with urllib.request.urlopen(url, timeout=timeout) as answer:
        body = answer.read()
    try:
        given = json.loads(body)
        token = given.get("token") or given["access_token"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RegistryError(f"{realm}: no token in its answer") from error
    return str(token)
