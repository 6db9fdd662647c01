"""Keeps a server from outliving the process that started it, however that one ended.

The guard is a process in the server's group that reads from a pipe which only the starter holds open. When the starter
is gone, even by kill -9, the pipe ends, and the guard kills the group: the server, and all that its classes started.
"""

from __future__ import annotations

import os
import signal
from typing import NoReturn


def start(lifeline: int) -> None:
    """Forks the guard; to be called before any thread is started and by the leader of a process group.

    Args:
        lifeline: the reading end of the pipe.
    """
    if os.fork() == 0:
        _watch(lifeline)
    os.close(lifeline)


def _watch(lifeline: int) -> NoReturn:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_RDWR)
    for output in (1, 2):  # lest a log's reader wait for the guard
        os.dup2(nothing, output)
    while os.read(lifeline, 64):
        pass
    os.killpg(0, signal.SIGKILL)
    os._exit(1)
