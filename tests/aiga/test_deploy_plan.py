"""Which versions are served, and their shares."""

from __future__ import annotations

import pytest

from aiga.errors import UserError
from aiga.serving.deploy.plan import Beside, Version, first_share, mirrored, shares, sticky, versions
from aiga.spec.serve import Serve


def block(**said: object) -> Serve:
    return Serve.model_validate(said)


CANARY = block(strategy={"type": "canary", "steps": [5, 50, 100]})
SPLIT = block(strategy={"type": "ab", "share": 30, "header": "x-caller"})


@pytest.mark.parametrize(
    ("text", "beside"),
    [("2", Beside("2")), ("2=25", Beside("2", 25)), ("staging=2.5%", Beside("staging", 2.5)), ("a@3", Beside("a@3"))],
)
def test_a_further_version_is_written_with_or_without_its_share(text: str, beside: Beside) -> None:
    assert Beside.parse(text) == beside


@pytest.mark.parametrize("text", ["", "2=", "2=0", "2=100", "2=many", "a b"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"version|share"):
        Beside.parse(text)


def test_alone_a_version_gets_everything() -> None:
    assert versions("digits", block(), None, None) == [Version("main", "digits", 100)]
    assert versions("digits", block(model="iris@3"), None, None) == [Version("main", "iris@3", 100)]


@pytest.mark.parametrize(("serve", "share"), [(CANARY, 5), (SPLIT, 30), (block(), 10)])
def test_a_canary_begins_with_what_the_strategy_gives_it(serve: Serve, share: float) -> None:
    assert first_share(serve) == share
    found = versions("digits", serve, Beside("2"), None)
    assert found == [Version("main", "digits", 100 - share), Version("canary", "digits@2", share)]


def test_a_shadow_has_no_share() -> None:
    found = versions("digits", block(), Beside("2", 20), Beside("staging"))
    assert [(v.name, v.weight) for v in found] == [("main", 80), ("canary", 20), ("shadow", 0)]
    assert found[2].at == "digits@staging"


def test_another_share_leaves_everything_else() -> None:
    before = versions("digits", CANARY, Beside("2"), Beside("3"))
    after = shares(before, 50)
    assert [(v.name, v.at, v.weight) for v in after] == [
        ("main", "digits", 50),
        ("canary", "digits@2", 50),
        ("shadow", "digits@3", 0),
    ]


def test_only_a_split_keeps_callers_and_only_a_shadow_mirrors() -> None:
    assert sticky(SPLIT) == "x-caller"
    assert sticky(CANARY) is None
    assert mirrored(block(strategy={"type": "shadow"}))
    assert not mirrored(CANARY)
