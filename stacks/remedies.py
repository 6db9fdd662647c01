"""Commands as messages name them: what can be typed in the project's folder on any machine, no environment active."""

from __future__ import annotations

import shlex


def make(target: str, stack: str | None = None, **variables: str) -> str:
    """Return a make command in backticks, such as `make secret KEY=monitoring.alertWebhook STACK=prod`."""
    given = {**variables, **({"STACK": stack} if stack else {})}
    return f"`{' '.join(['make', target, *(f'{name}={shlex.quote(value)}' for name, value in given.items())])}`"
