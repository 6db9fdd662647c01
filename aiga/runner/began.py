"""Where a search began: in this run, or in an earlier one that failed, whose complete trials are worth keeping."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from aiga.errors import UserError
from aiga.runner import layout, record
from aiga.runner.artefact import Task
from aiga.runner.fingerprint import Fingerprint
from aiga.runner.setting import Setting
from aiga.store import Missing


def of(setting: Setting, task: Task, print_: Fingerprint) -> tuple[Setting, bool]:
    """The setting of the run that has the journal and the trials, and whether its search failed before this run.

    Of several runs that could go on with a failed search, one does.
    """
    store, key = setting.place.store, layout.searched(setting.project.name, print_.key)
    noted = _noted(setting, key)
    if noted.get("last") == setting.tag:
        return replace(setting, tag=noted["began"]), False
    own = layout.step(setting.project.name, setting.tag, task.name)
    failed = task.work.cache and not setting.fresh and not store.children(f"{own}/search") and _failed(setting, noted)
    tag = noted["began"] if failed else setting.tag
    store.write(key, json.dumps({"began": tag, "last": setting.tag}).encode())
    return replace(setting, tag=tag), failed


def _noted(setting: Setting, key: str) -> dict[str, Any]:
    try:
        found = dict(json.loads(setting.place.store.read(key)))
    except (Missing, ValueError, TypeError):
        return {}
    return found if found.keys() >= {"began", "last"} else {}


def _failed(setting: Setting, noted: dict[str, Any]) -> bool:
    """Whether the run that searched last failed, and this one may go on."""
    if not noted:
        return False
    store = setting.place.store
    try:
        last = record.load(store, setting.project.name, noted["last"])
    except UserError:
        return False
    return last is not None and last.state == "failed" and record.take_up(store, last)
