"""Where a simulator keeps everything: one folder, and a link to it when its path is too long for a socket."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from simulator.errors import SimulatorError

LONGEST_PATH = 80
"""A unix socket's path fits 107 bytes on Linux and 103 on macOS."""
_PLAIN = re.compile(r"[A-Za-z0-9._/+@-]+")


@dataclass(frozen=True)
class Home:
    """The files of one simulator. Everything else about it (name, context) follows from the folder's path."""

    root: Path

    @classmethod
    def at(cls, root: Path | str) -> Home:
        """The home in this folder, by its absolute path, so that it has one name from wherever it is called."""
        return cls(Path(root).expanduser().resolve())

    @property
    def name(self) -> str:
        """The cluster's name, different for each folder."""
        return f"aiga-{hashlib.sha256(str(self.root).encode()).hexdigest()[:8]}"

    @property
    def context(self) -> str:
        """The context in the kubeconfig."""
        return f"kwok-{self.name}"

    @property
    def plain(self) -> Path:
        """The folder under a path that every component takes: short, and without what kwokctl takes for shell words."""
        plain = _PLAIN.fullmatch(str(self.root)) and len(str(self.root)) <= LONGEST_PATH
        return self.root if plain else self._link

    @property
    def _link(self) -> Path:
        return Path("/tmp") / f"{self.name}-{os.getuid()}" / "home"

    @property
    def kwok(self) -> Path:
        """What kwokctl keeps (KWOK_WORKDIR)."""
        return self.plain / "kwok"

    @property
    def cluster(self) -> Path:
        """The cluster's folder inside it: etcd's data, certificates, logs, process ids, links to the binaries."""
        return self.kwok / "clusters" / self.name

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig, certificates included; written when the API server answers."""
        return self.root / "kubeconfig"

    @property
    def kwokctl_config(self) -> Path:
        """What kwokctl is told: ports, binaries, extra arguments."""
        return self.plain / "kwokctl.yaml"

    @property
    def egress_config(self) -> Path:
        """What the API server is told about the way to webhooks."""
        return self.plain / "egress.yaml"

    @property
    def ports(self) -> Path:
        """The ports in use, kept so that the address stays the same over a restart."""
        return self.root / "ports.json"

    @property
    def complete(self) -> Path:
        """Written once the first start is over: from then on there is something worth resuming."""
        return self.root / "complete"

    @property
    def authority(self) -> Path:
        """Key and certificate of the authority that signs the webhooks' certificates."""
        return self.root / "webhook-authority.pem"

    @property
    def pretended(self) -> Path:
        """What was pretended so far, counted."""
        return self.root / "pretended.json"

    @property
    def pretend_pid(self) -> Path:
        """Process id of the pretending process that is in charge."""
        return self.root / "pretend.pid"

    @property
    def pretend_log(self) -> Path:
        """Its log."""
        return self.root / "pretend.log"

    @property
    def webhooks_off(self) -> Path:
        """While this file exists no webhook answers."""
        return self.root / "webhooks-off"

    @property
    def socket(self) -> Path:
        """Where the API server's calls to webhooks arrive."""
        return self.plain / "egress.sock"

    def prepare(self) -> None:
        """Make the folders, readable by their owner alone: they hold private keys."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            if self.plain != self.root:
                self._make_link()
            self.kwok.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise SimulatorError(f"simulator: cannot make {error.filename}: {error.strerror}") from None

    def _make_link(self) -> None:
        folder = self._link.parent
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_uid != os.getuid() or folder.is_symlink():
            raise SimulatorError(f"simulator: {folder} belongs to someone else; choose a shorter path for the home")
        self._link.unlink(missing_ok=True)
        self._link.symlink_to(self.root)

    def forget_cluster(self) -> None:
        """Drop the cluster and all that is in it."""
        shutil.rmtree(self.root / "kwok", ignore_errors=True)
        for path in (self.complete, self.kubeconfig, self.pretended, self.authority, self.webhooks_off):
            path.unlink(missing_ok=True)
            path.with_suffix(".partial").unlink(missing_ok=True)

    def remove(self) -> None:
        """Drop every file of the simulator, and the folder when nothing else lies in it. The lock goes last."""
        self.forget_cluster()
        for path in (self.kwokctl_config, self.egress_config, self.socket):
            (self.root / path.name).unlink(missing_ok=True)
        for path in (self.ports, self.pretend_pid, self.pretend_log):
            path.unlink(missing_ok=True)
        if self.plain != self.root:
            self._link.unlink(missing_ok=True)
            shutil.rmtree(self._link.parent, ignore_errors=True)
        self._lock.unlink(missing_ok=True)
        try:
            self.root.rmdir()
        except OSError:
            return  # the user keeps something there

    @property
    def _lock(self) -> Path:
        return self.root / "lock"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One command at a time on one home. A killed process leaves no lock behind."""
        descriptor = self._acquire()
        try:
            yield
        finally:
            os.close(descriptor)

    def _acquire(self) -> int:
        while True:
            try:
                self.root.mkdir(parents=True, exist_ok=True)
                descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
            except OSError as error:
                raise SimulatorError(f"simulator: cannot write {error.filename}: {error.strerror}") from None
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            try:
                if os.fstat(descriptor).st_ino == self._lock.stat().st_ino:
                    return descriptor
            except FileNotFoundError:
                pass  # the one before us was `down` and took the file with it
            os.close(descriptor)
