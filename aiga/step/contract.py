"""What user code finds when it starts: folders, links to its inputs, and the environment that names them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from aiga import names
from aiga.errors import UserError
from aiga.step.order import Order

_PACKED = {".gz", ".bz2", ".xz", ".zst"}
"""Suffixes that say little without the one before: `.csv.gz`."""
STARTED_WITH = {"PYTHONHASHSEED": "0", "PYTHONUNBUFFERED": "1", "MPLBACKEND": "Agg"}
"""What a step's process finds before it starts. One seed of hashes, or sets have another order in each process: two
trainings of the same would write models of different bytes."""


@dataclass(frozen=True)
class Folder:
    """The folder of one try."""

    root: Path

    @property
    def inputs(self) -> Path:
        return self.root / "inputs"

    @property
    def outputs(self) -> Path:
        return self.root / "outputs"

    @property
    def parameters(self) -> Path:
        return self.root / "parameters.json"

    @property
    def log(self) -> Path:
        """JSON lines of metrics and values, in the order they were logged."""
        return self.root / "metrics.jsonl"

    @property
    def output(self) -> Path:
        """Everything that was printed."""
        return self.root / "output.txt"

    @property
    def begun(self) -> Path:
        """What is known before the step starts, for the metadata of one that is killed."""
        return self.root / "begun.json"

    @property
    def metadata(self) -> Path:
        return self.root / names.METADATA


@dataclass(frozen=True)
class Contract:
    """What user code is given."""

    folder: Folder
    inputs: Mapping[str, Path]
    outputs: Mapping[str, Path]
    environment: Mapping[str, str | None]
    """Variables to set, or to remove where None."""


def fresh(order: Order) -> Folder:
    """The folder of a try, without what an earlier one may have left in it; the checkpoint stays."""
    folder = Folder(order.work.absolute())
    for each in (folder.inputs, folder.outputs):
        shutil.rmtree(each, ignore_errors=True)
        each.mkdir(parents=True)
    for left in (folder.metadata, folder.output, folder.begun):
        left.unlink(missing_ok=True)
    folder.log.write_bytes(b"")
    return folder


def prepare(order: Order, folder: Folder) -> Contract:
    """Makes the links, files and folders that user code is told of.

    Raises:
        UserError: the project's folder or an input is not there, or an output would lie outside its folder.
    """
    _check(order)
    order.checkpoint.mkdir(parents=True, exist_ok=True)
    folder.parameters.write_text(json.dumps(dict(order.parameters), indent=1) + "\n", encoding="utf-8")
    inputs, outputs = {}, {}
    for name, path in order.inputs.items():
        inputs[name] = folder.inputs / f"{name}{suffix(path)}"
        inputs[name].symlink_to(path.absolute())
    for name, file in order.outputs.items():
        outputs[name] = folder.outputs / file
        outputs[name].parent.mkdir(parents=True, exist_ok=True)
    return Contract(folder, inputs, outputs, environment(order, folder))


def environment(order: Order, folder: Folder) -> dict[str, str | None]:
    """The contract's variables; None removes one that is inherited."""
    return {
        names.INPUTS: str(folder.inputs),
        names.OUTPUTS: str(folder.outputs),
        names.CHECKPOINT: str(order.checkpoint.absolute()),
        names.PARAMETERS: str(folder.parameters),
        names.LOG: str(folder.log),
        names.PROJECT: order.project,
        names.RUN: order.run,
        names.STEP: order.step,
        names.TRIAL: None if order.trial is None else str(order.trial),
    }


def suffix(path: Path) -> str:
    """The suffix that says what a file is, with the one before where it is packed."""
    last = path.suffix
    return Path(path.stem).suffix + last if last in _PACKED else last


def missing(order: Order, contract: Contract) -> str:
    """What is wrong with the outputs of a step that ended well: each that was not written, and what was instead."""
    absent = [name for name, path in contract.outputs.items() if not path.is_file() and not path.is_dir()]
    if not absent:
        return ""
    undeclared = written(order, contract)
    instead = f"it wrote {', '.join(undeclared)} instead" if undeclared else "it wrote nothing else there"
    return "\n".join(
        f"{order.step}: output {name}: $AIGA_OUTPUTS/{order.outputs[name]} is {_what(contract.outputs[name])}, "
        "and must be written; "
        f"{instead}"
        for name in absent
    )


def _what(path: Path) -> str:
    return "no file or folder" if path.exists() else "not there"


def written(order: Order, contract: Contract, most: int = 10) -> list[str]:
    """Files (at most so many) under the folder of outputs that are no declared output, nor within one."""
    declared = [PurePosixPath(file) for file in order.outputs.values()]
    found: list[str] = []
    for folder, _, files in os.walk(contract.folder.outputs):
        for file in files:
            name = PurePosixPath((Path(folder) / file).relative_to(contract.folder.outputs).as_posix())
            if not any(name == each or each in name.parents for each in declared):
                found.append(str(name))
    return [*sorted(found)[:most], "…"] if len(found) > most else sorted(found)


def _check(order: Order) -> None:
    wrong = []
    if not order.source.is_dir():
        wrong.append(f"{order.step}: the project's folder {order.source} is not there")
    for name, path in order.inputs.items():
        if not path.exists():
            wrong.append(f"{order.step}: input {name}: {path} is not there")
    for name, file in order.outputs.items():
        parts = PurePosixPath(file).parts
        if not parts or file.startswith("/") or ".." in parts:
            wrong.append(f"{order.step}: output {name}: must be a file name within the folder of outputs, got {file!r}")
    if wrong:
        raise UserError("\n".join(wrong))
