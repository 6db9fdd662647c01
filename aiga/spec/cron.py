"""Cron lines of five fields, in UTC: whether one is valid, and which minutes it means."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime, timedelta

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_LEAP_YEAR = 2024
_LONGEST_WAIT = 366 * 60
"""Days: a 29th of February that is also one of some weekdays is decades away."""


@dataclass(frozen=True)
class Times:
    """The minutes that a cron line means."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """0 is Sunday."""
    either: bool
    """Whether a day fits by its number or its weekday (both are restricted), as cron has it; else by both."""

    def fits(self, day: datetime) -> bool:
        """Whether anything happens on the day."""
        by_number, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        right = (by_number or by_weekday) if self.either else (by_number and by_weekday)
        return right and day.month in self.months

    def after(self, moment: datetime) -> datetime:
        """The first minute of the line that is later than `moment`, in its time zone."""
        start = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
        for ahead in range(_LONGEST_WAIT):
            day = start + timedelta(days=ahead)
            if not self.fits(day):
                continue
            for hour in sorted(self.hours):
                for minute in sorted(self.minutes):
                    found = day.replace(hour=hour, minute=minute)
                    if found >= start:
                        return found
        raise AssertionError("a valid line comes within decades")


def times(line: str) -> Times:
    """The minutes of a line such as `0 3 * * 0`.

    Raises:
        ValueError: it is no cron line, or one that never comes.
    """
    parts = line.split()
    if len(parts) != 5:
        raise ValueError(f"it has {len(parts)} fields, not minute, hour, day, month and weekday")
    minute, hour, day, month, weekday = parts
    found = Times(
        minutes=_field("minute", minute, 0, 59),
        hours=_field("hour", hour, 0, 23),
        days=_field("day", day, 1, 31),
        months=_field("month", month, 1, 12, _MONTHS),
        weekdays=frozenset(number % 7 for number in _field("weekday", weekday, 0, 7, _DAYS)),
        either=not day.startswith("*") and not weekday.startswith("*"),
    )
    if not found.either and not any(d <= monthrange(_LEAP_YEAR, m)[1] for d in found.days for m in found.months):
        raise ValueError(f"day {day} of month {month} never comes")
    return found


def _field(name: str, text: str, least: int, most: int, words: list[str] | None = None) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"(\*|(\w+)(?:-(\w+))?)(?:/([0-9]{1,4}))?", part)
        if not match:
            raise ValueError(f"{name} {part} is not *, a number, a range or steps of them")
        _, first, last, step = match.groups()
        low = _number(name, first, least, most, words) if first else least
        high = _number(name, last, least, most, words) if last else most if step or not first else low
        if low > high:
            raise ValueError(f"{name} {part} falls")
        if step and int(step) == 0:
            raise ValueError(f"{name} {part} has steps of 0")
        found.update(range(low, high + 1, int(step or 1)))
    return frozenset(found)


def _number(name: str, text: str, least: int, most: int, words: list[str] | None) -> int:
    if words and text.lower() in words:
        return least + words.index(text.lower())
    if not re.fullmatch(r"[0-9]{1,2}", text) or not least <= int(text) <= most:
        raise ValueError(f"{name} {text} is not between {least} and {most}")
    return int(text)
