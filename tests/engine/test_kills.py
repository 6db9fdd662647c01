"""SIGKILL to the command, the engine and all plugins at once: the next command converges, with no manual step."""

from __future__ import annotations

import pytest
from engine_world import STACK, THREE, World, assert_converged, assert_no_orphan, everything, kill_all_of, progressed

POINTS = (1, 2, 3, 4, 5, 6, 7, 9, 11, 13)
"""Objects of the stack on the cluster at the kill: about twenty of the kinds counted are there at the end."""
LEFT = (18, 11, 4)
"""Objects still there at each kill of `down`: at its beginning, in the middle, while namespaces go."""


@pytest.fixture
def empty(world: World) -> World:
    world.config = THREE
    world.anew()
    return world


@pytest.mark.parametrize("point", POINTS)
def test_an_up_killed_at_some_point_is_finished_by_the_next(empty: World, point: int) -> None:
    process = empty.start("up")
    reached = progressed(empty, point, process)
    kill_all_of(process, empty.home)
    assert reached, "it was to be killed before its end"
    assert "resuming" in empty.run("up"), "the kill was noticed"
    assert_no_orphan(empty)


def test_a_down_killed_thrice_is_finished_by_the_next(empty: World) -> None:
    empty.run("up")
    for left in LEFT:
        process = empty.start("down", "--keep-cluster")
        reached = progressed(empty, left, process, falling=True)
        kill_all_of(process, empty.home)
        assert reached, "it was to be killed before its end"
    assert "resuming" in empty.run("down", "--keep-cluster")
    still = [k for k, m in everything(empty.cluster).items() if m.get("labels", {}).get("aiga.dev/stack") == STACK]
    assert still == []


def test_after_a_kill_there_is_nothing_left_to_change(empty: World) -> None:
    process = empty.start("up")
    assert progressed(empty, 8, process)
    kill_all_of(process, empty.home)
    empty.run("up")
    assert_converged(empty)
