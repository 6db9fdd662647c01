"""The engine's errors as a user reads them: the cause first, which resource, each once, and no traceback."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from stacks.progress import plain, short
from stacks.remedies import make

_GENERIC = re.compile(
    r"^(update|preview|destroy|refresh|operation) (failed|canceled)$|"
    r"^(Resource monitor has terminated|The resource monitor shut down|resource monitor shut down)|"
    r"BAIL: |^one or more errors occurred$"
)
_UNHANDLED = re.compile(r"^(an unhandled error occurred: |python inline source runtime error: )+")
_RAISED = re.compile(r"^[A-Za-z_.]*(Error|Exception): ")
_LOCKED = re.compile(r"the stack is currently locked by|\[409\] Conflict")
_UNKNOWN = "the engine gave no reason"


def explain(stack: str, errors: Sequence[tuple[str, str]], output: str) -> str:
    """Return the message for a failed run.

    Args:
        stack: its name, for the remedy.
        errors: what the engine reported: URN, empty for the stack's own, and message.
        output: everything it printed, for when it reported nothing.
    """
    if _LOCKED.search(output):
        return (
            f"stack {stack} is locked by another update, or by one that was killed on another machine "
            f"(wait for it; or, when you know it is dead, {make('resume', stack)})"
        )
    lines = list(_causes(errors)) or list(_printed(output))
    return "\n".join(lines or [_UNKNOWN])


def trace_in(errors: Sequence[tuple[str, str]]) -> str | None:
    """Return a traceback that an error carries: a fault of the program, worth keeping in a file."""
    return next((text for _, text in errors if "Traceback (most recent call last)" in text), None)


def _causes(errors: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Errors of resources come first: what the stack says of itself follows from them."""
    seen: set[str] = set()
    ordered = [item for item in errors if item[0]] + [item for item in errors if not item[0]]
    for urn, text in ordered:
        cause = _cause(text)
        if not cause or _GENERIC.search(cause) or any(cause in earlier for earlier in seen):
            continue
        seen.add(cause)
        yield f"{short(urn)}: {cause}" if urn else cause


def _cause(text: str) -> str:
    """Return the message without what wraps it; of a traceback its last line."""
    text = _UNHANDLED.sub("", plain(text))
    if "Traceback (most recent call last)" in text:
        before = text.split("Traceback (most recent call last)")[0].strip()
        last = [line for line in text.splitlines() if line and not line.startswith((" ", "\t"))][-1:]
        text = last[0] if last else before
    return _RAISED.sub("", text).strip() if text.startswith("RuntimeError: ") else text.strip()


def _printed(output: str) -> Iterator[str]:
    seen: set[str] = set()
    for line in plain(output).splitlines():
        text = line.strip().removeprefix("stderr:").strip()
        if text.startswith("error:") and text not in seen:
            seen.add(text)
            yield text.removeprefix("error:").strip()
