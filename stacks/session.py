"""Everything a command needs before the engine starts: tools, cluster, plugins, stand-in charts, files, environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

import tools
from simulator import standins
from stacks import files, given, plugins, resume, settings, target
from stacks.engine import Engine
from stacks.errors import UserError
from stacks.mistakes import Mistake
from stacks.plugins import Plugins
from stacks.rules import SECRETS
from stacks.settings import PROJECT, Settings
from stacks.target import Target
from stacks.workdir import WorkDir, virtualenv

Say = Callable[[str], None]


@dataclass(frozen=True)
class Session:
    """A stack, its cluster and its engine, ready to run."""

    work: WorkDir
    settings: Settings
    target: Target
    plugins: Plugins
    engine: Engine


def checked(work: WorkDir, assignments: Sequence[str]) -> tuple[Settings, dict[str, Any]]:
    """Return the settings of the committed stack file and its configuration, before anything is touched.

    Raises:
        UserError: naming every mistake.
    """
    config = files.assign(work.config(), assignments)
    raw, hidden, foreign = files.raw_config({"config": given.marked(config, given.secrets())})
    mistakes = [Mistake(key, "", "is in no namespace that is read", f"write {PROJECT}:{key}") for key in foreign]
    # The runner fills in the simulator's context later; a placeholder stands for it until then.
    placed = raw if raw.get("context") or raw.get("provider") != "sim" else {**raw, "context": "simulator"}
    found = settings.parse(placed, work.stack, hidden)
    if isinstance(found, Settings) and not mistakes:
        return found, config
    lines = [f"{work.committed.name}: {mistake}" for mistake in mistakes]
    if not isinstance(found, Settings):
        lines += settings.report(work.stack, found).splitlines()
    raise UserError("\n".join(lines))


def prepare(
    work: WorkDir, decided: Settings, config: dict[str, Any], console: Console, say: Say, *, create: bool
) -> Session:
    """Get everything ready; nothing is changed on the cluster."""
    simulated = decided.cluster.simulated
    executables = installed(simulated, say)
    on_path(executables.values())
    found = target.reach(work, decided, say, create=create)
    served = plugins.provide(executables["pulumi"], work.folder.parent, say, simulated=simulated)
    say(f"engine: {served.served}")
    work.write({**config, **_resolved(decided, config, found, work, say)})
    if work.ensure_passphrase():
        say(
            f"passphrase: made in {work.passphrase}: it decrypts the secrets in the state; keep a copy, "
            "without it they are lost"
        )
    engine = Engine(work, executables["pulumi"], environment(work, executables["pulumi"], served), console)
    for path, value in given.secrets().items():
        engine.set_secret(f"{PROJECT}:{path}", value)
    return Session(work, decided, found, served, engine)


def offline(work: WorkDir, console: Console, say: Say) -> Engine:
    """Return the engine for what needs no cluster: outputs, secrets, dropping the state."""
    try:
        pulumi = tools.ensure(["pulumi"], say)["pulumi"]
    except tools.ToolError as error:
        raise UserError(str(error)) from None
    if not work.generated.exists():
        work.write({})
    work.ensure_passphrase()
    return Engine(work, pulumi, environment(work, pulumi, Plugins("none", official=True)), console)


def set_secret(work: WorkDir, path: str, value: str, say: Say) -> None:
    """Encrypt one value into the generated copy, where it stays.

    Raises:
        UserError: there is no such secret, or the value is wrong.
    """
    if path not in SECRETS:
        raise UserError(f"{path}: must be one of {', '.join(SECRETS)} (only these are secrets)")
    wrong = settings.wrong_by_itself(path, value)
    if wrong or not value:
        raise UserError("\n".join(map(str, wrong)) or f"{path}: must not be empty (nothing was typed or piped in)")
    offline(work, Console(stderr=True), say).set_secret(f"{PROJECT}:{path}", value)


def environment(work: WorkDir, pulumi: Path, served: Plugins) -> dict[str, str]:
    """Return what the engine, its plugins and a command typed by hand need."""
    path = [*map(str, served.path), str(tools.dynamic_plugin(pulumi).parent), str(pulumi.parent)]
    variables = {
        "PATH": os.pathsep.join(dict.fromkeys([*path, *os.environ.get("PATH", "").split(os.pathsep)])),
        "PULUMI_BACKEND_URL": work.backend,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_RUNTIME_VIRTUALENV": str(virtualenv()),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(work.project), os.environ.get("PYTHONPATH")])),
        "AIGA_PYTHON": sys.executable,
        "GOGC": os.environ.get("GOGC", "400"),
        resume.MARK: str(work.folder),
    }
    if not served.official:
        variables["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "true"
    if work.passphrase.exists() and not {"PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"} & set(os.environ):
        variables["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(work.passphrase)
    return variables


def installed(simulated: bool, say: Say) -> dict[str, Path]:
    """Return the tools that this kind of cluster needs, what is missing installed."""
    try:
        return tools.ensure(tools.needed_by("sim" if simulated else "up"), say)
    except tools.ToolError as error:
        raise UserError(str(error)) from None


def on_path(executables: Iterable[Path]) -> None:
    """Put the tools before PATH: the program finds helm there."""
    folders = [str(path.parent) for path in executables]
    os.environ["PATH"] = os.pathsep.join(dict.fromkeys([*folders, *os.environ.get("PATH", "").split(os.pathsep)]))


def _resolved(
    decided: Settings, config: dict[str, Any], found: Target, work: WorkDir, say: Say
) -> dict[str, str | None]:
    """Return the keys that only this machine knows."""
    keys: dict[str, str | None] = {"kubeconfig": str(found.kubeconfig), "context": found.context}
    if not config.get(f"{PROJECT}:kubernetesVersion"):
        keys["kubernetesVersion"] = found.kubernetes_version
    elif decided.kubernetes_version != found.kubernetes_version:
        say(f"charts are rendered for Kubernetes {decided.kubernetes_version}, as aiga:kubernetesVersion says")
    if decided.cluster.simulated and decided.upstream in ("auto", "standins"):
        keys["standins"] = str(_standins(work))
    return {f"{PROJECT}:{key}": value for key, value in keys.items()}


def _standins(work: WorkDir) -> Path:
    try:
        return standins.build(work.folder.parent / "standins", standins.true_definitions())
    except standins.StandinError as error:
        raise UserError(str(error)) from None
