"""What the exit code of a step tells a runner.

====  ==========================================================================================================
code  meaning
====  ==========================================================================================================
0     done: outputs are there, values are returned
1     the user's code raised, or its command failed
2     the user's to mend, repeating it changes nothing: a wrong argument, no such function, an output not written,
      a value of the wrong type, a breached contract; also what a command means by 2, wrong usage
75    worth another try: a `TransientError`, a network that failed, a disk that is full, a timeout, a signal
====  ==========================================================================================================

A MemoryError is 1: the same limit holds at the next try. The kernel's own killing for memory is a signal, so 75.
User code may end itself with any of these codes (`sys.exit(75)`); all others become 1.
"""

from __future__ import annotations

import errno
import os

from aiga.errors import AigaError, TransientError, UserError

DONE = 0
FAILED = 1
MISTAKE = UserError.exit_code
RETRY = TransientError.exit_code

_PASSING_ERRNO = {
    *(errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT),
    *(errno.ENETDOWN, errno.ENETUNREACH, errno.ENETRESET, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENOBUFS),
    *(errno.ESTALE, errno.ETIMEDOUT, errno.EADDRINUSE),
}
_PASSING_CLASSES = {
    "requests.exceptions.ConnectionError",
    "requests.exceptions.Timeout",
    "requests.exceptions.ChunkedEncodingError",
    "urllib3.exceptions.ProtocolError",
    "urllib3.exceptions.TimeoutError",
    "http.client.RemoteDisconnected",
    "http.client.IncompleteRead",
    "httpx.TransportError",
    "botocore.exceptions.ConnectionError",
    "botocore.exceptions.HTTPClientError",
    "sqlalchemy.exc.OperationalError",
    "socket.gaierror",
}
_PASSING_HTTP = {408, 425, 429, 500, 502, 503, 504}


def of_exception(error: BaseException) -> int:
    """The exit code of what user code raised."""
    if isinstance(error, SystemExit):
        return of_system_exit(error)
    if isinstance(error, AigaError):
        return error.exit_code
    return RETRY if _may_pass(error) else FAILED


def of_system_exit(error: SystemExit) -> int:
    """The exit code of `sys.exit(...)`: a number is taken as `of_status` does, a text is a failure."""
    if error.code is None:
        return DONE
    return of_status(error.code) if isinstance(error.code, int) else FAILED


def of_status(status: int) -> int:
    """The exit code of a process that ended with `status`; negative where a signal ended it, as in subprocess.

    129 to 165 is how a shell tells that a signal ended what it ran; 126 and 127 that it could not run it.
    """
    if status in (DONE, MISTAKE, RETRY):
        return status
    if status in (126, 127):
        return MISTAKE
    return RETRY if status < 0 or 129 <= status <= 165 else FAILED


def _may_pass(error: BaseException) -> bool:
    code = _http_status(error)
    if code is not None:
        return code in _PASSING_HTTP
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    if isinstance(reason := getattr(error, "reason", None), OSError) and reason is not error:
        return _may_pass(reason)
    if {f"{each.__module__}.{each.__qualname__}" for each in type(error).__mro__} & _PASSING_CLASSES:
        return True
    return isinstance(error, OSError) and error.errno in _PASSING_ERRNO


def _http_status(error: BaseException) -> int | None:
    """Status of urllib's HTTPError, or of the response that requests and httpx attach."""
    for found in (getattr(error, "code", None), getattr(getattr(error, "response", None), "status_code", None)):
        if isinstance(found, int) and not isinstance(found, bool) and 400 <= found < 600:
            return found
    return None


def signal_name(number: int) -> str:
    """`SIGKILL` of 9."""
    import signal

    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def status_of(waited: int) -> int:
    """What `os.waitpid` gave, as a status: negative for a signal."""
    return os.waitstatus_to_exitcode(waited)
