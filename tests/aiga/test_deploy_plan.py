"""Which versions are served, and their shares."""

from __future__ import annotations

import pytest

from aiga.errors import UserError
from aiga.serving.deploy.plan import Beside, Version, first_share, sticky, versions
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


def test_other_versions_are_of_the_model_that_is_served() -> None:
    found = versions("digits", block(model="iris@3"), Beside("2"), Beside("staging"))
    assert [v.at for v in found] == ["iris@3", "iris@2", "iris@staging"]


def test_a_version_that_is_to_see_copies_alone_gets_no_traffic_unasked() -> None:
    shadow = block(strategy={"type": "shadow"})
    with pytest.raises(UserError, match=r"copies of the traffic alone \(--shadow staging; --canary staging=10"):
        versions("digits", shadow, Beside("staging"), None)
    assert [v.weight for v in versions("digits", shadow, Beside("staging", 10), None)] == [90, 10]


def test_a_class_without_a_model_has_no_versions() -> None:
    custom = block(server="custom", run="a:B")
    with pytest.raises(UserError, match="2: a:B is served without a model"):
        versions("digits", custom, Beside("2"), None, trained=False)
    assert len(versions("digits", custom, Beside("2"), None)) == 2


def test_only_a_split_keeps_callers() -> None:
    assert sticky(SPLIT) == "x-caller"
    assert sticky(CANARY) is None
    assert sticky(block(strategy={"type": "ab", "header": "X-User"})) == "x-user", "as the gateway compares it"
