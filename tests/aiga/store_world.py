"""Stores to test with: a folder, and a bucket of a real S3 server of this machine that can be killed."""

from __future__ import annotations

import atexit
import functools
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import boto3
import pytest

import tools
from aiga.store import Store, open_store

ACCESS, SECRET = "store-tests", "store-tests-secret"
KINDS = ["directory", "s3"]


class Server:
    """versitygw over a folder, on a port of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.data.mkdir()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        binary = tools.ensure(["versitygw"])["versitygw"]
        command = [str(binary), "--access", ACCESS, "--secret", SECRET, "--port", f"127.0.0.1:{self.port}", "--quiet"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "posix", *self._metadata(), str(self.data)], stdout=log, stderr=log
            )
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError(f"versitygw does not listen: {(self.folder / 'log').read_text()}")

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def bucket(self) -> str:
        """Name of a new bucket."""
        name = f"aiga-{secrets.token_hex(6)}"
        self.client().create_bucket(Bucket=name)
        return name

    def client(self):
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=ACCESS,
            aws_secret_access_key=SECRET,
        )

    def _metadata(self) -> list[str]:
        try:
            os.setxattr(self.data, "user.aiga", b"")
        except OSError:
            beside = self.folder / "metadata"
            beside.mkdir(exist_ok=True)
            return ["--sidecar", str(beside)]
        return []


def new_server() -> Server:
    return Server(Path(tempfile.mkdtemp(prefix="aiga-s3-")))


@functools.cache
def server() -> Server:
    """The server that tests share, which do not kill it."""
    made = new_server()
    atexit.register(made.remove)
    return made


def sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials of the test servers, and none of this machine's configuration."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


def address(kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Address of a new, empty store."""
    if kind == "directory":
        return str(folder / "store")
    sign_in(monkeypatch)
    return f"s3://{server().bucket()}/some/prefix?endpoint={server().endpoint}"


def damage(store: Store, key: str) -> None:
    """Change one byte of an object behind the store's back, where it lies on the disk."""
    path = disk(store) / key
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    with path.open("r+b") as file:  # in place: what the server keeps beside the bytes stays
        file.write(data)


def disk(store: Store) -> Path:
    """The folder whose files are the store's objects: a store's own, or what the server makes of a bucket."""
    if not store.address.startswith("s3://"):
        return Path(store.address)
    return server().data / store.address.removeprefix("s3://").partition("?")[0]


def reopened(store: Store) -> Store:
    return open_store(store.address)
