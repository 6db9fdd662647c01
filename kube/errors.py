"""What can go wrong between us and an API server, each as one line a user can act on.

KubeError
├── Transient            worth trying again: the cluster may be on its way up
│   ├── Unreachable      no connection, TLS refused, connection reset, time-out
│   ├── NoSuchKind       the API is not served (yet)
│   ├── WebhookDown      an admission or conversion webhook did not answer
│   └── Busy             429, 503, etcd without a leader, a namespace being terminated
├── NotFound
├── AlreadyExists
├── Conflict             another field manager owns the field, or the object changed meanwhile
├── Invalid              refused by schema, admission, permissions or credentials
├── Expired              a watch or a list fell too far behind
└── TimedOut             did not become ready, or did not go away, in time
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_LONGEST = 700
_WEBHOOK = ("failed calling webhook", "failed to call webhook", "conversion webhook for", "no endpoints available")
_BUSY = ("etcdserver:", "leader changed", "request timed out", "context deadline exceeded", "connection refused")
_SCHEMA = ("typed patch object", "field not declared in schema", "strict decoding error", "error decoding")


class KubeError(Exception):
    """A request that failed; the message is one line naming object, reason and, where known, remedy."""


class Transient(KubeError):
    """May succeed when tried again."""


class Unreachable(Transient):
    """No answer from the API server."""


class NoSuchKind(Transient):
    """The API server does not serve this kind, or not yet."""


class WebhookDown(Transient):
    """A webhook that has to agree did not answer."""


class Busy(Transient):
    """The API server answers, but cannot serve just now."""


class NotFound(KubeError):
    """The object, or the namespace it should lie in, does not exist."""


class AlreadyExists(KubeError):
    """An object with this name exists."""


class Conflict(KubeError):
    """Other field managers own fields of the request, or the object changed since it was read."""

    def __init__(self, message: str, managers: list[str] | None = None, fields: list[str] | None = None) -> None:
        super().__init__(message)
        self.managers = managers or []
        self.fields = fields or []


class Invalid(KubeError):
    """The server understood and refuses: schema, admission, permissions."""


class Expired(KubeError):
    """The resourceVersion is too old; list again."""


class TimedOut(KubeError):
    """Waited in vain."""


def one_line(text: str) -> str:
    """Collapse white space and cut what is too long to read."""
    flat = re.sub(r"\s+", " ", text).strip()
    return flat if len(flat) <= _LONGEST else f"{flat[:_LONGEST]} …"


def from_response(status: int, body: bytes, subject: str) -> KubeError:
    """Turn an HTTP answer of 400 and above into the error that says what happened to `subject`."""
    answer = _status(body)
    message = one_line(str(answer.get("message") or body.decode(errors="replace") or f"HTTP {status}"))
    special = {401: _unauthorized, 404: _missing, 409: _conflict, 410: _expired}
    if status in special:
        return special[status](answer, message, subject)
    if any(words in message for words in _WEBHOOK) and status >= 500:
        return WebhookDown(f"{subject}: {message}")
    if status in (429, 502, 503, 504) or (status >= 500 and any(words in message for words in _BUSY)):
        return Busy(f"{subject}: the API server is busy: {message}")
    if _terminating(answer):
        return Busy(f"{subject}: {message}")
    reason = str(answer.get("reason", ""))
    if status < 500 or any(words in message for words in _SCHEMA):
        return Invalid(f"{subject}: {_verdict(reason, status)}: {message}")
    return KubeError(f"{subject}: the API server failed with {status} {reason}: {message}")


def _unauthorized(_: Mapping[str, Any], message: str, subject: str) -> KubeError:
    return Invalid(f"{subject}: the API server does not accept the credentials of this kubeconfig ({message})")


def _expired(_: Mapping[str, Any], message: str, subject: str) -> KubeError:
    return Expired(f"{subject}: {message}")


def _status(body: bytes) -> Mapping[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) and answer.get("kind") == "Status" else {}


def _missing(answer: Mapping[str, Any], message: str, subject: str) -> KubeError:
    details = answer.get("details") or {}
    if not details.get("name"):
        return NoSuchKind(f"{subject}: the API server does not serve this kind ({message}); is its CRD installed?")
    if details.get("kind") == "namespaces" and not subject.startswith("Namespace/"):
        return NotFound(f"{subject}: {message}; create the namespace first")
    return NotFound(f"{subject}: {message}")


def _conflict(answer: Mapping[str, Any], message: str, subject: str) -> KubeError:
    if answer.get("reason") == "AlreadyExists":
        return AlreadyExists(f"{subject}: {message}")
    causes = [
        cause
        for cause in (answer.get("details") or {}).get("causes") or []
        if cause.get("reason") == "FieldManagerConflict"
    ]
    if not causes:
        return Conflict(f"{subject}: {message}")
    managers = sorted({_manager(cause.get("message", "")) for cause in causes})
    fields = [cause.get("field", "?") for cause in causes]
    shown = ", ".join(fields[:3]) + (f" and {len(fields) - 3} more" if len(fields) > 3 else "")
    return Conflict(
        f"{subject}: {shown} belongs to field manager {', '.join(managers)}; leave the field to it and drop it here, "
        "or take it over by applying with force",
        managers,
        fields,
    )


def _manager(cause: str) -> str:
    quoted = re.search(r'"([^"]+)"', cause)
    return quoted.group(1) if quoted else cause


def _terminating(answer: Mapping[str, Any]) -> bool:
    causes = (answer.get("details") or {}).get("causes") or []
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)


def _verdict(reason: str, status: int) -> str:
    return {"Forbidden": "forbidden", "Invalid": "invalid"}.get(reason, f"refused ({status})")
