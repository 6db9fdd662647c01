"""What a message or a page tells people to type works as it stands, with no virtualenv active."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from stacks.remedies import make
from stacks.workdir import ROOT

CODE = sorted(
    file for folder in ("stacks", "tools", "components", "simulator", "kube") for file in (ROOT / folder).rglob("*.py")
)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def strings(file: Path) -> Iterator[str]:
    """What is told, line by line: of code all but docstrings and usage lines."""
    for line in file.read_text().splitlines():
        told = line.strip()
        if not (told.startswith(('"""', "`", "#", "argparse", "parser =", "raise SystemExit"))):
            yield told


def test_a_remedy_is_spelled_as_it_is_typed() -> None:
    assert make("resume", "prod") == "`make resume STACK=prod`"
    assert make("secret", "dev", KEY="a.b") == "`make secret KEY=a.b STACK=dev`"
    assert make("backup-key", FILE="my keys.yaml") == "`make backup-key FILE='my keys.yaml'`"


@pytest.mark.parametrize("file", [*PAGES, *CODE], ids=lambda file: str(file.relative_to(ROOT)))
def test_every_command_told_can_be_typed(file: Path) -> None:
    known = targets()
    assert {"up", "secret", "forget", "resume", "backup-key", "lock"} <= known
    for told in strings(file):
        for target in re.findall(r"`make ([a-z][a-z-]*)", told):
            assert target in known, told
        for target in re.findall(r"\bmake\('([a-z-]+)'", told):
            assert target in known, told
        bare = re.search(r"(?<![\w/])python -m (stacks|tools|simulator|components)\b", told)
        assert bare is None, f"needs an active virtualenv: {told}"


def test_make_help_lists_every_target_with_what_it_does() -> None:
    listed = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in targets() - {"help"}:
        assert re.search(rf"^  make {target} +\S", listed, re.MULTILINE), target
