"""What one `aiga serve` has to itself: a project's generated files, and the ports of its gateway."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from aiga.errors import UserError

ADDRESSES = "127.0.0.1 for this machine alone, 0.0.0.0 for all of its networks, or its address in one of them"
"""What a gateway may listen on."""


@contextlib.contextmanager
def project(name: str, lock: Path, address: str) -> Iterator[None]:
    """Keeps others from serving the same project out of the same folder; it ends with this process at the latest.

    Args:
        name: of the project.
        lock: file that is locked; it tells others who has it.
        address: of the gateway.

    Raises:
        UserError: it is served already.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with open(lock, "a+") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held.seek(0)
            other = held.read().strip() or "by another process"
            raise UserError(
                f"{name}: is served already: {other} (end that one, or set AIGA_HOME to another folder)"
            ) from None
        held.truncate(0)
        held.write(f"at {address} by process {os.getpid()}\n")
        held.flush()
        yield
        held.truncate(0)


def held(lock: Path) -> bool:
    """Whether a project is being served, by the lock that `project` holds then."""
    try:
        with open(lock) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def free(host: str, *ports: int) -> None:
    """Raises UserError where one of the ports cannot be listened on."""
    with contextlib.ExitStack() as stack:
        for port in ports:
            try:
                stack.enter_context(socket.create_server((host, port)))
            except (OSError, OverflowError) as error:
                code = error.errno if isinstance(error, OSError) else errno.EINVAL
                if code == errno.EADDRNOTAVAIL:
                    raise UserError(f"--host {host}: is no address of this machine ({ADDRESSES})") from None
                why = "is in use" if code == errno.EADDRINUSE else f"cannot be listened on: {error}"
                raise UserError(
                    f"port {port} of {host}: {why} (end what listens there, or take others: --port, --grpc-port)"
                ) from None
