"""The commit that the project's folder is at, and what differs from it."""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_LONGEST = 30.0
"""Seconds that Git may take, after which nothing is recorded of it."""
_HERE = ("--", ".", ":(exclude,glob)**/.aiga/**", ":(exclude,glob)**/__pycache__/**")
"""What runs leave in the folder is none of its source."""
_ASKED = (
    ("rev-parse", "HEAD"),
    ("diff", "HEAD", "--binary", "--no-color", "--no-ext-diff", *_HERE),
    ("ls-files", "--others", "--exclude-standard", "-z", *_HERE),
)


@dataclass(frozen=True)
class Commit:
    """Where the folder stands."""

    commit: str
    dirty: str | None
    """`sha256:` of the difference to the commit and the names of files that Git does not know; None for a clean one."""


class Asked:
    """Git, asked about a folder, and answering while something else is done."""

    def __init__(self, folder: Path) -> None:
        self._running: list[tuple[subprocess.Popen[bytes], IO[bytes]]] = []
        for words in _ASKED:
            answer = tempfile.TemporaryFile()  # noqa: SIM115 - closed when it is read
            command = ["git", "-c", "safe.directory=*", "--no-optional-locks", *words]
            try:
                started = subprocess.Popen(
                    command, cwd=folder, stdin=subprocess.DEVNULL, stdout=answer, stderr=subprocess.DEVNULL
                )
            except OSError:
                answer.close()
                return
            self._running.append((started, answer))

    def answer(self) -> Commit | None:
        """The commit; None where there is no Git, no repository or no commit yet."""
        answers = [_answer(process, file) for process, file in self._running]
        self._running = []
        if len(answers) != len(_ASKED) or any(each is None for each in answers):
            return None
        commit, difference, unknown = (each or b"" for each in answers)
        dirty = hashlib.sha256(difference + b"\0" + unknown).hexdigest() if difference or unknown else None
        return Commit(commit.decode().strip(), dirty and f"sha256:{dirty}")


def _answer(process: subprocess.Popen[bytes], file: IO[bytes]) -> bytes | None:
    with file:
        try:
            if process.wait(_LONGEST) == 0:
                file.seek(0)
                return file.read()
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()
    return None
