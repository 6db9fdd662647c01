"""Whether a step must run: the digest of all that its result depends on, and what changed since the last time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Fingerprint:
    """What a step's result depends on, by part: `code train.py`, `parameter epochs`, `input train`, `packages` …"""

    parts: Mapping[str, str]

    @property
    def key(self) -> str:
        """One digest for all parts, 64 hexadecimal digits."""
        return hashlib.sha256(json.dumps(dict(self.parts), sort_keys=True).encode()).hexdigest()


def of(
    *,
    call: str,
    code: Mapping[str, str],
    parameters: Mapping[str, Any],
    inputs: Mapping[str, str],
    declared: Mapping[str, Any],
    environment: str,
    seed: int | None = None,
) -> Fingerprint:
    """The fingerprint of one step.

    Args:
        call: what it runs.
        code: file name to digest.
        parameters: of the call, values of earlier steps among them.
        inputs: argument to digest.
        declared: outputs and returned values, as the project declares them.
        environment: digest of the project's requirements and the Python version.
        seed: of a step that has one.
    """
    parts = {"call": call, "environment": environment, "outputs": json.dumps(declared, sort_keys=True)}
    parts |= {f"code {name}": digest for name, digest in code.items()}
    parts |= {f"parameter {name}": json.dumps(value) for name, value in parameters.items()}
    parts |= {f"input {name}": digest for name, digest in inputs.items()}
    parts |= {} if seed is None else {"seed": str(seed)}
    return Fingerprint(parts)


def why(now: Fingerprint, last: Fingerprint | None) -> str:
    """In a few words, why a step is run though it ran before."""
    if last is None:
        return "it never ran before"
    changed = []
    for part in sorted({*now.parts, *last.parts}):
        old, new = last.parts.get(part), now.parts.get(part)
        if old == new:
            continue
        short = part.startswith(("parameter", "search", "seed"))
        verb = "is new" if old is None else "is gone" if new is None else f"{old} → {new}" if short else "changed"
        changed.append(f"{part} {verb}")
    if not changed:
        return "its last result is not in the store"
    return ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
