"""What became of some traffic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

NOBODY = ""
"""Predictor of a request that none answered, or whose answer does not say which did."""
PERCENTILES = (50, 90, 95, 99)


@dataclass(frozen=True, eq=False)
class Summary:
    """Every request of a while, in the order in which they were due; all arrays have one entry for each."""

    seconds: float
    """From the first request to the last answer."""
    due: npt.NDArray[np.float64]
    """When each was to be sent, in seconds from the start."""
    latencies: npt.NDArray[np.float64]
    """Seconds from when it was due to the end of its answer, or to its failure."""
    rows: npt.NDArray[np.int64]
    """Index of the row that it sent."""
    statuses: npt.NDArray[np.int64]
    """Of HTTP; 0 where no answer came."""
    predictors: Sequence[str]
    answers: Sequence[Any]
    """The first output for the row: its value, or the place of the greatest of several numbers; None of a failure."""

    @property
    def requests(self) -> int:
        return len(self.due)

    @property
    def failed(self) -> npt.NDArray[np.bool_]:
        return (self.statuses < 200) | (self.statuses > 299)

    @property
    def errors(self) -> int:
        return int(self.failed.sum())

    @property
    def counts(self) -> Mapping[str, int]:
        """Answered requests of each predictor."""
        answered = (name for name, failed in zip(self.predictors, self.failed.tolist(), strict=True) if not failed)
        return dict(sorted(Counter(answered).items()))

    @property
    def percentiles(self) -> Mapping[int, float]:
        """Latencies in seconds of answered requests; empty without any."""
        answered = self.latencies[~self.failed]
        if not len(answered):
            return {}
        return dict(zip(PERCENTILES, np.percentile(answered, PERCENTILES).tolist(), strict=True))

    def __str__(self) -> str:
        parts = [f"{self.requests} requests in {self.seconds:.1f} s", f"{self.errors} errors"]
        parts += [f"{name or 'unnamed'} {count}" for name, count in self.counts.items()]
        parts += [f"p{share} {seconds * 1000:.1f} ms" for share, seconds in self.percentiles.items()]
        return ", ".join(parts)
