"""The circuit breaker, whose time is passed in."""

from __future__ import annotations

from typing import Any

import pytest

from aiga.serving.gateway.breaker import Breaker, State
from aiga.serving.gateway.deployment import Circuit


def breaker(**settings: Any) -> Breaker:
    return Breaker(Circuit(**{"errors": 3, "open": 10, **settings}))


def pass_through(circuit: Breaker, now: float, *results: bool | None) -> None:
    for result in results:
        circuit.end(circuit.begin(now), now, result)


def test_it_opens_after_so_many_errors_in_a_row_and_not_before() -> None:
    circuit = breaker()
    pass_through(circuit, 0, False, False, True, False, False)
    assert circuit.state(0) is State.CLOSED and circuit.allows(0)
    pass_through(circuit, 0, False)
    assert circuit.state(0) is State.OPEN and not circuit.allows(0)
    assert circuit.wait(4) == 6


def test_after_its_time_one_request_may_try_and_its_success_closes_it() -> None:
    circuit = breaker()
    pass_through(circuit, 0, False, False, False)
    assert not circuit.allows(9.9)
    assert circuit.state(10) is State.HALF_OPEN and circuit.allows(10)
    trial = circuit.begin(10)
    assert not circuit.allows(10), "only one request may try"
    circuit.end(trial, 11, True)
    assert circuit.state(11) is State.CLOSED and circuit.allows(11)


def test_a_trial_that_fails_opens_it_for_the_whole_time_again() -> None:
    circuit = breaker()
    pass_through(circuit, 0, False, False, False)
    circuit.end(circuit.begin(10), 12, False)
    assert circuit.state(21.9) is State.OPEN
    assert circuit.state(22) is State.HALF_OPEN
    assert circuit.opened == 2


def test_a_trial_whose_caller_goes_away_leaves_the_next_one_to_try() -> None:
    circuit = breaker()
    pass_through(circuit, 0, False, False, False)
    circuit.end(circuit.begin(10), 10, None)
    assert circuit.state(10) is State.HALF_OPEN and circuit.allows(10)


@pytest.mark.parametrize("result", [True, False])
def test_a_request_from_before_the_opening_changes_nothing_when_it_ends_late(result: bool) -> None:
    circuit = breaker()
    early = circuit.begin(0)
    pass_through(circuit, 0, False, False, False)
    circuit.end(early, 5, result)
    assert circuit.state(5) is State.OPEN and circuit.wait(5) == 5
    trial = circuit.begin(10)
    circuit.end(early, 10, result)
    assert not circuit.allows(10), "the trial is still under way"
    circuit.end(trial, 10, True)
    assert circuit.state(10) is State.CLOSED


def test_a_rate_of_errors_opens_it_though_they_are_never_in_a_row() -> None:
    circuit = breaker(rate=0.5, least=10, window=60)
    for _ in range(4):
        pass_through(circuit, 0, True, False)
    pass_through(circuit, 0, True)
    assert circuit.state(0) is State.CLOSED, "nine requests are fewer than it takes"
    pass_through(circuit, 0, False)
    assert circuit.state(0) is State.OPEN


def test_errors_outside_the_window_do_not_count() -> None:
    circuit = breaker(errors=100, rate=0.5, least=4, window=10)
    pass_through(circuit, 0, False, False, False)
    pass_through(circuit, 11, True, True, True, False)
    assert circuit.state(11) is State.CLOSED


def test_what_callers_give_up_says_nothing() -> None:
    circuit = breaker()
    pass_through(circuit, 0, False, False, None, None, None)
    assert circuit.state(0) is State.CLOSED
    pass_through(circuit, 0, False)
    assert circuit.state(0) is State.OPEN
