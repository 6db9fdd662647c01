"""What goes wrong, as one message for a person, and as an exit code for a runner.

AigaError: anything with a message of its own; exit code 1
├── UserError: the user's to mend; repeating it changes nothing; exit code 2
└── TransientError: it may pass; worth another try; exit code 75
"""

from __future__ import annotations


class AigaError(Exception):
    """A failure whose message says what, where, the value, the rule and the remedy; shown without a traceback."""

    exit_code = 1


class UserError(AigaError):
    """A mistake in what the user gave; repeating it changes nothing."""

    exit_code = 2


class TransientError(AigaError):
    """A failure that may pass: a network, a server, a full queue. Exit code 75 is EX_TEMPFAIL of sysexits.h."""

    exit_code = 75
