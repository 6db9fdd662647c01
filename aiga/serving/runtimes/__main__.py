"""`python -m aiga.serving.runtimes FOLDER [--guarded]`: serves the models of a folder.

With `--guarded` standard input is a pipe of who started it, and the server ends with that one.
"""

from __future__ import annotations

import os
import sys

from aiga.serving.runtimes import guard


def main(arguments: list[str]) -> None:
    folder = arguments[0]
    if "--guarded" in arguments:
        if os.getpgrp() != os.getpid():
            os.setpgid(0, 0)
        guard.start(os.dup(0))
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
    import asyncio

    import uvloop

    from aiga.serving.runtimes.server import serve

    uvloop.install()
    asyncio.run(serve(folder))


if __name__ == "__main__":
    main(sys.argv[1:])
