"""`metadata.yaml`: all that is known of one try of a step, written in one piece however the try ended."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from aiga.errors import UserError
from aiga.names import API_VERSION
from aiga.step import exits, records
from aiga.step.capture import SHOWN, TAIL
from aiga.step.contract import Folder
from aiga.step.failure import Failure
from aiga.step.git import Asked
from aiga.step.host import host, packages, python
from aiga.step.order import Order

State = Literal["succeeded", "failed", "interrupted"]
"""`failed` by itself, `interrupted` from outside."""
_DEAD = "Interrupted"


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """One try of one step. Times are UTC in ISO 8601; nothing of the environment's variables is in it."""

    tag: str
    project: str
    step: str
    trial: int | None = None
    state: State
    exit_code: int
    error: Failure | None = None
    remarks: tuple[str, ...] = ()
    """What is worth knowing and did not fail the step."""
    call: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    returned: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Last value of each; all are in `log`."""
    not_finite: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Metrics that were NaN or infinite at times: how often, and where first."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Argument to digest."""
    outputs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Name to `file` under the folder of outputs, and `digest`."""
    started: str
    ended: str
    seconds: float
    usage: Mapping[str, float] = field(default_factory=dict)
    """`cpu_seconds`, and `peak_memory` in bytes, of the process and those that it waited for."""
    git: Mapping[str, str | None] | None = None
    """`commit`, and `dirty`: the digest of what differs from it."""
    python: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)
    host: Mapping[str, Any] = field(default_factory=dict)
    log: str = "metrics.jsonl"
    """The whole log, beside this file."""
    output: tuple[str, ...] = ()
    """The last lines that were printed; all are in output.txt."""

    def write(self, path: Path) -> None:
        """Writes the file whole or not at all.

        Raises:
            OSError: the disk is full or the like; an older file is as it was.
        """
        text = dumped({"apiVersion": API_VERSION, **asdict(self)})
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with open(partial, "wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    @classmethod
    def read(cls, path: Path) -> Metadata:
        """Reads what `write` wrote.

        Raises:
            UserError: the file is not there, or is no metadata.
        """
        import yaml

        try:
            data = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
            known = {each.name for each in fields(cls)}
            values = {name: value for name, value in data.items() if name in known}
            error = values.get("error") and Failure(**{**values["error"], "frames": tuple(values["error"]["frames"])})
            lists = {name: tuple(values.get(name, ())) for name in ("remarks", "output")}
            return cls(**{**values, **lists, "error": error})
        except OSError as problem:
            raise UserError(f"{path}: cannot be read: {problem.strerror}") from problem
        except (yaml.YAMLError, AttributeError, KeyError, TypeError) as problem:
            raise UserError(f"{path}: is no metadata of a step: {problem}") from problem


def dumped(data: Any) -> bytes:
    """YAML of plain values; what is no Unicode text, such as half a surrogate pair, becomes a question mark."""
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return yaml.dump(_plain(data), Dumper=dumper, sort_keys=False, allow_unicode=True, width=120, encoding="utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_plain(str(key)): _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def now() -> datetime:
    return datetime.now(UTC)


def iso(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds")


def begin(folder: Folder, started: datetime, inputs: Mapping[str, str]) -> None:
    """Notes what only a step that starts knows, for `interrupted`."""
    folder.begun.write_text(json.dumps({"started": iso(started), "inputs": dict(inputs)}) + "\n", encoding="utf-8")


def interrupted(order: Order, reason: str) -> Metadata:
    """Completes the metadata of a try whose process is dead, from what it left; one that it wrote itself stays.

    Args:
        order: what was to be done.
        reason: why there is no more, such as `killed by SIGKILL`.

    Raises:
        OSError: the file cannot be written.
    """
    folder = Folder(order.work.absolute())
    if folder.metadata.exists():
        return Metadata.read(folder.metadata)
    folder.root.mkdir(parents=True, exist_ok=True)
    begun = _begun(folder)
    started = datetime.fromisoformat(begun["started"]) if "started" in begun else now()
    times = [file.stat().st_mtime for file in (folder.log, folder.output) if file.exists()]
    ended = max([started, *(datetime.fromtimestamp(time, UTC) for time in times)])
    log = records.summary(folder.log)
    commit = Asked(order.source).answer()
    metadata = Metadata(
        **of_order(order),
        **environment(),
        state="interrupted",
        exit_code=exits.RETRY,
        error=Failure(_DEAD, reason),
        returned={},
        metrics=log.metrics,
        not_finite=log.not_finite,
        inputs=begun.get("inputs", {}),
        started=iso(started),
        ended=iso(ended),
        seconds=round((ended - started).total_seconds(), 3),
        git=asdict(commit) if commit else None,
        output=_tail(folder.output),
    )
    metadata.write(folder.metadata)
    return metadata


def of_order(order: Order) -> dict[str, Any]:
    """The part of the metadata that was known before."""
    same = {name: getattr(order, name) for name in ("project", "step", "trial", "call", "seed")}
    return {"tag": order.run, **same, "parameters": dict(order.parameters)}


def environment() -> dict[str, Any]:
    """The part of the metadata that tells where it ran."""
    return {"python": python(), "packages": packages(), "host": asdict(host())}


def _begun(folder: Folder) -> dict[str, Any]:
    try:
        data = json.loads(folder.begun.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _tail(file: Path) -> tuple[str, ...]:
    """The last lines of a file, without reading more than they can take."""
    try:
        with open(file, "rb") as text:
            text.seek(max(0, text.seek(0, os.SEEK_END) - TAIL * SHOWN))
            lines = text.read().splitlines()[-TAIL:]
    except OSError:
        return ()
    return tuple(line.decode("utf-8", "replace")[:SHOWN] for line in lines)
