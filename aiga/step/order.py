"""What one try of a step is to do: written by a runner, read by `python -m aiga.step`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from aiga.errors import UserError

Scalar = bool | int | float | str
FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
"""A call that is a Python function; `aiga.spec.base` says the same of the project file."""


@dataclass(frozen=True)
class Limits:
    """Bounds of the step; None is none."""

    cpu: float | None = None
    """Cores. Libraries are told by environment, and the process keeps to so many cores where the system can."""
    memory: int | None = None
    """Bytes of data of each of its processes."""
    timeout: float | None = None
    """Seconds until it is ended."""
    grace: float = 8.0
    """Seconds between SIGTERM and SIGKILL; less than the ten that runners give this process itself."""


@dataclass(frozen=True)
class Order:
    """One try of one step of one run."""

    project: str
    run: str
    """The run's tag."""
    step: str
    call: str
    """`module:function` of the project's folder, or a command line."""
    source: Path
    """The project's folder: working directory, and first on `sys.path`."""
    work: Path
    """Folder of this try, where everything it leaves goes."""
    checkpoint: Path
    """Folder that outlives this try and is handed to the next."""
    trial: int | None = None
    inputs: Mapping[str, Path] = field(default_factory=dict)
    """Argument name to the file or folder."""
    outputs: Mapping[str, str] = field(default_factory=dict)
    """Output name to the file name under the folder of outputs."""
    returns: Mapping[str, str] = field(default_factory=dict)
    """Name of each value that it returns to `number`, `integer`, `boolean` or `text`."""
    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    """Parameters and values of earlier steps, typed."""
    seed: int | None = None
    """Argument `seed` of the function, if it has one."""
    limits: Limits = field(default_factory=Limits)
    digests: Mapping[str, str] = field(default_factory=dict)
    """Inputs whose digest the runner knows already: they are not read again for it."""
    secrets: tuple[str, ...] = ()
    """Environment variables whose values are masked wherever the step's output is kept or passed on."""
    runner: int | None = None
    """Process that starts this one, without which it does not go on; None for one that may outlive its starter."""

    @property
    def is_function(self) -> bool:
        return FUNCTION.fullmatch(self.call) is not None

    def write(self, path: Path) -> None:
        """Writes the order as JSON."""
        path.write_text(json.dumps(asdict(self), default=str, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Order:
        """Reads what `write` wrote.

        Raises:
            UserError: the file is not there, or is no order.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UserError(f"{path}: cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise UserError(f"{path}: is not JSON: {error}") from error
        return _order(path, data)


def _order(path: Path, data: Any) -> Order:
    needed = ("project", "run", "step", "call", "source", "work", "checkpoint")
    if not isinstance(data, dict) or any(not isinstance(data.get(name), str) for name in needed):
        raise UserError(f"{path}: is no order of a step: it must have the texts {', '.join(needed)}")
    unknown = sorted(data.keys() - {each.name for each in fields(Order)})
    if unknown:
        raise UserError(f"{path}: unknown keys {', '.join(unknown)}: the order is of another release of aiga")
    paths = {name: Path(data[name]) for name in ("source", "work", "checkpoint")}
    inputs = {name: Path(value) for name, value in data.get("inputs", {}).items()}
    limits, secrets = Limits(**data.get("limits", {})), tuple(data.get("secrets", ()))
    return Order(**{**data, **paths, "inputs": inputs, "limits": limits, "secrets": secrets})
