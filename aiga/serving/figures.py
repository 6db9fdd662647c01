"""The figures of a report on traffic, each an SVG text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.ticker import PercentFormatter

from aiga.report import plots
from aiga.report.plots import BAD, BEST, INK, LINE, MUTED, REST
from aiga.serving.client.summary import NOBODY, Summary

COLOURS = (BEST, "#d9822b", "#2e8b57", REST, MUTED)
"""Of predictors, in their order."""
MAIN = "main"
WINDOWS = 12
"""Parts that the time is cut into."""
_SIGMA = 3
"""Standard deviations of a share that chance alone leaves, but for 3 in 1000 windows."""


def latency(summary: Summary) -> str:
    """How many answers took how long, by predictor, with the percentiles of all."""
    with mpl.rc_context(plots.STYLE):
        figure, axes = plots.canvas(6.4, 2.8)
        answered = ~summary.failed
        milliseconds = summary.latencies * 1000
        if answered.any():
            least, most = milliseconds[answered].min(), milliseconds[answered].max()
            edges = np.geomspace(max(least, 1e-3) * 0.98, max(most, 1e-3) * 1.02, 41)
            names = _names(summary)
            of = np.array(summary.predictors)
            groups = [milliseconds[answered & (of == name)] for name in names]
            labels = [f"{_shown(name)}: {len(group)}" for name, group in zip(names, groups, strict=True)]
            axes.hist(groups, edges.tolist(), stacked=True, color=_colours(names), label=labels)
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter("{x:g}")
            axes.xaxis.set_minor_formatter("")
            top = axes.get_ylim()[1] * 1.3  # room for the percentiles above the bars
            axes.set_ylim(0, top)
            for share, seconds in summary.percentiles.items():
                axes.axvline(seconds * 1000, color=INK, lw=0.8, ls=":")
                axes.text(seconds * 1000, top, f" p{share} {seconds * 1000:.3g}", rotation=90, va="top", fontsize=7)
            axes.legend(frameon=False, loc="upper left")
        title = f"Latency of {summary.requests} requests" + (f", {summary.errors} failed" if summary.errors else "")
        axes.set(xlabel="milliseconds", ylabel="requests", title=title)
        return plots.svg(figure)


def split(summary: Summary, weights: Mapping[str, float], windows: int = WINDOWS) -> str:
    """Each predictor's share of the answers over time, with the bounds within which chance leaves it.

    Args:
        summary: The traffic.
        weights: Share in percent that each predictor is to have.
        windows: Parts that the time is cut into.
    """
    with mpl.rc_context(plots.STYLE):
        figure, axes = plots.canvas(6.4, 2.8)
        edges, counts, shares = shares_over_time(summary, list(weights), windows)
        middles = (edges[:-1] + edges[1:]) / 2
        for (name, weight), share, colour in zip(weights.items(), shares, _colours(list(weights)), strict=True):
            target = weight / 100
            reach = bound(target, counts)
            low, high = np.clip(target - reach, 0, 1), np.clip(target + reach, 0, 1)
            axes.stairs(high, edges, baseline=low, fill=True, color=colour, alpha=0.15, lw=0)
            axes.hlines(target, edges[0], edges[-1], color=colour, lw=0.8, ls="--")
            within = (share >= low) & (share <= high)
            axes.plot(middles, share, color=colour, marker="o", ms=4, lw=1.2, label=f"{name}: {weight:g} %")
            axes.scatter(middles[~within], share[~within], color=BAD, s=40, zorder=3)
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.set(xlabel="seconds", ylabel="share of answers", ylim=(-0.03, 1.03), title="Traffic between predictors")
        axes.grid(axis="y", color=LINE, lw=0.6)
        axes.legend(frameon=False, loc="center right")
        return plots.svg(figure)


def confusion(summary: Summary, expected: Sequence[Any]) -> dict[str, str]:
    """Each predictor's answers beside what was expected of them; a table of counts of classes.

    Args:
        summary: The traffic.
        expected: The right answer to each row that it sent.
    """
    found: dict[str, str] = {}
    for name in _names(summary):
        mine = [
            (expected[row], answer)
            for row, answer, by in zip(summary.rows.tolist(), summary.answers, summary.predictors, strict=True)
            if by == name and answer is not None
        ]
        if mine:
            right, given = zip(*mine, strict=True)
            found[name] = plots.confusion(np.array(right), np.array(given))
    return found


def shares_over_time(summary: Summary, names: Sequence[str], windows: int) -> tuple[Any, Any, Any]:
    """Edges of the windows in seconds (windows + 1), answers in each (windows), each name's share (names, windows)."""
    answered = ~summary.failed
    end = max(float(summary.due[-1]), 1e-9) if summary.requests else 1.0
    edges = np.linspace(0, end, windows + 1)
    of = np.array(summary.predictors)
    counts = np.histogram(summary.due[answered], edges)[0]
    each = [np.histogram(summary.due[answered & (of == name)], edges)[0] for name in names]
    return edges, counts, np.stack(each) / np.where(counts, counts, np.nan)


def bound(share: float, counts: Any) -> Any:
    """How far from its share a fair choice leaves a predictor in windows of so many answers."""
    return _SIGMA * np.sqrt(share * (1 - share) / np.maximum(counts, 1))


def _names(summary: Summary) -> list[str]:
    """Predictors that answered, `main` first: each has the same colour in all figures."""
    return sorted(summary.counts, key=lambda name: (name != MAIN, name))


def _colours(names: Sequence[str]) -> list[str]:
    return [COLOURS[index % len(COLOURS)] for index, _ in enumerate(names)]


def _shown(name: str) -> str:
    return name if name != NOBODY else "not named"
