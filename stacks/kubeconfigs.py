"""Kubeconfigs: finding the one that holds a context, and writing one that holds nothing else."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from stacks import files
from stacks.errors import UserError
from stacks.values import is_kubeconfig_text
from stacks.workdir import WorkDir

_FILES = {
    "cluster": ("certificate-authority",),
    "user": ("client-certificate", "client-key", "tokenFile"),
}
"""Keys that name a file, relative to the kubeconfig they stand in."""
AMBIENT = "AIGA_AMBIENT_KUBECONFIG"
"""Keeps what $KUBECONFIG was before `make env`."""


def locate(work: WorkDir, kubeconfig: str | None, context: str | None) -> tuple[Path, str]:
    """Return the kubeconfig that holds the context, and the context: its current one when none is asked for.

    Raises:
        UserError: there is no such file, or no such context in it.
    """
    candidates = _candidates(work, kubeconfig)
    present = [path for path in candidates if path.is_file()]
    if not present:
        shown = ", ".join(map(str, candidates))
        raise UserError(f"kubeconfig {shown}: no such file (set aiga:kubeconfig, KUBECONFIG, or use STACK=sim)")
    seen: list[str] = []
    for path in present:
        loaded = _read(path)
        names = [str(entry.get("name")) for entry in _entries(loaded, "contexts")]
        wanted = context or loaded.get("current-context")
        if wanted in names:
            return path, str(wanted)
        seen += names
    if context is None:
        raise UserError(f"kubeconfig {present[0]}: has no current context (set aiga:context or KUBE_CONTEXT)")
    raise UserError(
        f"context {context}: not in {', '.join(map(str, present))}, which knows {', '.join(seen) or 'none'} "
        "(correct aiga:context or KUBE_CONTEXT)"
    )


def write_current(source: Path, context: str, place: Path) -> None:
    """Write a kubeconfig with this context alone, as its current one: what reads it can reach no other cluster.

    Raises:
        UserError: the source is gone, or does not hold the context any more.
    """
    if not source.is_file():
        raise UserError(f"kubeconfig {source}: no such file, so cluster {context} cannot be reached (`make up` first)")
    loaded = _read(source)
    chosen = _named(loaded, "contexts", context)
    if chosen is None:
        raise UserError(f"context {context}: no longer in {source} (`make up` finds the cluster anew)")
    refers = chosen.get("context") or {}
    parts = {part: _named(loaded, f"{part}s", refers.get(part)) for part in _FILES}
    alone = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "contexts": [chosen],
        **{f"{part}s": [_absolute(found, part, source.parent)] for part, found in parts.items() if found},
    }
    files.replace(place, yaml.safe_dump(alone, sort_keys=False), mode=0o600)


def ambient(work: WorkDir) -> list[Path]:
    """Return the kubeconfigs of this shell; what `make env` exported is of one stack, and so not meant for others."""
    own = work.folder.parent.resolve()
    for name in ("KUBECONFIG", AMBIENT):
        parts = [Path(part).expanduser().resolve() for part in os.environ.get(name, "").split(os.pathsep) if part]
        others = [part for part in parts if own not in part.parents]
        if others:
            return others
    return [Path("~/.kube/config").expanduser().resolve()]


def _candidates(work: WorkDir, kubeconfig: str | None) -> list[Path]:
    if kubeconfig and is_kubeconfig_text(kubeconfig):
        place = work.folder / "kubeconfig.given"
        work.folder.mkdir(parents=True, exist_ok=True)
        files.replace(place, kubeconfig, mode=0o600)
        return [place]
    if kubeconfig:
        return [(work.project / Path(kubeconfig).expanduser()).resolve()]
    return ambient(work)


def _read(path: Path) -> dict[str, Any]:
    try:
        loaded = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise UserError(f"kubeconfig {path}: is not YAML: {' '.join(str(error).split())}") from None
    return loaded if isinstance(loaded, dict) else {}


def _entries(loaded: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    return [entry for entry in loaded.get(key) or [] if isinstance(entry, dict)]


def _named(loaded: Mapping[str, Any], key: str, name: object) -> dict[str, Any] | None:
    return next((entry for entry in _entries(loaded, key) if entry.get("name") == name), None)


def _absolute(entry: Mapping[str, Any], part: str, folder: Path) -> dict[str, Any]:
    """Return a cluster or a user whose files are found from another folder too."""
    moved = copy.deepcopy(dict(entry))
    held = moved.get(part) or {}
    for key in _FILES[part]:
        if held.get(key):
            held[key] = str(folder / held[key])
    command = (held.get("exec") or {}).get("command", "")
    if os.sep in command:
        held["exec"]["command"] = str(folder / command)
    return moved
