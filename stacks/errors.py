"""What the runner refuses or could not do.

RunnerError
├── UserError    something to change before trying again; exit code 2
└── EngineError  the engine or the cluster failed; trying again resumes; exit code 1
"""

from __future__ import annotations


class RunnerError(Exception):
    """The message is the user's, whole."""

    exit_code = 1


class UserError(RunnerError):
    """Nothing was created, and trying again without a change ends the same."""

    exit_code = 2


class EngineError(RunnerError):
    """It went wrong on the way; what was done is kept, and the same command takes it up again."""
