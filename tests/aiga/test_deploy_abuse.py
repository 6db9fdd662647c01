"""`aiga serve`, gateway and model servers as they are, under clients that send nonsense or nothing, and a kill."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
import requests
from deploy_world import STEPS, member, port, serving
from malformed import malformed
from runner_projects import made

CLASS = """
import time

class Slow:
    def predict(self, X, names):
        time.sleep(float(X[0][0]))
        return X
"""
PROJECT = """
apiVersion: aiga.dev/v1
name: slow
train: {run: "steps:train", out: {model: model.json}, parameters: {more: 1}}
serve: {server: custom, run: "slow:Slow", timeout: 20s, retries: 1}
"""
BODIES = 10_000
PATHS = ("v2/models/slow/infer", "v1/models/slow:predict", "api/v1.0/predictions")
TOO_LONG = 65 * 2**20


@dataclass
class Served:
    process: subprocess.Popen[str]
    http: int

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.http}/seldon/project-slow/slow"

    def ask(self, seconds: float, session: requests.Session | None = None, **headers: str) -> requests.Response:
        url = f"{self.base}/{PATHS[0]}"
        return (session or requests).post(url, data=asked(seconds), headers=headers, timeout=60)

    def in_flight(self, predictor: str) -> int:
        status = requests.get(f"http://127.0.0.1:{self.http}/status.json", timeout=10).json()
        return int(next(one["inFlight"] for one in status["predictors"] if one["name"] == predictor))


def asked(seconds: float) -> bytes:
    tensor = {"name": "x", "datatype": "FP64", "shape": [1, 1], "data": [seconds]}
    return json.dumps({"inputs": [tensor]}).encode()


def until(happened: Callable[[], bool], patience: float = 60) -> None:
    deadline = time.monotonic() + patience
    while not happened():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    project = made(tmp_path_factory.mktemp("abuse"), PROJECT, STEPS)
    project.write("slow.py", CLASS)
    project.aiga("run")
    project.aiga("run", "-p", "more=2", "--to", "staging")
    own, grpc = port(), port()
    words = ["serve", "--port", str(own), "--grpc-port", str(grpc), "--canary", "staging=50"]
    found = Served(project.start(*words), own)
    with serving(found.process):
        yield found


def test_ten_thousand_malformed_and_oversized_bodies_take_nothing_from_others(served: Served) -> None:
    bodies = list(malformed(asked(0.0), BODIES))
    sessions = [requests.Session() for _ in range(8)]

    def send(first: int) -> Counter[int]:
        counts: Counter[int] = Counter()
        for number in range(first, BODIES, len(sessions)):
            session = sessions[first]
            answer = session.post(f"{served.base}/{PATHS[number % 3]}", data=bodies[number], timeout=60)
            assert answer.status_code == 200 or "error" in answer.json() or answer.json()["status"]["info"]
            counts[answer.status_code] += 1
            if number % 100 == first:
                assert served.ask(0.0, session).status_code == 200
        return counts

    with ThreadPoolExecutor(len(sessions)) as pool:
        counts = sum(pool.map(send, range(len(sessions))), Counter[int]())
    assert counts.total() == BODIES and set(counts) == {200, 400}
    assert counts[400] > 8000
    for path in PATHS:
        with socket.create_connection(("127.0.0.1", served.http), timeout=30) as client:
            head = f"POST /seldon/project-slow/slow/{path} HTTP/1.1\r\nHost: x\r\nContent-Length: {TOO_LONG}\r\n\r\n"
            client.sendall(head.encode())
            assert client.recv(100).startswith(b"HTTP/1.1 413 ")
    assert {served.ask(0.0).headers["x-aiga-predictor"] for _ in range(40)} == {"main", "canary"}, "no circuit is open"


def test_a_thousand_connections_opened_and_left_take_nothing_from_others(served: Served) -> None:
    begun = f"POST /seldon/project-slow/slow/{PATHS[0]} HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n"
    left = []
    for number in range(1000):
        one = socket.create_connection(("127.0.0.1", served.http), timeout=30)
        one.sendall(("", "POST ", begun)[number % 3].encode())
        left.append(one)
        if number % 100 == 0:
            assert served.ask(0.0).status_code == 200
    assert [served.ask(0.0).status_code for _ in range(20)] == [200] * 20
    for one in left:
        one.close()
    assert served.ask(0.0).status_code == 200


def test_a_server_killed_in_mid_request_costs_no_caller_an_answer(served: Served) -> None:
    with ThreadPoolExecutor(4) as pool:
        asked_ = [pool.submit(served.ask, 1.0, None, **{"x-aiga-variant": "canary"}) for _ in range(4)]
        until(lambda: served.in_flight("canary") == 4)
        member(served.process, "/canary/").kill()
        answers = [one.result() for one in asked_]
    assert {(one.status_code, one.headers["x-aiga-predictor"]) for one in answers} == {(200, "main")}
    assert [served.ask(0.0).status_code for _ in range(20)] == [200] * 20

    def is_back() -> bool:
        return served.ask(0.0, None, **{"x-aiga-variant": "canary"}).headers["x-aiga-predictor"] == "canary"

    until(is_back)
