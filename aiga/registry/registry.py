"""The models of one project in a store: `<project>/models/<version>/` with the model and `model.yaml`, and the stages.

A version's number is taken by creating `claim.json`; it counts as a version when `model.yaml`, written last, is there.
"""

from __future__ import annotations

import json
import logging
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from aiga.errors import TransientError, UserError
from aiga.names import LATEST, MODEL_FILE, MODEL_OUTPUT
from aiga.registry import evidence as evidences
from aiga.registry import stages as staging
from aiga.registry.address import parse, which
from aiga.registry.evidence import Evidence, SignedEvidence
from aiga.registry.formats import detect
from aiga.registry.signing import SigningKey, TrustedKeys, Untrusted, verify
from aiga.registry.stages import STAGES, Change, Stage, Stages
from aiga.store import Corrupt, Missing, Progress, Store
from aiga.store.digest import path_digest

CLAIM = "claim.json"
STAGES_FILE = "stages.yaml"
ATTEMPTS = 20
"""Of a change of one stage while others are changed."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Registered:
    """A version of a project's model, as its evidence says: not yet verified."""

    project: str
    version: int
    evidence: SignedEvidence


@dataclass(frozen=True)
class Resolved(Registered):
    """What a model's address means."""

    registry: Registry


class Registry:
    """The models of a project. All methods raise UserError and TransientError as the store does."""

    def __init__(self, store: Store, project: str, trusted: TrustedKeys | None = None) -> None:
        """`trusted` are the keys that may sign; this machine's for the project when left out."""
        self.store, self.project = store, project
        self._models = f"{project}/models"
        self._trusted = trusted

    def register(
        self, model: Path, evidence: Evidence, key: SigningKey, progress: Progress | None = None
    ) -> Registered:
        """Store a model's file or folder as the next version, with its evidence, signed.

        Raises:
            UserError: there is no such file, the evidence is another project's, or not of a kind to be stored.
        """
        if not model.exists():
            raise UserError(f"{model}: there is no such file or folder to register as a model of {self.project}")
        if evidence.project != self.project:
            raise UserError(f"{model}: its evidence is of project {evidence.project}, not of {self.project}")
        known = {"file": MODEL_OUTPUT + ("" if model.is_dir() else model.suffix), "format": detect(model)}
        evidences.complete(evidence, version=1, digest=f"sha256:{'0' * 64}", **known)  # before anything is stored
        version = self._claim(evidence.run)
        digest = self.store.upload(model, f"{self._at(version)}/{known['file']}", progress)
        signed = key.sign(evidences.complete(evidence, version=version, digest=digest, **known))
        self.store.write(f"{self._at(version)}/{MODEL_FILE}", signed.to_yaml())
        return Registered(self.project, version, signed)

    def approved(self, version: int, by: str, key: SigningKey) -> Registered:
        """Put into a version's evidence who approved it, and sign it again.

        Raises:
            Untrusted: the version's signature is wrong as it is.
        """
        found = self.verify(version)
        signed = key.sign(found.evidence.model_copy(update={"approver": by}))
        self.store.write(f"{self._at(version)}/{MODEL_FILE}", signed.to_yaml())
        return replace(found, evidence=signed)

    def versions(self) -> list[Registered]:
        """All versions, the oldest first. One whose evidence cannot be read is left out, with a warning."""
        found = []
        for number in self._numbers():
            try:
                if self.store.exists(f"{self._at(number)}/{MODEL_FILE}"):
                    found.append(self._read(number))
            except Corrupt as error:
                _log.warning("%s", error)
        return found

    def get(self, version: int | str) -> Registered:
        """The version with this number, on this stage, or `latest`; not yet verified.

        Raises:
            Missing: there is none.
        """
        at = which(version, f"{self.project}@{version}")
        if at == LATEST:
            for number in reversed(self._numbers()):
                if self.store.exists(f"{self._at(number)}/{MODEL_FILE}"):
                    return self._read(number)
            raise Missing(f"{self.project}: has no model yet in {self.store.address} (aiga run)")
        if at in STAGES:
            standing = self.stage(STAGES[STAGES.index(at)])
            if standing is None:
                raise Missing(f"{self.project}@{at}: no version stands there (aiga promote)")
            return self._read(standing)
        return self._read(int(at))

    def verify(self, version: int | str) -> Registered:
        """The version, its signature and what it says of itself verified; the model's bytes are not read.

        Raises:
            Missing: there is none.
            Untrusted: with the reason.
        """
        found = self.get(version)
        verify(found.evidence, self._trusted or TrustedKeys.load(self.project))
        said = (found.evidence.project, found.evidence.version)
        if said != (self.project, found.version):
            raise Untrusted(
                f"model {self.project}@{found.version}: its evidence is that of {said[0]}@{said[1]} (register it again)"
            )
        return found

    def fetch(self, version: int | str, folder: Path, progress: Progress | None = None) -> Path:
        """Bring a model to `folder`, with its `model.yaml`; the path of its file or folder, which is verified.

        Raises:
            Missing: there is none.
            Untrusted: its signature is wrong or of no trusted key; nothing is fetched.
            Corrupt: the model is not what was signed; it is not in `folder`.
        """
        found = self.verify(version)
        path = folder / Path(found.evidence.file).name
        if not path.exists() or path_digest(path) != found.evidence.digest:
            key = f"{self._at(found.version)}/{found.evidence.file}"
            self.store.download(key, path, found.evidence.digest, progress)
        (folder / MODEL_FILE).write_bytes(found.evidence.to_yaml())
        return path

    def stage(self, stage: Stage) -> int | None:
        """The version that stands on a stage."""
        return self._stages()[0].standing(stage)

    def history(self) -> tuple[Change, ...]:
        """All promotions and rollbacks, the newest last."""
        return self._stages()[0].history

    def promote(self, version: int | str, stage: Stage, by: str, why: str) -> Registered:
        """Put a version on a stage, once its signature is verified.

        Raises:
            Untrusted: the version's signature is wrong.
            TransientError: another change of this stage came first; look, and decide again.
        """
        found = self.verify(version)
        self._change(stage, lambda stages: stages.promoted(found.version, stage, by, why))
        return found

    def rollback(self, stage: Stage, by: str, why: str) -> int:
        """Put back what stood on a stage before; the version that stands there now.

        Raises:
            UserError: nothing stood there before.
            TransientError: another change of this stage came first; look, and decide again.
        """
        changed = self._change(stage, lambda stages: stages.rolled_back(stage, by, why))
        return changed.history[-1].version

    def _change(self, stage: Stage, change: Callable[[Stages], Stages]) -> Stages:
        """Change the stages as long as nobody else changes this one meanwhile."""
        key, seen = f"{self._models}/{STAGES_FILE}", None
        for _ in range(ATTEMPTS):
            stages, version = self._stages()
            mine = tuple(each for each in stages.history if each.stage == stage)
            if seen is not None and mine != seen:
                last = mine[-1]
                raise TransientError(
                    f"{self.project}@{stage}: {last.by} put version {last.version} there at the same time "
                    f"(nothing was changed: look whether that is right, then try again)"
                )
            changed = change(stages)
            if self.store.compare_and_set(key, changed.to_yaml(), version):
                return changed
            seen = mine
        raise TransientError(f"{self.project}@{stage}: the stages are changed again and again (try later)")

    def _stages(self) -> tuple[Stages, str | None]:
        """The stages, and a version of the file that is not newer than they are."""
        key = f"{self._models}/{STAGES_FILE}"
        version = self.store.version(key)
        if version is None:
            return Stages(), None
        return staging.from_yaml(self.store.read(key), f"{self.store.address}: {key}"), version

    def _claim(self, run: str) -> int:
        """The next free number, taken."""
        number = max(self._numbers(), default=0) + 1
        mine = {"run": run, "host": socket.gethostname(), "claim": secrets.token_hex(16)}
        while not self.store.create(f"{self._at(number)}/{CLAIM}", json.dumps(mine).encode()):
            number += 1
        return number

    def _numbers(self) -> list[int]:
        """Numbers that are taken, whether or not their version is complete."""
        return sorted(int(name) for name in self.store.children(self._models) if name.isascii() and name.isdigit())

    def _at(self, version: int) -> str:
        return f"{self._models}/{version}"

    def _read(self, version: int) -> Registered:
        key = f"{self._at(version)}/{MODEL_FILE}"
        try:
            data = self.store.read(key)
        except Missing:
            known = ", ".join(str(each.version) for each in self.versions()) or "none"
            raise Missing(f"{self.project}@{version}: there is no such version; there are {known}") from None
        return Registered(self.project, version, evidences.from_yaml(data, f"{self.store.address}: {key}"))


def resolve_model(address: str, store: Store, project: str | None = None) -> Resolved:
    """What a model's address means; `@production` alone, and its like, is of `project`.

    Raises:
        UserError: it is no address.
        Missing: there is no such model.
    """
    parsed = parse(f"{project}{address}" if project and address.startswith("@") else address)
    registry = Registry(store, parsed.project)
    found = registry.get(parsed.at)
    return Resolved(found.project, found.version, found.evidence, registry)
