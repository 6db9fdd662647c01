"""The folder a stack runs in, `.aiga/<stack>/`: generated copies of both YAML files, state, passphrase, records.

Run in the project itself, Pulumi would rewrite the committed stack file.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stacks import files
from stacks.errors import UserError
from stacks.settings import PROJECT

ROOT = Path(__file__).resolve().parents[1]
_ENCRYPTION = ("encryptionsalt", "encryptedkey", "secretsprovider")
_PROGRAM = '''"""Runs the project's program; generated."""

import runpy

runpy.run_path({path!r}, run_name="__main__")
'''


def aiga_home() -> Path:
    """Return the ignored folder of everything generated; $AIGA_HOME moves it, as it does for `components`."""
    return Path(os.environ.get("AIGA_HOME") or ROOT).resolve() / ".aiga"


def known_stacks(project: Path = ROOT) -> list[str]:
    """Return the stacks that have a committed file."""
    return sorted(file.name.split(".")[1] for file in project.glob("Pulumi.*.yaml"))


@dataclass(frozen=True)
class WorkDir:
    """One stack's folder, and the project it runs."""

    stack: str
    project: Path = ROOT
    home: Path | None = None
    """Folder of all stacks; None is `aiga_home()`."""

    def __post_init__(self) -> None:
        if self.stack not in known_stacks(self.project):
            known = ", ".join(known_stacks(self.project)) or "none"
            raise UserError(
                f"Pulumi.{self.stack}.yaml: no such file, so there is no stack {self.stack} "
                f"(known: {known}; a new stack begins with that file)"
            )

    @property
    def folder(self) -> Path:
        """Where it runs."""
        return (self.home or aiga_home()) / self.stack

    @property
    def committed(self) -> Path:
        """The stack file people edit; never written here."""
        return self.project / f"Pulumi.{self.stack}.yaml"

    @property
    def generated(self) -> Path:
        """The copy Pulumi reads, with the resolved cluster in it."""
        return self.folder / f"Pulumi.{self.stack}.yaml"

    @property
    def program(self) -> Path:
        """The program to run."""
        return self.project / "__main__.py"

    @property
    def passphrase(self) -> Path:
        """What the secrets of a local state are encrypted with."""
        return self.folder / "passphrase"

    @property
    def record(self) -> Path:
        """Which cluster the state describes."""
        return self.folder / "target.json"

    @property
    def interrupted(self) -> Path:
        """Exists while a command changes things: found at the start, it tells that the last one was killed."""
        return self.folder / "interrupted"

    @property
    def backend(self) -> str:
        """URL of the state: $PULUMI_BACKEND_URL, else a folder here.

        Without `metadata=skip` a small file goes with each one, not written in one piece: after a kill in that moment
        the engine finds it empty and cannot load the state.
        """
        return os.environ.get("PULUMI_BACKEND_URL") or f"file://{self.folder / 'state'}?metadata=skip"

    @property
    def file_backend(self) -> Path | None:
        """The backend's `.pulumi` folder when it is one on this machine."""
        if not self.backend.startswith("file://"):
            return None
        return Path(self.backend.removeprefix("file://").split("?")[0]).expanduser() / ".pulumi"

    @property
    def state_file(self) -> Path | None:
        """The state itself, where the backend is a folder and the file is not compressed."""
        if self.file_backend is None:
            return None
        file = self.file_backend / "stacks" / PROJECT / f"{self.stack}.json"
        return None if any(file.with_name(f"{file.name}.{ending}").exists() for ending in ("gz", "zst")) else file

    def state(self) -> dict[str, Any]:
        """Return the latest checkpoint of a file backend; empty when there is none."""
        try:
            text = self.state_file.read_text() if self.state_file else "{}"
        except FileNotFoundError:
            return {}
        latest: dict[str, Any] = json.loads(text or "{}").get("checkpoint", {}).get("latest") or {}
        return latest

    def stack_file(self) -> dict[str, Any]:
        """Return the committed stack file."""
        return files.read(self.committed)

    def config(self) -> dict[str, Any]:
        """Return the committed configuration, with the secrets that were set in the generated copy."""
        config = dict(self.stack_file().get("config") or {})
        for key, value in (files.read(self.generated).get("config") or {}).items():
            config[key] = files.with_secrets(config.get(key), value)
        return {key: value for key, value in config.items() if value is not None}

    def write(self, overrides: Mapping[str, Any]) -> None:
        """Write the generated copies; `overrides` are keys such as `aiga:context` and win over the committed ones."""
        self.folder.mkdir(parents=True, exist_ok=True)
        files.replace(self.folder / "Pulumi.yaml", yaml.safe_dump(self._project_copy(), sort_keys=False))
        files.replace(self.folder / "__main__.py", _PROGRAM.format(path=str(self.program)))
        files.replace(self.generated, yaml.safe_dump(self._stack_copy(overrides), sort_keys=False))

    def _project_copy(self) -> dict[str, Any]:
        copy = files.read(self.project / "Pulumi.yaml")
        copy["runtime"] = {"name": "python", "options": {"virtualenv": str(virtualenv())}}
        copy.pop("main", None)
        return copy

    def _stack_copy(self, overrides: Mapping[str, Any]) -> dict[str, Any]:
        """What Pulumi added to the last copy stays: its encryption, and secrets that were set in it."""
        copy, last = self.stack_file(), files.read(self.generated)
        for key in _ENCRYPTION:
            if key in last:
                copy.setdefault(key, last[key])
        merged = {**self.config(), **overrides}
        copy["config"] = {key: value for key, value in merged.items() if value is not None}
        return copy

    def ensure_passphrase(self) -> bool:
        """Make the passphrase unless the environment or the stack file names a way; tell whether it was made now."""
        own_way = {"PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"} & set(os.environ)
        if own_way or self.secrets_provider != "passphrase" or self.passphrase.exists():
            return False
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.passphrase, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32))
        return True

    @property
    def secrets_provider(self) -> str:
        """How secrets are encrypted: passphrase, or the cloud key that the stack file names."""
        return str(self.stack_file().get("secretsprovider") or "passphrase")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One command at a time on one stack; the lock of a killed process is gone with it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / "run.lock", "a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                holder = file.read().strip() or "unknown"
                raise UserError(f"stack {self.stack}: process {holder} is at work on it (wait until it ends)") from None
            file.seek(0)
            file.truncate()
            file.write(str(os.getpid()))
            file.flush()
            yield


def virtualenv() -> Path:
    """Return the environment this interpreter belongs to."""
    return Path(sys.prefix)
