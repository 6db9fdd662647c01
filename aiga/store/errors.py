"""What a store refuses.

UserError
├── Missing: there is nothing under a key
├── Corrupt: what is stored is not what was recorded, or not what was asked for
└── Blocked: a key cannot be, because another one stands in its place
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiga.errors import AigaError, TransientError, UserError

_PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE}


class Missing(UserError):
    """The store holds nothing under this key."""


class Corrupt(UserError):
    """Bytes whose digest is not the recorded or the expected one; nothing of them was handed out."""


class Blocked(UserError):
    """An object stands where the key needs a folder, or the other way round."""


def explained(where: str, error: OSError) -> AigaError:
    """An error of the operating system as one line; a full disk and its like may pass."""
    kind = TransientError if error.errno in _PASSING else UserError
    return kind(f"{where}: {error.strerror or error}")


@contextmanager
def local(path: Path) -> Iterator[None]:
    """Turns errors with files of this machine into one line about them."""
    try:
        yield
    except OSError as error:
        raise explained(str(error.filename or path), error) from error
