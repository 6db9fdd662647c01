"""Evaluation: metrics of a table of predictions, gates and suites that a candidate must pass, a monitor's baseline."""

from __future__ import annotations

from aiga.evaluate.gates import Scores, Verdict, judge
from aiga.evaluate.metrics import compute
from aiga.evaluate.table import Predictions, read

__all__ = ["Predictions", "Scores", "Verdict", "compute", "judge", "read"]
