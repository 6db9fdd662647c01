"""What tests of sources share: a project that reads into a store of its own, and a web server that misbehaves."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiga.sources.read import Reader
from aiga.sources.version import Version
from aiga.store import Store, open_store


@dataclass
class World:
    """A project's folder, its store, and readers of it."""

    root: Path
    secrets: dict[str, str] = field(default_factory=dict)
    pauses: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.store: Store = open_store(str(self.root / "store"))

    @property
    def folder(self) -> Path:
        return self.root / "project"

    def reader(self, cache: str = "cache", **context: Any) -> Reader:
        """One that does not wait between attempts; another `cache` is another machine."""
        reader = Reader("iris", self.folder, self.store, self.root / cache, secrets=self.secrets.__getitem__)
        reader.context = replace(reader.context, **({"pause": self.pauses.append} | context))
        return reader

    def file(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def restored(self, version: Version) -> Path:
        """The bytes of a version, as another machine with the same store gets them."""
        found = self.reader(cache="elsewhere").restore(version.evidence())
        assert found.digest == version.digest
        return found.path


def tree(path: Path) -> dict[str, bytes]:
    """Files below a folder by name."""
    return {each.relative_to(path).as_posix(): each.read_bytes() for each in path.rglob("*") if each.is_file()}


class Web:
    """A web server: content by path, and answers that are given first."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}
        self.etags = True
        self.token: str | None = None
        self.first: list[int | str] = []
        """Status codes, or `cut` for a body that breaks off in the middle, one for each request."""
        self.requests: list[dict[str, str]] = []
        self.url = ""

    def etag(self, path: str) -> str:
        return f'"{hash(self.content[path])}"'

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.requests.append(dict(handler.headers))
        todo = self.first.pop(0) if self.first else 200
        if self.token and handler.headers.get("Authorization") != f"Bearer {self.token}":
            todo = 401
        if handler.path not in self.content:
            todo = 404
        if isinstance(todo, int) and todo != 200:
            self._status(handler, todo)
            return
        body, tag = self.content[handler.path], self.etag(handler.path)
        if self.etags and handler.headers.get("If-None-Match") == tag:
            self._status(handler, 304)
            return
        start = 0
        if self.etags and (wanted := handler.headers.get("Range")) and handler.headers.get("If-Range") == tag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        handler.send_response(206 if start else 200)
        if self.etags:
            handler.send_header("ETag", tag)
        handler.send_header("Content-Length", str(len(body) - start))
        handler.end_headers()
        handler.wfile.write(body[start : len(body) // 2] if todo == "cut" else body[start:])
        handler.close_connection = True

    def _status(self, handler: BaseHTTPRequestHandler, status: int) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", "0")
        handler.end_headers()


@contextmanager
def serving() -> Iterator[Web]:
    """A server on a free port of this machine."""
    web = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            web.answer(self)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
