"""Images without a digest in the lock are told of, and a careful stack takes none."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pulumi
import pytest

from components.upstream import Image, Upstream

LOOSE = Image("loose", "example.org/loose:1", None, "MIT")
FAST = Image("fast", "example.org/fast:1", "sha256:f", "MIT")


def test_images_without_a_digest_are_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", said.append)
    Upstream().check([], [LOOSE, FAST, dataclasses.replace(LOOSE, name="other")])
    (line,) = said
    assert line.endswith("(`make lock`): loose, other")
    Upstream().check([], [dataclasses.replace(LOOSE, name=str(i)) for i in range(9)])
    assert said.pop().endswith("0, 1, 2, 3 and 5 more")
    Upstream().check([], [FAST])
    assert said == [line]


def test_a_careful_stack_takes_no_image_without_a_digest() -> None:
    careful = Upstream(allow_unverified=False)
    careful.check([], [FAST])
    with pytest.raises(pulumi.RunError) as error:
        careful.check([], [FAST, LOOSE])
    assert "fast" not in str(error.value)
    for part in ("upstream.lock.yaml: images:", ": loose (", "make lock", "aiga:allowUnverified"):
        assert part in str(error.value)


def test_images_are_nobodys_business_where_none_is_pulled(tmp_path: Path) -> None:
    Upstream(standins=tmp_path, allow_unverified=False).check([], [LOOSE])
