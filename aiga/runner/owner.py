"""Whose a name in a store is: two projects of one name would share runs, models and stages."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from aiga.errors import UserError
from aiga.names import PROJECT_FILE
from aiga.runner import documents, layout
from aiga.runner.place import Place
from aiga.store import Missing

_REMOTE = re.compile(r"^(?:[a-z+]+://)?(?:[^@/]*@)?(?P<host>[^:/]+)(?::\d+(?=/))?[:/]+(?P<path>.+?)/?(?:\.git)?/?$")
_LOCAL = ("/", "./", "../", "~", "file:")


@dataclass(frozen=True)
class Owner:
    """Where a project is run from."""

    host: str
    folder: str
    repository: str = ""
    """Host and path of Git's `origin`, without any credentials; the first commit where there is no such remote."""
    path: str = ""
    """Of the folder within the repository."""

    @classmethod
    def of(cls, folder: Path) -> Owner:
        folder = folder.resolve()
        path = _git(folder, "rev-parse", "--show-prefix")
        if path is None:
            return cls(socket.gethostname(), str(folder))
        remote = _git(folder, "config", "--get", "remote.origin.url") or ""
        found = None if remote.startswith(_LOCAL) else _REMOTE.match(remote)
        first = _git(folder, "rev-list", "--max-parents=0", "HEAD") or "" if found is None else ""
        repository = f"{found['host']}/{found['path']}" if found else first.partition("\n")[0]
        return cls(socket.gethostname(), str(folder), repository, path)

    def same(self, other: Owner) -> bool:
        """Whether it is the same project: the same folder, or the same place in a clone of the same repository."""
        here = (self.host, self.folder) == (other.host, other.folder)
        clone = bool(self.repository) and (self.repository, self.path) == (other.repository, other.path)
        return here or clone

    def stands(self, project: str) -> bool:
        """Whether a project of this name still is in its folder, as far as that can be seen from here."""
        if self.host != socket.gethostname():
            return False
        try:
            told = yaml.safe_load(Path(self.folder, PROJECT_FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError):
            return False
        return isinstance(told, dict) and told.get("name") == project

    def __str__(self) -> str:
        return f"{self.folder} on {self.host}"


def claim(place: Place, folder: Path, say: Callable[[str], None]) -> None:
    """Takes the project's name in its store for the project in `folder`; told where it came from elsewhere.

    Raises:
        UserError: another project has the name.
    """
    key, mine = layout.owner(place.project), Owner.of(folder)
    content = documents.dump(asdict(mine))
    if place.store.create(key, content):
        return
    try:
        owner = Owner(**documents.load(place.store.read(key)))
    except (Missing, TypeError):
        owner = mine
    if owner.same(mine):
        return
    if owner.stands(place.project):
        raise UserError(
            f"{mine.folder}: name: {place.project}: is the name of the project in {owner.folder} too, and both have "
            f"the store {place.store.address}: they would share runs, models and stages (rename one, or give it "
            "another --store)"
        )
    say(
        f"note: {place.project} was run from {owner} before, and is run from {mine} now (another project, another name)"
    )
    place.store.write(key, content)


def _git(folder: Path, *words: str) -> str | None:
    try:
        asked = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return asked.stdout.strip() if asked.returncode == 0 else None
