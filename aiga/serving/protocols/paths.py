"""Paths of the three protocols, as Seldon has them, with and without `/seldon/<namespace>/<deployment>` before them."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, unquote

Protocol = Literal["v2", "tensorflow", "seldon"]
Verb = Literal[
    "infer", "feedback", "metadata", "ready", "doc", "server-live", "server-ready", "server-metadata"
]  # fmt: skip


@dataclass(frozen=True)
class Target:
    """What a path asks for."""

    protocol: Protocol
    verb: Verb
    """`infer` is :predict and /predictions too; `ready` of TensorFlow Serving is the status of a model's versions."""
    namespace: str = ""
    deployment: str = ""
    model: str = ""
    """Empty where the path leaves it to the deployment."""
    version: str = ""

    @property
    def method(self) -> str:
        """The method of HTTP that it goes with."""
        return "POST" if self.verb in ("infer", "feedback") else "GET"


@functools.lru_cache(maxsize=1024)
def parse(path: str) -> Target | None:
    """What `path` asks for; None when it is none of ours.

    Args:
        path: as it came, percent-encoded, without the query.
    """
    if not path.startswith("/") or "//" in path:
        return None
    parts = path[1:].removesuffix("/").split("/")
    namespace = deployment = ""
    if parts[0] == "seldon" and len(parts) > 3:
        namespace, deployment, parts = parts[1], parts[2], parts[3:]
    rest = "/".join(parts)
    for pattern, (protocol, verb) in _PATTERNS:
        found = pattern.fullmatch(rest)
        if found:
            names = (namespace, deployment, found["model"], found["version"])
            try:
                return Target(protocol, verb, *(unquote(name or "", errors="strict") for name in names))
            except UnicodeDecodeError:
                return None
    return None


def build(target: Target) -> str:
    """The path that asks for it; `parse` reads it back.

    Raises:
        ValueError: the protocol has no such path.
    """
    if bool(target.namespace) is not bool(target.deployment):
        raise ValueError(f"a namespace goes with a deployment: {target}")
    prefix = f"/seldon/{_quoted(target.namespace)}/{_quoted(target.deployment)}" if target.deployment else ""
    fixed = next((path for path, verb in FIXED.items() if verb == (target.protocol, target.verb)), None)
    if fixed and not target.model:
        return f"{prefix}/{fixed}"
    version = f"/versions/{_quoted(target.version)}" if target.version else ""
    ending = _ENDINGS.get((target.protocol, target.verb))
    if ending is None or not (target.model or (target.verb == "infer" and not version)):
        raise ValueError(f"no path of {target.protocol} is for {target}")
    if not target.model:
        return f"{prefix}/{_ROOTS[target.protocol]}{ending}"
    return f"{prefix}/{_ROOTS[target.protocol]}/{_quoted(target.model)}{version}{ending}"


FIXED: dict[str, tuple[Protocol, Verb]] = {
    "v2": ("v2", "server-metadata"),
    "v2/health/live": ("v2", "server-live"),
    "v2/health/ready": ("v2", "server-ready"),
    "api/v1.0/predictions": ("seldon", "infer"),
    "api/v0.1/predictions": ("seldon", "infer"),
    "api/v1.0/feedback": ("seldon", "feedback"),
    "api/v0.1/feedback": ("seldon", "feedback"),
    "api/v1.0/doc": ("seldon", "doc"),
    "api/v0.1/doc": ("seldon", "doc"),
    "api/v1.0/metadata": ("seldon", "server-metadata"),
    "api/v1.0/health/status": ("seldon", "server-ready"),
    "api/v1.0/status": ("seldon", "server-ready"),
    "ready": ("seldon", "server-ready"),
    "live": ("seldon", "server-live"),
}
"""Paths without a model; of several for one thing, the first is the one that `build` writes."""

_NO_MODEL = r"(?P<model>)(?P<version>)"
_MODEL = r"/(?P<model>[^/:]+)(?:/versions/(?P<version>[^/:]+))?"
_PATTERNS: list[tuple[re.Pattern[str], tuple[Protocol, Verb]]] = [
    (re.compile(pattern), target)
    for pattern, target in (
        *((re.escape(path) + _NO_MODEL, target) for path, target in FIXED.items()),
        (f"v2/models/infer{_NO_MODEL}", ("v2", "infer")),  # Seldon's own: the deployment knows its model
        (f"v2/models{_MODEL}/infer", ("v2", "infer")),
        (f"v2/models{_MODEL}/ready", ("v2", "ready")),
        (f"v2/models{_MODEL}", ("v2", "metadata")),
        (f"v1/models/?:predict{_NO_MODEL}", ("tensorflow", "infer")),  # Seldon's own, as is the / before the colon
        (f"v1/models{_MODEL}/?:predict", ("tensorflow", "infer")),
        (f"v1/models{_MODEL}/metadata", ("tensorflow", "metadata")),
        (f"v1/models{_MODEL}", ("tensorflow", "ready")),
        (r"api/v1\.0/metadata/(?P<model>[^/]+)(?P<version>)", ("seldon", "metadata")),
    )
]
_ROOTS: dict[str, str] = {"v2": "v2/models", "tensorflow": "v1/models", "seldon": "api/v1.0/metadata"}
_ENDINGS: dict[tuple[str, str], str] = {
    ("v2", "infer"): "/infer",
    ("v2", "ready"): "/ready",
    ("v2", "metadata"): "",
    ("tensorflow", "infer"): ":predict",
    ("tensorflow", "ready"): "",
    ("tensorflow", "metadata"): "/metadata",
    ("seldon", "metadata"): "",
}


def _quoted(part: str) -> str:
    return quote(part, safe="")
