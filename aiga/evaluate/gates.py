"""Whether a candidate passes its gates: one verdict each, with a sentence that says why.

A value that is undefined never passes, nor does a gate that had nothing to judge.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from aiga.errors import UserError
from aiga.evaluate.bootstrap import interval
from aiga.evaluate.metrics import COMPUTED, compute
from aiga.evaluate.slices import SliceScore, scored
from aiga.evaluate.table import Predictions
from aiga.spec.base import seconds
from aiga.spec.evaluate import GapGate, Gate, LatencyGate, ProductionGate, SliceGate, ThresholdGate

Latency = Callable[[LatencyGate], float]
"""Seconds that the gate judges."""
G = TypeVar("G", bound=Gate)


@dataclass(frozen=True)
class Scores:
    """What is known of a model after evaluation."""

    table: Predictions | None
    """Its table of predictions; None where it wrote none."""
    reported: Mapping[str, float] = field(default_factory=dict)
    """Metrics that are known besides: those that the evaluation itself reported."""

    def value(self, metric: str) -> float:
        """The metric: computed of the table if aiga can, else as it was reported.

        Raises:
            UserError: nobody reports it, or the table lacks what it needs.
        """
        if metric in COMPUTED and self.table is not None:
            return compute(self.table, [metric])[metric]
        if metric in self.reported:
            return float(self.reported[metric])
        known = ", ".join(dict.fromkeys([*sorted(self.reported), *(COMPUTED if self.table is not None else ())]))
        raise UserError(f"{metric}: is neither reported nor computed (known are {known or 'none'})")

    def rows(self, metric: str) -> Predictions:
        """The table that a gate on single rows needs.

        Raises:
            UserError: there is none, or the metric is not computed of rows.
        """
        if self.table is None:
            raise UserError(f"{metric}: needs the table of predictions, and the evaluation wrote none")
        if metric not in COMPUTED:
            raise UserError(f"{metric}: must be computed of rows: one of {', '.join(COMPUTED)}")
        return self.table


@dataclass(frozen=True)
class Verdict:
    """What came of one gate."""

    gate: str
    """What it asks, for people to read."""
    kind: str
    passed: bool
    value: float | None
    """What was judged: a metric, a difference, seconds; of slices the worst. None where it is undefined."""
    bound: float | None
    reason: str
    """A sentence."""
    detail: dict[str, Any] = field(default_factory=dict)
    """The numbers behind it, as JSON can hold them."""

    def plain(self) -> dict[str, Any]:
        """As JSON and YAML can hold it."""
        return asdict(self)


def judge(
    gates: Iterable[Gate], candidate: Scores, production: Scores | None = None, latency: Latency | None = None
) -> list[Verdict]:
    """One verdict for each gate, in their order; what cannot be judged fails and says why."""
    return [_judged(gate, candidate, production, latency) for gate in gates]


def described(gate: Gate) -> str:
    """What a gate asks, in a few words."""
    match gate:
        case ThresholdGate():
            return f"{gate.metric} {_bounds(gate)}"
        case SliceGate():
            return f"{gate.metric} of every {gate.by} {_bounds(gate)}"
        case GapGate():
            return f"{gate.metric} differs by at most {gate.max:g} between values of {gate.by}"
        case ProductionGate():
            better = "above" if gate.goal == "max" else "below"
            return f"{gate.metric} at least {gate.min_delta:g} {better} production ({gate.confidence:.0%} sure)"
        case LatencyGate():
            return f"percentile {gate.percentile:g} of latency at most {gate.max}"
    raise AssertionError(f"no such gate: {gate!r}")


def number(value: float | None) -> float | None:
    """A value as JSON can hold it: None where it is undefined."""
    return None if value is None or math.isnan(value) else float(value)


def _judged(gate: Gate, candidate: Scores, production: Scores | None, latency: Latency | None) -> Verdict:
    try:
        match gate:
            case ThresholdGate():
                return _threshold(gate, candidate)
            case SliceGate():
                return _slices(gate, candidate)
            case GapGate():
                return _gap(gate, candidate)
            case ProductionGate():
                return _production(gate, candidate, production)
            case LatencyGate():
                return _latency(gate, latency)
    except UserError as error:
        return Verdict(described(gate), gate.kind, False, None, None, f"not judged: {error}")


def _threshold(gate: ThresholdGate, candidate: Scores) -> Verdict:
    value = candidate.value(gate.metric)
    passed, bound, words = _within(gate, value)
    return Verdict(
        described(gate), gate.kind, passed, number(value), bound, f"{gate.metric} is {_shown(value)}, {words}"
    )


def _slices(gate: SliceGate, candidate: Scores) -> Verdict:
    found = scored(candidate.rows(gate.metric), gate.metric, gate.by, gate.min_rows)
    judged = [(one, *_within(gate, one.value)) for one in found if one.judged]
    if not judged:
        return _nothing(gate, found, None)
    worst, passed, bound, words = min(judged, key=lambda case: (case[1], _margin(gate, case[0].value)))
    failed = sum(1 for case in judged if not case[1])
    reason = f"{gate.metric} of {gate.by}={worst.name} is {_shown(worst.value)}, {words} ({worst.rows} rows)"
    if failed > 1:
        reason += f"; {failed} of {len(judged)} slices fail"
    elif passed:
        reason = f"all {len(judged)} slices pass; the worst: {reason}"
    return Verdict(described(gate), gate.kind, passed, number(worst.value), bound, reason + _left(found), _table(found))


def _gap(gate: GapGate, candidate: Scores) -> Verdict:
    found = scored(candidate.rows(gate.metric), gate.metric, gate.by, gate.min_rows)
    judged = [one for one in found if one.judged]
    if len(judged) < 2:
        return _nothing(gate, found, gate.max)
    undefined = [one for one in judged if math.isnan(one.value)]
    if undefined:
        reason = f"{gate.metric} of {gate.by}={undefined[0].name} is undefined ({undefined[0].rows} rows)"
        return Verdict(described(gate), gate.kind, False, None, gate.max, reason, _table(found))
    low, high = min(judged, key=lambda one: one.value), max(judged, key=lambda one: one.value)
    gap = high.value - low.value
    passed = gap <= gate.max
    reason = (
        f"{gate.metric} is {_shown(high.value)} for {gate.by}={high.name} and {_shown(low.value)} for "
        f"{gate.by}={low.name}: {_shown(gap)} apart, {'within' if passed else 'above'} {gate.max:g}{_left(found)}"
    )
    return Verdict(described(gate), gate.kind, passed, gap, gate.max, reason, _table(found))


def _production(gate: ProductionGate, candidate: Scores, production: Scores | None) -> Verdict:
    if production is None:
        return Verdict(described(gate), gate.kind, True, None, gate.min_delta, "there is no production model yet")
    found = interval(
        candidate.rows(gate.metric),
        production.rows(gate.metric),
        gate.metric,
        confidence=gate.confidence,
        resamples=gate.resamples,
    )
    bound, end = (gate.min_delta, found.low) if gate.goal == "max" else (-gate.min_delta, found.high)
    passed = end >= bound if gate.goal == "max" else end <= bound
    relation = (
        ("at least" if gate.goal == "max" else "at most")
        if passed
        else "not at " + ("least" if gate.goal == "max" else "most")
    )
    if math.isnan(end):
        reason = f"the difference in {gate.metric} is undefined in too many resamples"
    else:
        reason = (
            f"{gate.metric} is {_shown(abs(found.difference))} {'above' if found.difference >= 0 else 'below'} "
            f"production, between {found.low:+.4g} and {found.high:+.4g} with {gate.confidence:.0%} confidence: "
            f"the {'lower' if gate.goal == 'max' else 'upper'} end is {relation} {bound:g}"
        )
    detail = {
        "candidate": number(candidate.value(gate.metric)),
        "production": number(production.value(gate.metric)),
        "low": number(found.low),
        "high": number(found.high),
        "method": "paired bootstrap, percentile interval",
        "resamples": gate.resamples,
    }
    return Verdict(described(gate), gate.kind, passed, number(found.difference), bound, reason, detail)


def _latency(gate: LatencyGate, latency: Latency | None) -> Verdict:
    if latency is None:
        raise UserError("latency is measured of ONNX models alone, and the candidate is none")
    value, bound = latency(gate), seconds(gate.max)
    passed = value <= bound
    reason = (
        f"percentile {gate.percentile:g} of {gate.requests} predictions is {value * 1000:.3g} ms, "
        f"{'within' if passed else 'above'} {gate.max}"
    )
    return Verdict(described(gate), gate.kind, passed, number(value), bound, reason)


def _within(gate: ThresholdGate | SliceGate, value: float) -> tuple[bool, float | None, str]:
    """Whether a value is within the bounds, the bound that speaks, and how it stands to it."""
    if math.isnan(value):
        return False, gate.min if gate.min is not None else gate.max, "which never passes"
    if gate.min is not None and value < gate.min:
        return False, gate.min, f"below {gate.min:g}"
    if gate.max is not None and value > gate.max:
        return False, gate.max, f"above {gate.max:g}"
    if gate.min is not None:
        return True, gate.min, f"at least {gate.min:g}"
    return True, gate.max, f"at most {gate.max:g}"


def _margin(gate: SliceGate, value: float) -> float:
    """How far a value is inside the bounds; less than 0 outside them."""
    if math.isnan(value):
        return -math.inf
    sides = [value - gate.min] if gate.min is not None else []
    return min([*sides, *([gate.max - value] if gate.max is not None else [])])


def _bounds(gate: ThresholdGate | SliceGate) -> str:
    words = [f"at least {gate.min:g}"] if gate.min is not None else []
    return " and ".join([*words, *([f"at most {gate.max:g}"] if gate.max is not None else [])])


def _nothing(gate: SliceGate | GapGate, found: list[SliceScore], bound: float | None) -> Verdict:
    most = max((one.rows for one in found), default=0)
    reason = (
        f"not judged: {'no value' if gate.kind == 'slice' else 'fewer than two values'} of {gate.by} with "
        f"{gate.min_rows} rows, the most are {most} (evaluate on more data, or lower minRows)"
    )
    return Verdict(described(gate), gate.kind, False, None, bound, reason, _table(found))


def _left(found: list[SliceScore]) -> str:
    small = [one.name for one in found if not one.judged]
    return f"; too few rows to judge: {', '.join(small[:5])}{' …' if len(small) > 5 else ''}" if small else ""


def _table(found: list[SliceScore]) -> dict[str, Any]:
    return {
        "slices": [
            {"slice": one.name, "rows": one.rows, "value": number(one.value), "judged": one.judged} for one in found
        ]
    }


def _shown(value: float) -> str:
    return "undefined" if math.isnan(value) else f"{value:.4g}"
