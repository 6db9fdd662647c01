"""The figures of a report, each an SVG text."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

INK, MUTED, LINE = "#1f2933", "#6b7785", "#dfe4ea"
BEST, REST, BAD = "#1769aa", "#9fb3c8", "#c0392b"
SEVERAL = ("#1769aa", "#d9822b", "#1a7f4b", "#8e44ad", "#c0392b", "#16a0b0", "#7f6a4d", "#6b7785")
"""Colours of things of equal rank."""
STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "svg.fonttype": "none",
    "svg.hashsalt": "aiga",
}


def trials(table: Sequence[Mapping[str, Any]], metric: str) -> str:
    """The objective of each trial in the order of their numbers, with the best so far."""
    with mpl.rc_context(STYLE):
        drawn, axes = canvas(6.4, 2.8)
        known = sorted((t for t in table if t["value"] is not None), key=lambda t: t["number"])
        complete = [t for t in known if t["state"] == "complete"]
        pruned = [t for t in known if t["state"] == "pruned"]
        best = min(complete, key=lambda t: t["rank"], default=None)
        axes.scatter(
            [t["number"] for t in pruned], [t["value"] for t in pruned], color=REST, marker="x", label="pruned"
        )
        axes.scatter([t["number"] for t in complete], [t["value"] for t in complete], color=REST, label="complete")
        if best is not None:
            axes.scatter([best["number"]], [best["value"]], color=BEST, s=60, label=f"best: trial {best['number']}")
        axes.set(xlabel="trial", ylabel=metric, title=f"{metric} by trial")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(frameon=False, loc="best")
        return svg(drawn)


def parameters(table: Sequence[Mapping[str, Any]], metric: str) -> str:
    """The objective against each parameter, side by side."""
    known = [t for t in table if t["value"] is not None and t["parameters"]]
    names = list(dict.fromkeys(name for t in known for name in t["parameters"]))
    with mpl.rc_context(STYLE):
        drawn = Figure(figsize=(max(6.4, 2.4 * len(names)), 2.6), layout="constrained")
        panels = np.atleast_1d(np.asarray(drawn.subplots(1, len(names), sharey=True)))
        for axes, name in zip(panels, names, strict=True):
            values = [t["parameters"][name] for t in known]
            best = min(known, key=lambda t: t["rank"])
            if all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
                low, high = min(values), max(values)
                if low > 0 and high / low > 30:
                    axes.set_xscale("log")
                points: list[Any] = values
                marked: Any = best["parameters"][name]
            else:
                order = sorted({str(v) for v in values})
                points, marked = [order.index(str(v)) for v in values], order.index(str(best["parameters"][name]))
                axes.set_xticks(range(len(order)), order)
            axes.scatter(points, [t["value"] for t in known], color=REST, s=18)
            axes.scatter([marked], [best["value"]], color=BEST, s=50)
            axes.set_xlabel(name)
        panels[0].set_ylabel(metric)
        return svg(drawn)


def curves(lines: Mapping[str, Sequence[tuple[float, float]]], metric: str, best: str) -> str:
    """A metric as it developed: one line a trial, the winner's in colour."""
    with mpl.rc_context(STYLE):
        drawn, axes = canvas(6.4, 2.8)
        for name, points in lines.items():
            steps, values = zip(*points, strict=True)
            mine = name == best
            axes.plot(steps, values, color=BEST if mine else REST, lw=1.8 if mine else 0.9, zorder=2 if mine else 1)
        axes.set(xlabel="step", ylabel=metric, title=f"{metric} while training ({best} in blue)")
        return svg(drawn)


def colours(count: int) -> list[str]:
    """One for each of several things, the same in all figures of a page."""
    return [SEVERAL[number % len(SEVERAL)] for number in range(count)]


def bars(values: Mapping[str, float], metric: str, colour: Mapping[str, str]) -> str:
    """A metric of several runs, one below the other in the order given; one that is not finite is only named."""
    with mpl.rc_context(STYLE):
        drawn, axes = canvas(6.4, 0.7 + 0.3 * len(values))
        finite = {name: value if math.isfinite(value) else 0.0 for name, value in values.items()}
        drawn_bars = axes.barh(list(values), list(finite.values()), color=[colour[name] for name in values], height=0.6)
        axes.bar_label(drawn_bars, [f"{value:.4g}" for value in values.values()], padding=4, color=INK)
        axes.invert_yaxis()
        axes.margins(x=0.12)
        axes.set(title=metric)
        axes.tick_params(length=0)
        return svg(drawn)


def overlaid(lines: Mapping[str, Sequence[tuple[float, float]]], metric: str, colour: Mapping[str, str]) -> str:
    """A metric of several runs as it developed."""
    with mpl.rc_context(STYLE):
        drawn, axes = canvas(6.4, 2.8)
        for name, points in lines.items():
            steps, values = zip(*points, strict=True)
            marker = "o" if len(points) < 20 else ""
            axes.plot(steps, values, color=colour[name], lw=1.6, marker=marker, ms=3, label=name)
        if all(step == int(step) for points in lines.values() for step, _ in points):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(xlabel="step", ylabel=metric, title=f"{metric} by step")
        axes.legend(frameon=False, loc="best", fontsize=8)
        return svg(drawn)


def confusion(expected: npt.NDArray[Any], predicted: npt.NDArray[Any]) -> str:
    """How often each class was taken for each other; the diagonal is right."""
    classes = sorted({*expected.tolist(), *predicted.tolist()}, key=lambda c: (str(type(c)), c))
    place = {c: i for i, c in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)), dtype=int)
    for e, p in zip(expected.tolist(), predicted.tolist(), strict=True):
        counts[place[e], place[p]] += 1
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    with mpl.rc_context(STYLE):
        side = max(3.2, 0.42 * len(classes) + 1)
        drawn, axes = canvas(side, side)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for row, column in zip(*np.nonzero(counts), strict=True):
            dark = shares[row, column] > 0.5
            colour = "white" if dark else BAD if row != column else INK
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=colour, fontsize=8)
        names = [str(c) for c in classes]
        axes.set_xticks(range(len(classes)), names)
        axes.set_yticks(range(len(classes)), names)
        axes.set(xlabel="predicted", ylabel="expected", title="Confusion")
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        return svg(drawn)


def residuals(expected: npt.NDArray[Any], predicted: npt.NDArray[Any]) -> str:
    """Predicted against expected; the line is right."""
    with mpl.rc_context(STYLE):
        drawn, axes = canvas(4, 4)
        axes.scatter(expected, predicted, s=8, color=BEST, alpha=0.5)
        ends = [min(expected.min(), predicted.min()), max(expected.max(), predicted.max())]
        axes.plot(ends, ends, color=MUTED, lw=1)
        axes.set(xlabel="expected", ylabel="predicted", title="Predictions")
        return svg(drawn)


def canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of so many inches with one pair of axes."""
    drawn = Figure(figsize=(width, height), layout="constrained")
    return drawn, drawn.subplots()


def svg(drawn: Figure) -> str:
    """The element alone, that stands inside a page."""
    out = io.StringIO()
    drawn.savefig(out, format="svg", metadata={"Date": None})
    return re.sub(r"^.*?(?=<svg)", "", out.getvalue(), count=1, flags=re.DOTALL)
