"""Why a server ended, from the end of its log."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from aiga.serving.servers import logs
from aiga.serving.servers.logs import last_words

TRACEBACK = """INFO: starting
Traceback (most recent call last):
  File "x.py", line 1, in <module>
    load()
mlserver.errors.ModelNotFound: Model m not found
INFO: finished
"""


@pytest.mark.parametrize(
    ("text", "code", "expected"),
    [
        (
            f"{TRACEBACK}aiga: model m: cannot be loaded: no file\nINFO: later\n",
            2,
            "model m: cannot be loaded: no file",
        ),
        (TRACEBACK, 1, "it ended with exit code 1: mlserver.errors.ModelNotFound: Model m not found (see LOG)"),
        ("ValueError: bad\n", 1, "it ended with exit code 1: ValueError: bad (see LOG)"),
        ("one\ntwo\n\n", 1, "it ended with exit code 1: two (see LOG)"),
        ("", None, "it runs: it said nothing (see LOG)"),
        (TRACEBACK, -signal.SIGKILL, "it was ended by SIGKILL (see LOG)"),
    ],
)
def test_the_line_that_tells_most_is_found(tmp_path: Path, text: str, code: int | None, expected: str) -> None:
    log = tmp_path / "server.log"
    log.write_text(text)
    assert last_words(log, code) == expected.replace("LOG", str(log))


def test_only_the_end_of_a_long_log_is_read_and_a_missing_one_is_empty(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text("aiga: long ago\n" + "x\n" * 100_000 + "ValueError: now\n")
    assert "ValueError: now" in last_words(log, 1)
    assert "it said nothing" in last_words(tmp_path / "none.log", 1)


def test_what_an_earlier_start_said_does_not_count(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text("aiga: long ago\n")
    start = logs.begin(log)
    log.write_text("aiga: long ago\nValueError: now\n")
    assert logs.last_words(log, 1, start).startswith("it ended with exit code 1: ValueError: now")


def test_a_log_does_not_grow_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MOST", 10)
    log = tmp_path / "server.log"
    log.write_text("x" * 11)
    assert logs.begin(log) == 0 and not log.exists() and (tmp_path / "server.log.1").exists()
