"""What pulumi, kubectl and helm typed by hand need, so that they act on the stack's cluster and on no other."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

from stacks import files, kubeconfigs, plugins, session, target
from stacks.errors import UserError
from stacks.remedies import make
from stacks.settings import PROJECT
from stacks.workdir import WorkDir, virtualenv

Say = Callable[[str], None]


def exports(work: WorkDir, say: Say) -> Iterator[str]:
    """Yield the lines that a shell evaluates.

    Raises:
        UserError: the stack has not run here yet.
    """
    if not work.generated.exists():
        first = f"{make('up', work.stack)} or {make('preview', work.stack)}"
        raise UserError(f"stack {work.stack}: has not run here yet ({first} first)")
    decided, _ = session.checked(work, [])
    simulated = decided.cluster.simulated
    executables = session.installed(simulated, say)
    served = plugins.provide(executables["pulumi"], work.folder.parent, say, simulated=simulated)
    session.on_path(executables.values())
    variables = session.environment(work, executables["pulumi"], served)
    variables["PATH"] = os.pathsep.join([variables["PATH"], str(virtualenv() / "bin")])
    variables["PULUMI_STACK"] = work.stack
    variables.update(_cluster(work, say))
    for name, value in variables.items():
        yield f"export {name}={shlex.quote(value)}"
    yield f"# then: cd {shlex.quote(str(work.folder))} && pulumi preview"


def _cluster(work: WorkDir, say: Say) -> dict[str, str]:
    """A kubeconfig of the stack's cluster alone; where there is none, one that reaches nothing."""
    place = work.folder / "kubeconfig"
    try:
        source, context = target.recorded(work) or _configured(work)
        kubeconfigs.write_current(source, context, place)
    except UserError as error:
        say(f"{error}; kubectl reaches nothing until then")
        place.unlink(missing_ok=True)
    ambient = {kubeconfigs.AMBIENT: os.pathsep.join(map(str, kubeconfigs.ambient(work)))}
    return {"KUBECONFIG": str(place), **ambient}


def _configured(work: WorkDir) -> tuple[Path, str]:
    """What the last command resolved, which is what pulumi typed by hand acts on."""
    config = files.read(work.generated).get("config") or {}
    source, context = config.get(f"{PROJECT}:kubeconfig"), config.get(f"{PROJECT}:context")
    if not source or not context:
        raise UserError(f"stack {work.stack}: no cluster is known of it ({make('up', work.stack)} first)")
    return Path(source), str(context)
