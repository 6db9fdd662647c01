"""Cron lines: which are refused, and when they come."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from aiga.spec.cron import times


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("* * * *", "it has 4 fields"),
        ("60 * * * *", "minute 60 is not between 0 and 59"),
        ("* 24 * * *", "hour 24 is not between 0 and 23"),
        ("* * 0 * *", "day 0 is not between 1 and 31"),
        ("* * * 13 *", "month 13 is not between 1 and 12"),
        ("* * * * 8", "weekday 8 is not between 0 and 7"),
        ("*/0 * * * *", r"minute \*/0 has steps of 0"),
        ("5-1 * * * *", "minute 5-1 falls"),
        ("1, * * * *", "minute  is not"),
        ("x * * * *", "minute x is not between"),
        ("0 0 30 feb *", "day 30 of month feb never comes"),
        ("@daily", "it has 1 fields"),
    ],
)
def test_a_wrong_line_says_what_is_wrong(line: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        times(line)


@pytest.mark.parametrize(
    ("line", "after", "comes"),
    [
        ("0 3 * * 0", (2024, 5, 1, 12, 0), (2024, 5, 5, 3, 0)),
        ("0 3 * * 7", (2024, 5, 5, 3, 0), (2024, 5, 12, 3, 0)),
        ("*/15 * * * *", (2024, 5, 1, 12, 14), (2024, 5, 1, 12, 15)),
        ("5/20 * * * *", (2024, 5, 1, 12, 26), (2024, 5, 1, 12, 45)),
        ("0 9-17/4 * * mon-fri", (2024, 5, 3, 17, 0), (2024, 5, 6, 9, 0)),
        ("59 23 31 12 *", (2024, 12, 31, 23, 59), (2025, 12, 31, 23, 59)),
        ("0 0 29 2 *", (2096, 3, 1, 0, 0), (2104, 2, 29, 0, 0)),
        ("0 0 13 * fri", (2024, 5, 1, 0, 0), (2024, 5, 3, 0, 0)),
        ("0 0 1,15 jan,jul *", (2024, 1, 15, 0, 0), (2024, 7, 1, 0, 0)),
    ],
)
def test_a_line_comes_when_it_says(line: str, after: tuple[int, ...], comes: tuple[int, ...]) -> None:
    moment = datetime(after[0], after[1], after[2], after[3], after[4], tzinfo=UTC)
    assert times(line).after(moment) == datetime(comes[0], comes[1], comes[2], comes[3], comes[4], tzinfo=UTC)
