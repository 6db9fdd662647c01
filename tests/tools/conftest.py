"""Fixtures: an own cache, PATH and web server for every test."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tools_world import Publisher, World

from tools import network


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    world = Publisher()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            world.asked.append(self.path)
            content = world.files.get(self.path)
            if content is None:
                self.send_error(404, "Not Found")
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            half = len(content) // 2 if world.cut_after is None else world.cut_after
            self.wfile.write(content[:half])
            self.wfile.flush()
            if world.hold:
                world.hold.wait(30)
            if world.cut_after is None:
                self.wfile.write(content[half:])

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    world.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield world
    if world.hold:
        world.hold.set()
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def own_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No tool, cache or proxy of this machine, and no memory of hosts from another test."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "AIGA_TOOLS_DOWNLOAD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AIGA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    network.forget()


@pytest.fixture
def world(tmp_path: Path) -> World:
    folder = tmp_path / "list"
    folder.mkdir()
    return World(folder, tmp_path / "cache")


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., Path]:
    """Put an executable script into a folder of its own."""

    def make(folder: str, content: bytes | str, name: str = "demo") -> Path:
        file = tmp_path / folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        file.chmod(0o755)
        return file

    return make
