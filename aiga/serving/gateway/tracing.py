"""W3C trace context and request ids: taken from the client where it sends them, else made here."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from random import SystemRandom

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"
REQUEST_IDS = ("seldon-puid", "x-request-id")
"""Headers that a client may name its request in; the first that is there counts."""

_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_ID = re.compile(r"[\x21-\x7e]{1,128}")
_LONGEST_STATE = 512
_random = SystemRandom()
"""Not seeded by anybody, and unlike in two processes."""


@dataclass(frozen=True, slots=True)
class Trace:
    """The span of this gateway in a client's trace."""

    trace_id: str
    """32 hexadecimal digits."""
    span_id: str
    """16 of them."""
    flags: str = "01"
    state: str = ""

    def headers(self) -> dict[str, str]:
        """The context for whoever is called next."""
        headers = {TRACEPARENT: f"00-{self.trace_id}-{self.span_id}-{self.flags}"}
        if self.state:
            headers[TRACESTATE] = self.state
        return headers


def trace(headers: Mapping[str, str]) -> Trace:
    """A new span in the trace that the headers name; in a new trace where they name none by the standard's rules."""
    span = f"{_random.getrandbits(64) or 1:016x}"
    given = headers.get(TRACEPARENT)
    found = _PARENT.fullmatch(given) if given else None
    if found is None or not _sound(*found.groups()):
        return Trace(f"{_random.getrandbits(128) or 1:032x}", span)
    state = headers.get(TRACESTATE, "")
    return Trace(found[2], span, found[4], state if len(state) <= _LONGEST_STATE and state.isprintable() else "")


def request_id(headers: Mapping[str, str]) -> str:
    """The client's name for its request, where it can stand in a header; else a new one."""
    for name in REQUEST_IDS:
        given = headers.get(name)
        if given and _ID.fullmatch(given):
            return given
    return str(uuid.uuid4())


def _sound(version: str, trace_id: str, span_id: str, _flags: str, more: str | None) -> bool:
    """Whether what has the form of a `traceparent` means one; later versions may say more than this one."""
    return version != "ff" and trace_id != "0" * 32 and span_id != "0" * 16 and (version != "00" or more is None)
