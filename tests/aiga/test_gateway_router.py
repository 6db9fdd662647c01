"""Which predictor a request goes to."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiga.serving.gateway.router import Route, Router

CALLERS = [f"caller-{number}" for number in range(2000)]


def router(seed: int | None = 7, **weights: float) -> Router:
    return Router((Route(name, weight) for name, weight in weights.items()), seed)


def bound(count: int, share: float) -> float:
    """Five standard deviations of a binomial count."""
    return 5 * math.sqrt(count * share * (1 - share))


@pytest.mark.parametrize("seed", range(5))
def test_traffic_splits_ninety_to_ten_within_the_binomial_bound(seed: int) -> None:
    chooses = router(seed, main=90, canary=10)
    canary = sum(chooses.choose() == "canary" for _ in range(10_000))
    assert abs(canary - 1000) <= bound(10_000, 0.1)


def test_the_same_seed_chooses_the_same_predictors() -> None:
    first, second = router(3, main=50, canary=50), router(3, main=50, canary=50)
    assert [first.choose() for _ in range(200)] == [second.choose() for _ in range(200)]


def test_a_predictor_of_all_the_traffic_gets_all_of_it_and_one_of_none_gets_none() -> None:
    assert {router(main=100, canary=0).choose() for _ in range(1000)} == {"main"}


def test_callers_share_out_by_weight_and_each_stays_with_its_predictor() -> None:
    chooses = router(main=70, canary=20, other=10)
    chosen = {caller: chooses.choose(key=caller) for caller in CALLERS}
    assert chosen == {caller: chooses.choose(key=caller) for caller in CALLERS}
    for name, share in (("main", 0.7), ("canary", 0.2), ("other", 0.1)):
        assert abs(list(chosen.values()).count(name) - share * 2000) <= bound(2000, share)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.floats(0.5, 50), min_size=2, max_size=4),
    st.integers(0, 3),
    st.floats(1.1, 10),
)
def test_when_one_share_grows_callers_move_only_to_it(weights: list[float], index: int, growth: float) -> None:
    names = [f"p{number}" for number in range(len(weights))]
    grown = names[index % len(names)]
    before = Router(Route(name, weight) for name, weight in zip(names, weights, strict=True))
    after = Router(
        Route(name, weight * growth if name == grown else weight) for name, weight in zip(names, weights, strict=True)
    )
    for caller in CALLERS[:200]:
        was, now = before.choose(key=caller), after.choose(key=caller)
        assert now in (was, grown), "a caller was moved though its predictor's share has not shrunk"


def test_a_caller_moves_to_another_predictor_only_while_its_own_is_excluded() -> None:
    chooses = router(main=50, canary=50)
    canary = [caller for caller in CALLERS if chooses.choose(key=caller) == "canary"]
    assert {chooses.choose(key=caller, excluded=["canary"]) for caller in canary} == {"main"}
    assert {chooses.choose(key=caller) for caller in canary} == {"canary"}


def test_a_named_predictor_is_taken_even_without_a_share() -> None:
    chooses = router(main=100, canary=0)
    assert chooses.choose(variant="canary") == "canary"
    assert chooses.choose(variant="nobody") == "main"


def test_a_named_predictor_that_is_excluded_gives_way() -> None:
    assert router(main=100, canary=0).choose(variant="canary", excluded=["canary"]) == "main"


def test_nobody_is_chosen_where_all_with_a_share_are_excluded() -> None:
    chooses = router(main=100, canary=0)
    assert chooses.choose(excluded=["main"]) is None, "one without a share must not get what was taken from it"


def test_without_one_of_three_the_others_share_in_proportion() -> None:
    chooses = router(main=60, canary=30, other=10)
    chosen = [chooses.choose(excluded={"other"}) for _ in range(9000)]
    assert abs(chosen.count("canary") - 3000) <= bound(9000, 1 / 3)
