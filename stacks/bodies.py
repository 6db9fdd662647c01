"""The bodies in `.aiga/objects`: those that no state refers to any more go with the stack that left them."""

from __future__ import annotations

import re
from contextlib import ExitStack

from stacks.errors import UserError
from stacks.workdir import WorkDir, aiga_home

_DIGEST = re.compile(r"sha256:([0-9a-f]{32})")


def prune(work: WorkDir) -> int:
    """Delete the bodies that no stack of this folder refers to, and return how many; called while `work` is alone.

    None goes while another stack is at work, whose bodies are in no state yet, or when a state cannot be read here.
    """
    home = work.folder.parent
    folder = home / "objects"
    if home.resolve() != aiga_home() or not folder.is_dir():
        return 0  # `components` keeps its bodies elsewhere
    used: set[str] = set()
    with ExitStack() as others:
        for place in sorted(home.glob("*/run.lock")):
            try:
                stack = WorkDir(place.parent.name, work.project, work.home)
                if stack.stack != work.stack:
                    others.enter_context(stack.alone())
            except UserError:
                return 0
            if stack.state_file is None:
                return 0
            if stack.state_file.exists():
                used.update(_DIGEST.findall(stack.state_file.read_text()))
        gone = [body for body in folder.iterdir() if body.name not in used]
        for body in gone:
            body.unlink(missing_ok=True)
    return len(gone)
