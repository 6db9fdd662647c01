"""The provider plugins of the engine: the official ones, or the simulator's stand-ins where those cannot be had."""

from __future__ import annotations

import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from simulator import provider as standin
from stacks.errors import UserError

NAMES = standin.PACKAGES
_SERVER = "https://get.pulumi.com/"
_ANSWERS_WITHIN = 5.0
_INSTALLED_WITHIN = 300.0
_REMEMBERED = 24 * 3600.0


@dataclass(frozen=True)
class Plugins:
    """What serves the providers in this run."""

    served: str
    """For the screen: official or stand-in, and which versions."""
    official: bool
    path: tuple[Path, ...] = ()
    """Folders to put before the engine's PATH."""


def provide(pulumi: Path, home: Path, say: Callable[[str], None], *, simulated: bool) -> Plugins:
    """Return the plugins for this run, installed where that is possible.

    $AIGA_PLUGINS forces `official` or `standin`.

    Raises:
        UserError: the official ones are not to be had, and the cluster is a real one.
    """
    forced = os.environ.get("AIGA_PLUGINS", "")
    if forced not in ("", "official", "standin"):
        raise UserError(f"AIGA_PLUGINS={forced}: must be one of official, standin (or unset)")
    if forced == "standin":
        if not simulated:
            raise UserError("AIGA_PLUGINS=standin: stand-in plugins serve the simulator alone (unset it, or STACK=sim)")
        return _standins()
    reason = None
    if not standin.official_installed(Path(os.environ.get("PULUMI_HOME") or "~/.pulumi").expanduser()):
        reason = _install(pulumi, home, say, again=forced == "official")
    if reason is None:
        return Plugins(f"official plugins {_versions()}", official=True)
    if forced == "official" or not simulated:
        commands = " and ".join(f"pulumi plugin install resource {name} {standin.version(name)}" for name in NAMES)
        why = "AIGA_PLUGINS=official" if forced else "their stand-ins serve the simulator alone"
        raise UserError(
            f"Pulumi's plugins {_versions()} are not installed and could not be: {reason}; {why} "
            f"(on a machine with network: {commands})"
        )
    return _standins()


def _standins() -> Plugins:
    return Plugins(f"stand-ins for the plugins {_versions()}", official=False, path=(standin.bin_dir(),))


def _versions() -> str:
    return ", ".join(f"{name} {standin.version(name)}" for name in NAMES)


def _install(pulumi: Path, home: Path, say: Callable[[str], None], *, again: bool) -> str | None:
    """Return why they could not be installed, None when they are. A failure is remembered for a day."""
    memory = home / "plugins-not-reachable"
    if not again and memory.is_file() and time.time() - memory.stat().st_mtime < _REMEMBERED:
        return memory.read_text()
    reason = _unreachable()
    for name in NAMES:
        reason = reason or _installing(pulumi, name, say)
    if reason is not None:
        home.mkdir(parents=True, exist_ok=True)
        memory.write_text(reason)
        return reason
    memory.unlink(missing_ok=True)
    return None


def _unreachable() -> str | None:
    """Return why Pulumi's server does not answer: the CLI itself would try for much longer."""
    request = urllib.request.Request(_SERVER, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=_ANSWERS_WITHIN):
            return None
    except urllib.error.HTTPError:
        return None
    except (urllib.error.URLError, OSError) as error:
        return f"{_SERVER} does not answer: {getattr(error, 'reason', error)}"


def _installing(pulumi: Path, name: str, say: Callable[[str], None]) -> str | None:
    say(f"plugin {name} {standin.version(name)}: installing")
    command = [str(pulumi), "plugin", "install", "resource", name, standin.version(name)]
    environment = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        done = subprocess.run(
            command, capture_output=True, check=False, text=True, timeout=_INSTALLED_WITHIN, env=environment
        )
    except subprocess.TimeoutExpired:
        return f"plugin {name} {standin.version(name)} did not arrive within {_INSTALLED_WITHIN:.0f} s"
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return None if done.returncode == 0 else " ".join((lines or ["no reason given"])[-1].split())
