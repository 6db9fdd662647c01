"""What the outputs of a step are held to: the `expect:` of the project."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from aiga.runner.artefact import Task
from aiga.store.digest import content_digest


def check(task: Task, outputs: Mapping[str, Path]) -> None:
    """Holds each output to its contract.

    Raises:
        UserError: with every breach of one of them.
    """
    if not task.work.expect:
        return
    from aiga.sources import expect  # brings pandas

    for name, expected in task.work.expect.items():
        expect.check(outputs[name], expected, f"{task.name}.{name}")


def digest(task: Task) -> str:
    """Digest of what the task's outputs are held to; empty where that is nothing."""
    expected = {name: each.model_dump(mode="json") for name, each in task.work.expect.items()}
    return content_digest(json.dumps(expected, sort_keys=True).encode()) if expected else ""
