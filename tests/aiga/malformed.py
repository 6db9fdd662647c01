"""Bodies that are no requests, for tests of what servers do with them."""

from __future__ import annotations

import random
from collections.abc import Iterator


def malformed(good: bytes, number: int) -> Iterator[bytes]:
    """So many bodies: noise, a good one cut short or with one byte changed (now and then good still), deep nesting."""
    dice = random.Random(5)
    for turn in range(number):
        kind = turn % 5
        if kind == 0:
            yield bytes(dice.randrange(256) for _ in range(dice.randrange(60)))
        elif kind == 1:
            yield good[: dice.randrange(len(good))]
        elif kind == 2:
            place = dice.randrange(len(good))
            yield good[:place] + bytes([dice.randrange(256)]) + good[place + 1 :]
        elif kind == 3:
            yield b"[" * dice.randrange(1, 3000)
        else:
            yield b'{"inputs":' * dice.randrange(1, 200)
