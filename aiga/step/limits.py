"""Bounds on what a step may use: processor cores and memory."""

from __future__ import annotations

import math
import os
import resource
import socket

from aiga.step.order import Limits

_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",
    "TF_NUM_INTRAOP_THREADS",
)


def threads(limits: Limits) -> dict[str, str]:
    """Environment that tells libraries how many threads to use; empty without a limit."""
    return {} if limits.cpu is None else dict.fromkeys(_THREADS, str(_cores(limits.cpu)))


def _cores(cpu: float) -> int:
    return max(1, math.ceil(cpu))


class Cores:
    """Cores that belong to this step while it runs, where the system can bind processes to cores (Linux).

    Each is claimed by a name among the abstract sockets, which one process may hold and which dies with it. So steps
    that run side by side get different cores; when too few are free, the system is left to share them out.
    """

    def __init__(self, limits: Limits) -> None:
        self.claimed: set[int] = set()
        self._claims: list[socket.socket] = []
        if limits.cpu is None or not hasattr(os, "sched_setaffinity"):
            return
        wanted, there = _cores(limits.cpu), sorted(os.sched_getaffinity(0))
        if wanted >= len(there):
            return
        for core in there:
            if len(self.claimed) < wanted and (claim := _claim(core)) is not None:
                self._claims.append(claim)
                self.claimed.add(core)
        if len(self.claimed) < wanted:
            self.release()

    def bind(self) -> None:
        """Binds the calling process, and all it starts, to the cores."""
        if self.claimed:
            os.sched_setaffinity(0, self.claimed)

    def release(self) -> None:
        for claim in self._claims:
            claim.close()
        self._claims.clear()
        self.claimed.clear()


def _claim(core: int) -> socket.socket | None:
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claim.bind(f"\0aiga-core-{core}")
    except OSError:
        claim.close()
        return None
    return claim


def bound_memory(limits: Limits) -> None:
    """Bounds the data of the calling process, and of each that it starts: past it Python raises MemoryError.

    The bound is on private writable memory (RLIMIT_DATA), not on addresses: those are reserved in plenty by
    accelerators' drivers and thread pools that never use them.
    """
    if limits.memory is None:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = limits.memory if hard == resource.RLIM_INFINITY else min(limits.memory, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
