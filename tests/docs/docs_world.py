"""The pages people read, taken apart: links, headings, code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
WORKFLOWS = sorted([*(ROOT / ".github").rglob("*.yaml"), *(ROOT / ".github").rglob("*.yml")])


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def links(page: Path) -> Iterator[str]:
    """Targets of links and pictures."""
    for match in re.finditer(r"!?\[[^\]]*\]\(([^)\s]+)\)", prose(page)):
        yield match[1]


def anchors(page: Path) -> set[str]:
    """What `#…` may name, as GitHub makes it of headings."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.strip().lower().replace("`", "")).replace(" ", "-")
        found.add(next(s for s in (slug, *(f"{slug}-{n}" for n in range(1, 99))) if s not in found))
    return found


def code(page: Path) -> Iterator[str]:
    """Every piece of code, in a block or in a line."""
    text = page.read_text()
    yield from re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    yield from re.findall(r"`([^`\n]+)`", prose(page))


def targets() -> set[str]:
    """The Makefile's."""
    return set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def variables() -> set[str]:
    """What the Makefile reads."""
    return set(re.findall(r"\$\((?:if \$\()?([A-Z_]+)\)", (ROOT / "Makefile").read_text()))
