"""Paths of the three protocols, as Seldon has them, with and without `/seldon/<namespace>/<deployment>` before them."""

from __future__ import annotations

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
    found = _fixed(parts) or _v2(parts) or _tensorflow(parts)
    if found is None:
        return None
    protocol, verb, *names = found
    try:
        namespace, deployment, model, version = (
            unquote(name, errors="strict") for name in (namespace, deployment, *names)
        )
    except UnicodeDecodeError:
        return None
    return Target(protocol, verb, namespace, deployment, model, version)


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
_Found = tuple[Protocol, Verb, str, str]


def _fixed(parts: list[str]) -> _Found | None:
    found = FIXED.get("/".join(parts))
    if found:
        return (*found, "", "")
    if parts[:3] == ["api", "v1.0", "metadata"] and len(parts) == 4:
        return "seldon", "metadata", parts[3], ""
    return None


def _v2(parts: list[str]) -> _Found | None:
    if parts[:2] != ["v2", "models"]:
        return None
    if parts[2:] == ["infer"]:  # Seldon's own: the deployment knows its model
        return "v2", "infer", "", ""
    match parts[2:]:
        case [model]:
            return "v2", "metadata", model, ""
        case [model, ("infer" | "ready") as verb]:
            return "v2", verb, model, ""
        case [model, "versions", version]:
            return "v2", "metadata", model, version
        case [model, "versions", version, ("infer" | "ready") as verb]:
            return "v2", verb, model, version
    return None


def _tensorflow(parts: list[str]) -> _Found | None:
    if parts[:2] == ["v1", "models:predict"] and len(parts) == 2:  # Seldon's own, as is /v1/models/:predict
        return "tensorflow", "infer", "", ""
    if parts[:2] != ["v1", "models"] or len(parts) < 3:
        return None
    last, colon, verb = parts[-1].rpartition(":")
    rest = parts[2:]
    if colon:
        if verb != "predict":
            return None
        rest = [*rest[:-1], last] if last else rest[:-1]
    match rest:
        case []:
            return "tensorflow", "infer", "", ""
        case [model]:
            return "tensorflow", "infer" if colon else "ready", model, ""
        case [model, "versions", version]:
            return "tensorflow", "infer" if colon else "ready", model, version
        case [model, "metadata"] if not colon:
            return "tensorflow", "metadata", model, ""
        case [model, "versions", version, "metadata"] if not colon:
            return "tensorflow", "metadata", model, version
    return None


def _quoted(part: str) -> str:
    return quote(part, safe="")
