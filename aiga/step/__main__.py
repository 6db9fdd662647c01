"""`python -m aiga.step ORDER.json`: one try of a step, with the exit codes of `aiga.step.exits`."""

from __future__ import annotations

import sys
from pathlib import Path

from aiga.errors import AigaError
from aiga.step.exits import MISTAKE
from aiga.step.order import Order
from aiga.step.run import run


def main(argv: list[str]) -> int:
    """Runs the step whose order is the only argument; returns the exit code."""
    if len(argv) != 1:
        print("usage: python -m aiga.step ORDER.json", file=sys.stderr)
        return MISTAKE
    try:
        return run(Order.read(Path(argv[0])))
    except AigaError as error:
        print(f"aiga: {error}", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
