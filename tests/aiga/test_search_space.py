from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from search_world import searching

from aiga.errors import UserError
from aiga.search.space import Grid, distributions, typed


def grid_of(space: dict[str, Any], trials: int = 1000, seed: int = 0) -> list[dict[str, Any]]:
    dimensions = searching(space=space).space
    grid = Grid(dimensions, trials, seed)
    return [typed(dimensions, grid[position]) for position in range(grid.size)]


@pytest.mark.parametrize(
    ("dimension", "values"),
    [
        ({"choice": [1, True, 1.0, "1"]}, [1, True, 1.0, "1"]),
        ({"choice": ["adam", "sgd", "adam"]}, ["adam", "sgd"]),
        ({"int": [2, 8], "step": 3}, [2, 5, 8]),
        ({"int": [2, 7], "step": 3}, [2, 5]),
        ({"int": [4, 4]}, [4]),
        ({"float": [0.1, 0.5], "step": 0.1}, [0.1, 0.2, 0.3, 0.4, 0.5]),
        ({"float": [0, 1], "step": 0.3}, [0.0, 0.3, 0.6, 0.9]),
        ({"float": [0.5, 0.5]}, [0.5]),
        ({"log": [0.01, 0.01]}, [0.01]),
    ],
)
def test_a_grid_holds_the_values_of_the_file_in_their_types(dimension: dict[str, Any], values: list[Any]) -> None:
    found = [point["x"] for point in grid_of({"x": dimension})]
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]


def test_a_grid_counts_the_last_parameter_quickest() -> None:
    points = grid_of({"b": {"choice": ["x", "y"]}, "a": {"int": [1, 2]}})
    assert [tuple(point.items()) for point in points] == [
        (("b", letter), ("a", number)) for letter in "xy" for number in (1, 2)
    ]


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 30), st.integers(0, 3))
def test_a_grid_holds_every_point_once_in_whatever_order(first: int, second: int, trials: int, seed: int) -> None:
    points = grid_of({"a": {"int": [1, first]}, "b": {"int": [1, second]}}, trials, seed)
    assert len(points) == first * second
    assert {(point["a"], point["b"]) for point in points} == {
        (a, b) for a in range(1, first + 1) for b in range(1, second + 1)
    }


def test_a_grid_larger_than_the_trials_is_tried_all_over_the_space() -> None:
    part = [point["x"] for point in grid_of({"x": {"int": [0, 999]}}, trials=50)[:50]]
    assert max(part) > 800 and min(part) < 200
    assert part == [point["x"] for point in grid_of({"x": {"int": [0, 999]}}, trials=50)[:50]]


def test_a_grid_over_ranges_without_steps_is_refused_for_all_of_them_at_once() -> None:
    with pytest.raises(UserError) as refused:
        grid_of({"a": {"float": [0, 1]}, "b": {"log": [1, 2]}, "c": {"int": [1, 2]}})
    assert [line.split(":")[0] for line in str(refused.value).splitlines()] == [
        "train.search.space.a",
        "train.search.space.b",
    ]


def test_a_grid_too_large_to_try_is_refused_before_it_is_counted() -> None:
    with pytest.raises(UserError, match="at most 100000 points, got 1000000000000000000"):
        grid_of({"a": {"int": [1, 10**9]}, "b": {"int": [1, 10**9]}})


def test_values_drawn_by_steps_are_those_of_the_file() -> None:
    dimensions = searching(space={"x": {"float": [0.1, 1], "step": 0.1}}).space
    assert typed(dimensions, {"x": 0.1 + 2 * 0.1}) == {"x": 0.3}


def test_a_range_whose_end_no_step_meets_draws_no_warning(recwarn: pytest.WarningsRecorder) -> None:
    found = distributions(searching(space={"x": {"float": [0, 1], "step": 0.3}, "n": {"int": [1, 6], "step": 2}}).space)
    assert (found["x"].high, found["n"].high) == (0.9, 5)  # type: ignore[attr-defined]
    assert not recwarn.list
