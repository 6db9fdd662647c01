"""A file by HTTP: streamed, taken up where it broke off, verified, and not fetched again while it is the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import requests
import urllib3
from requests.auth import AuthBase

from aiga.errors import TransientError, UserError
from aiga.sources import tables
from aiga.sources.context import Context, repeated
from aiga.sources.version import SNAPSHOT, Version, now
from aiga.spec.sources import HttpSource
from aiga.store.digest import CHUNK, file_digest
from aiga.store.keys import check_key
from aiga.store.progress import Meter

TIMEOUT = (10, 60)
"""Seconds to connect, and between two packets."""
_SERVER_ERROR = 500
_PASSING = {408, 425, 429}
_REMEDIES = {
    401: "name a secret with a token that may read it: `secret:`",
    403: "name a secret with a token that may read it: `secret:`",
    404: "check the address",
    410: "it was taken away: find another address",
}


class _Bearer(AuthBase):
    """Set as `auth`, so that no .netrc stands in its place; requests drops it when it is sent to another host."""

    def __init__(self, token: str) -> None:
        self.token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request


@dataclass(frozen=True)
class _Get:
    """Requests for one address."""

    what: str
    url: str
    token: str | None

    @contextmanager
    def __call__(self, headers: dict[str, str]) -> Iterator[requests.Response]:
        """The response, its body not yet read. Errors of the server and the network are ours."""
        every = {"Accept-Encoding": "identity", "User-Agent": "aiga"}
        auth = _Bearer(self.token) if self.token else None
        try:
            with (
                requests.Session() as session,
                session.get(self.url, headers=every | headers, auth=auth, stream=True, timeout=TIMEOUT) as response,
            ):
                self._refuse(response)
                yield response
        except requests.exceptions.SSLError as error:
            raise UserError(f"{self.where}: its certificate cannot be trusted: mend it, or the address") from error
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
            raise UserError(f"{self.where}: not an address: mend it") from error
        except requests.exceptions.TooManyRedirects as error:
            raise UserError(f"{self.where}: redirects without end: mend the address") from error
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise TransientError(f"{self.where}: the connection failed ({type(error).__name__}): try again") from error

    @property
    def where(self) -> str:
        return f"{self.what}: {shown(self.url)}"

    def _refuse(self, response: requests.Response) -> None:
        status = response.status_code
        if status in _PASSING or status >= _SERVER_ERROR:
            raise TransientError(f"{self.where}: the server answered {status} {response.reason}: try again later")
        if status >= 400 and status != 416:
            remedy = _REMEDIES.get(status, "check the address")
            raise UserError(f"{self.where}: the server answered {status} {response.reason}: {remedy}")


def read(name: str, source: HttpSource, context: Context, last: Version | None) -> Version:
    """The file at the address. Nothing is fetched that is here and has the declared digest, or that did not change."""
    what = f"source {name}"
    file = _file_name(source.url, name)
    declared = f"sha256:{source.sha256}" if source.sha256 else None
    if declared and (path := context.cache.get(declared, file)):
        same = last.origin if last and last.digest == declared else {}
        return _version(name, source, context, path, declared, validators=same)
    if last and last.origin["url"] != shown(source.url):
        last = None
    here = last and context.cache.get(last.digest, file)
    get = _Get(what, source.url, context.secret(what, source.secret))
    with context.cache.unfinished() as folder:
        fetch = _Fetch(get, folder / file, last.origin if last and here else {}, context)
        validators = repeated(fetch, context.pause)
        if validators is None and last and here:
            digest, validators = last.digest, last.origin
        else:
            digest, here = file_digest(fetch.path), None
        if declared and digest != declared:
            raise UserError(
                f"{what}: {shown(source.url)}: has {digest}, must have {declared} "
                "(mend `sha256:` if this content is meant)"
            )
        path = here or context.cache.put(fetch.path, digest, file)
    return _version(name, source, context, path, digest, validators=validators or {})


def changed(source: HttpSource, last: Version, token: str | None) -> str | None:
    """Why it is another version than `last`. A server that gives neither ETag nor time is judged by the size alone."""
    what = f"source {last.name}"
    if source.sha256:
        return None if last.digest == f"sha256:{source.sha256}" else f"{what}: sha256 is another one"
    with _Get(what, source.url, token)(_conditions(last.origin)) as response:
        if response.status_code == requests.codes.not_modified:
            return None
        found = _validators(response)
    for key, word in (("etag", "ETag"), ("modified", "Last-Modified"), ("size", "size")):
        if found[key] is not None and last.origin.get(key) is not None:
            same = found[key] == last.origin[key]
            return None if same else f"{what}: {word} is {found[key]}, was {last.origin[key]}"
    return None


def shown(url: str) -> str:
    """The address without a user or password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


class _Fetch:
    """Writes the body to `path`; called again, it goes on where it broke off, if the server says that it can."""

    def __init__(self, get: _Get, path: Path, known: dict[str, Any], context: Context) -> None:
        self.get, self.path, self.known, self.context = get, path, known, context
        self.etag: str | None = None

    def __call__(self) -> dict[str, Any] | None:
        """What tells this content from another; None where it is what is `known`."""
        have = self.path.stat().st_size if self.path.exists() and self.etag else 0
        headers = {"Range": f"bytes={have}-", "If-Range": str(self.etag)} if have else _conditions(self.known)
        with self.get(headers) as response:
            if response.status_code == requests.codes.not_modified:
                return None
            if response.status_code == requests.codes.requested_range_not_satisfiable:
                self.path.unlink()
                raise TransientError(f"{self.get.where}: changed while it was read: try again")
            resumed = response.status_code == requests.codes.partial_content
            validators = _validators(response)
            etag = validators["etag"]
            self.etag = etag if etag and not etag.startswith("W/") and _plain(response) else None
            have = have if resumed else 0
            left = int(response.headers.get("Content-Length", 0))
            meter = Meter(self.context.progress, have + left)
            meter.add(have)
            with self.path.open("ab" if resumed else "wb") as file:
                for chunk in response.raw.stream(CHUNK, decode_content=not _plain(response)):
                    file.write(chunk)
                    meter.add(len(chunk))
        return validators | {"size": self.path.stat().st_size}


def _plain(response: requests.Response) -> bool:
    return response.headers.get("Content-Encoding", "identity") == "identity"


def _validators(response: requests.Response) -> dict[str, Any]:
    size = response.headers.get("Content-Length")
    return {
        "etag": response.headers.get("ETag"),
        "modified": response.headers.get("Last-Modified"),
        "size": int(size) if size else None,
    }


def _conditions(known: dict[str, Any]) -> dict[str, str]:
    names: dict[str, str] = {"etag": "If-None-Match", "modified": "If-Modified-Since"}
    return {header: str(known[key]) for key, header in names.items() if known.get(key)}


def _version(
    name: str, source: HttpSource, context: Context, path: Path, digest: str, *, validators: dict[str, Any]
) -> Version:
    origin = {
        "url": shown(source.url),
        **{key: validators.get(key) for key in ("etag", "modified", "size")},
        SNAPSHOT: context.snapshot(f"source {name}", path, digest),
        "read": now(),
    }
    return Version(name, digest, path, source.kind, origin, tables.count(path))


def _file_name(url: str, name: str) -> str:
    """The last part of the address, for its suffix; the source's name where that is no file name."""
    last = unquote(urlsplit(url).path.rpartition("/")[2])
    try:
        return last if "/" not in check_key(last) else name
    except UserError:
        return name
