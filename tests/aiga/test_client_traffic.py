"""Traffic for demonstrations, what is counted of it, and its figures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from aiohttp import web
from client_world import IMAGE, Gateway, serving

from aiga.errors import UserError
from aiga.serving import figures
from aiga.serving.client.summary import Summary
from aiga.serving.client.traffic import run
from aiga.serving.messages import Message, Tensor

ROWS = [np.full(64, number) for number in range(3)]


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with serving(Gateway()) as running:
        yield running


def test_each_row_is_sent_in_turn_at_the_rate_that_was_asked_for(gateway: Gateway) -> None:
    summary = run(gateway.address, "digits", ROWS, 0.1, 70)
    assert summary.requests == len(gateway.requests) == 7
    assert summary.rows.tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert summary.answers == [0, 64, 128, 0, 64, 128, 0]
    assert summary.due.tolist() == pytest.approx([number / 70 for number in range(7)])
    assert summary.seconds >= summary.due[-1]
    assert summary.errors == 0
    assert summary.counts == {"main": 7}


def test_a_caller_keeps_its_name_over_its_requests(gateway: Gateway) -> None:
    run(gateway.address, "digits", ROWS, 0.05, 100, sticky="x-user")
    assert sorted(headers["x-user"] for headers in gateway.headers) == ["row-0", "row-0", "row-1", "row-1", "row-2"]


def test_without_callers_none_is_named(gateway: Gateway) -> None:
    run(gateway.address, "digits", ROWS, 0.01, 100)
    assert "x-user" not in gateway.headers[0]


def test_answers_are_counted_by_who_gave_them(gateway: Gateway) -> None:
    def named(request: web.Request) -> str:
        return "canary" if request.headers["x-user"] == "row-0" else "main"

    gateway.predictor = named
    summary = run(gateway.address, "digits", ROWS, 0.06, 100, sticky="x-user")
    assert summary.counts == {"canary": 2, "main": 4}


def test_failures_are_counted_and_nobodys(gateway: Gateway) -> None:
    gateway.status = 503
    summary = run(gateway.address, "digits", ROWS, 0.05, 100)
    assert (summary.errors, summary.counts, summary.percentiles) == (5, {}, {})
    assert summary.statuses.tolist() == [503] * 5
    assert summary.answers == [None] * 5


def test_of_several_numbers_the_place_of_the_greatest_is_the_answer(gateway: Gateway) -> None:
    gateway.inputs = (IMAGE,)
    gateway.answer = lambda _: Message((Tensor("logits", "FP32", np.array([[0.5, -1, 7, 2]], np.float32)),))
    assert run(gateway.address, "digits", [np.zeros((28, 28))], 0.01, 100).answers == [2]


@pytest.mark.parametrize(("rows", "seconds", "rate"), [([], 1, 1), (ROWS, 0, 1), (ROWS, 1, 0)])
def test_traffic_of_nothing_is_refused(rows: list[Any], seconds: float, rate: float) -> None:
    with pytest.raises(UserError, match=r"traffic: .* all must be more than nothing"):
        run("http://127.0.0.1:1", "digits", rows, seconds, rate)


def test_rows_that_the_model_does_not_take_are_told(gateway: Gateway) -> None:
    with pytest.raises(UserError, match=r"traffic: .*shape \[3\]: X takes"):
        run(gateway.address, "digits", [[1, 2, 3]], 1, 1)


def summary(count: int = 600, canary: float = 0.1, failed: int = 0) -> Summary:
    draws = np.random.default_rng(7)
    statuses = np.full(count, 200)
    statuses[:failed] = 503
    return Summary(
        seconds=6.0,
        due=np.arange(count) / 100,
        latencies=draws.gamma(2, 0.002, count),
        rows=np.arange(count) % 10,
        statuses=statuses,
        predictors=["canary" if draw else "main" for draw in draws.random(count) < canary],
        answers=[None if number < failed else number % 10 for number in range(count)],
    )


def test_percentiles_are_those_of_answered_requests() -> None:
    made = summary(failed=10)
    assert made.errors == 10
    assert made.percentiles[50] == pytest.approx(np.median(made.latencies[10:]))
    assert list(made.percentiles.values()) == sorted(made.percentiles.values())
    assert sum(made.counts.values()) == 590


def test_a_summary_is_one_line() -> None:
    assert re.fullmatch(
        r"600 requests in 6\.0 s, 10 errors, canary \d+, main \d+, p50 [\d.]+ ms, .*p99 [\d.]+ ms",
        str(summary(failed=10)),
    )


class TestFigures:
    def text(self, svg: str) -> str:
        assert svg.startswith("<svg")
        return " ".join("".join(each.itertext()) for each in ET.fromstring(svg).iter() if each.tag.endswith("text"))

    def test_latencies_name_predictors_percentiles_and_failures(self) -> None:
        text = self.text(figures.latency(summary(failed=10)))
        assert "Latency of 600 requests, 10 failed" in text
        assert all(f"p{share} " in text for share in (50, 90, 95, 99))
        assert re.search(r"main: 5\d\d", text) and re.search(r"canary: \d\d", text)

    def test_latencies_of_traffic_that_failed_as_a_whole_are_empty(self) -> None:
        assert "600 failed" in self.text(figures.latency(summary(failed=600)))

    def test_a_split_names_each_share(self) -> None:
        text = self.text(figures.split(summary(), {"main": 90, "canary": 10}))
        assert "main: 90 %" in text and "canary: 10 %" in text

    def test_a_split_of_nothing_can_be_drawn(self) -> None:
        assert "main: 100 %" in self.text(figures.split(summary(failed=600), {"main": 100}))

    def test_shares_add_up_in_every_window_and_count_every_answer(self) -> None:
        _, counts, shares = figures.shares_over_time(summary(failed=10), ["main", "canary"], 6)
        assert counts.sum() == 590
        assert shares.sum(axis=0) == pytest.approx(np.ones(6))

    def test_a_fair_split_stays_within_its_bound_and_another_does_not(self) -> None:
        def outside(canary: float) -> int:
            _, counts, shares = figures.shares_over_time(summary(6000, canary), ["canary"], 12)
            return int((abs(shares[0] - 0.1) > figures.bound(0.1, counts)).sum())

        assert outside(0.1) == 0
        assert outside(0.3) == 12

    def test_a_confusion_is_drawn_for_each_predictor_of_its_own_answers(self) -> None:
        made = summary()
        found = figures.confusion(made, list(range(10)))
        assert list(found) == ["main", "canary"]
        counts = [int(word) for word in re.findall(r"\b\d{2,}\b", self.text(found["canary"]))]
        assert sum(counts) <= made.counts["canary"]

    def test_figures_are_the_same_each_time(self) -> None:
        assert figures.latency(summary()) == figures.latency(summary())
