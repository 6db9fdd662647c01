"""`python -m aiga.serving.gateway CONFIG.json` serves what the file says; SIGTERM drains, SIGHUP reads it again.

With `--guarded` it drains too when its standard input ends: see `aiga.serving.gateway.names`.
"""

from __future__ import annotations

import gc
import logging
import sys
from pathlib import Path

import uvloop

from aiga.errors import AigaError
from aiga.serving.gateway.names import GUARDED
from aiga.serving.gateway.process import serve


def main(arguments: list[str]) -> int:
    guarded = GUARDED in arguments
    files = [word for word in arguments if word != GUARDED]
    if len(files) != 1:
        print(f"usage: python -m aiga.serving.gateway CONFIG.json [{GUARDED}]", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        uvloop.run(serve(Path(files[0]), told=_keep, guarded=guarded))
    except AigaError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def _keep(address: str, grpc_port: int | None) -> None:
    """What is there once it listens stays: predictions need not wait while the collector looks through all of it."""
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
