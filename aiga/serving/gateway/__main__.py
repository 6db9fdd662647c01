"""`python -m aiga.serving.gateway CONFIG.json` serves what the file says; SIGTERM drains, SIGHUP reads it again."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import uvloop

from aiga.errors import AigaError
from aiga.serving.gateway.process import serve


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m aiga.serving.gateway CONFIG.json", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        uvloop.run(serve(Path(arguments[0])))
    except AigaError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
