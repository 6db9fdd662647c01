"""`aiga serve` under faults: classes that raise, servers that hang, full disks, killed supervisors, a second start."""

from __future__ import annotations

import json
import re
import resource
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import requests
from deploy_world import STEPS, member, port, until_ready
from runner_projects import Made, made

CLASS = """
from pathlib import Path

CALLS = Path(__file__).with_name("calls.txt")

class Risky:
    many = 0

    def predict(self, X, names):
        with CALLS.open("a") as calls:
            calls.write(f"{X[0][0]:g}\\n")
        if X[0][0] == -99:
            raise SystemExit(3)
        if X[0][0] < 0:
            raise ValueError("below nothing")
        self.many = int(X[0][0])
        return X

    def metrics(self):
        long = {"long": "x" * 100}
        return [{"type": "GAUGE", "key": f"gauge_{n}", "value": n, "tags": long} for n in range(self.many)]
"""
PROJECT = """
apiVersion: aiga.dev/v1
name: risky
train: {run: "steps:train", out: {model: model.json}, parameters: {more: 1}}
serve: {server: custom, run: "risky:Risky", timeout: 4s, retries: 1}
"""


@dataclass
class Served:
    project: Made
    http: int
    grpc: int
    sink: int
    process: subprocess.Popen[str]

    @property
    def words(self) -> list[str]:
        return ["serve", "--port", str(self.http), "--grpc-port", str(self.grpc)]

    def ask(self, value: float, **headers: str) -> requests.Response:
        url = f"http://127.0.0.1:{self.http}/seldon/project-risky/risky/v2/models/risky/infer"
        tensor = {"name": "x", "datatype": "FP64", "shape": [1, 1], "data": [value]}
        return requests.post(url, json={"inputs": [tensor]}, headers=headers, timeout=30)

    def metric(self, name: str) -> float:
        text = requests.get(f"http://127.0.0.1:{self.http}/metrics", timeout=10).text
        return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    project = made(tmp_path_factory.mktemp("faults"), PROJECT, STEPS)
    project.write("risky.py", CLASS)
    project.aiga("run")
    project.aiga("run", "-p", "more=2", "--to", "staging")
    own, grpc, sink = port(), port(), port()
    words = ["serve", "--port", str(own), "--grpc-port", str(grpc), "--canary", "staging=50"]
    found = Served(project, own, grpc, sink, project.start(*words, "--events", f"http://127.0.0.1:{sink}"))
    try:
        until_ready(found.process)
        yield found
    finally:
        if found.process.poll() is None:
            found.process.send_signal(signal.SIGINT)
            found.process.communicate(timeout=60)


def test_the_gateway_is_given_the_timeout_of_the_project_for_its_connections(served: Served) -> None:
    told = json.loads((served.project.home / "serve" / "risky" / "gateway.json").read_text())
    assert {one["settings"]["timeout"] for one in told["predictors"]} == {4}


def test_a_class_that_raises_runs_once_for_each_request_and_stays_for_everybody(served: Served) -> None:
    bad = [served.ask(-n) for n in range(1, 31)]
    assert {answer.status_code for answer in bad} == {500}
    assert "ValueError: below nothing" in bad[0].text
    calls = Counter((served.project.folder / "calls.txt").read_text().split())
    assert calls == {str(-n): 1 for n in range(1, 31)}, "the class is not run a second time"
    assert {served.ask(1).status_code for _ in range(30)} == {200}, "no circuit is open"


def test_where_a_class_failed_is_in_the_log_but_not_each_time(served: Served) -> None:
    logs = [path.read_text() for path in (served.project.home / "serve" / "risky").rglob("server.log")]
    assert len(logs) == 2
    for log in logs:
        assert 'raise ValueError("below nothing")' in log, "with its traceback"
        assert log.count("Traceback") < 5


def test_a_class_that_ends_its_process_does_not_end_its_server(served: Served) -> None:
    answer = served.ask(-99)
    assert answer.status_code == 500 and "predict: SystemExit: 3" in answer.text
    assert {served.ask(1).status_code for _ in range(10)} == {200}


def test_metrics_that_fill_more_than_a_header_cost_no_prediction(served: Served) -> None:
    assert served.ask(200).status_code == 200
    assert served.metric("aiga_gateway_custom_refused") == 0 and served.metric("gauge_199") == 199
    assert served.ask(900).status_code == 200, "more than is carried"
    assert served.metric("aiga_gateway_custom_refused") > 0, "what is left out is counted"


def test_a_server_that_hangs_costs_nobody_an_answer(served: Served) -> None:
    server = member(served.process, "/canary/")
    server.suspend()
    try:
        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda _: served.ask(1), range(60)))
        assert {answer.status_code for answer in answers} == {200}
        assert max(answer.elapsed.total_seconds() for answer in answers) < 3.9
        assert {answer.headers["x-aiga-predictor"] for answer in answers} == {"main"}
    finally:
        server.resume()


def test_a_second_start_is_refused_and_the_first_one_stays(served: Served) -> None:
    words = ["serve", "--port", str(port()), "--grpc-port", str(port())]
    told = served.project.aiga(*words, code=2)
    assert f"risky: is served already: at http://127.0.0.1:{served.http} by process {served.process.pid}" in told
    assert (served.project.home / "serve" / "risky" / "gateway.json").exists()
    assert served.ask(1).status_code == 200


def test_a_port_that_is_taken_is_said_before_a_server_starts(served: Served, tmp_path: Path) -> None:
    other = Made(served.project.folder, tmp_path / "home")
    for words in (["--port", str(served.http)], ["--port", str(port()), "--grpc-port", str(served.grpc)]):
        told = other.aiga("serve", *words, code=2)
        assert f"port {words[-1]} of 127.0.0.1: is in use" in told
        assert not list((tmp_path / "home").rglob("server.log"))


def test_events_that_a_full_disk_does_not_take_at_the_stop_are_told(served: Served) -> None:
    gateway = member(served.process, "aiga.serving.gateway")
    resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (0, 0))
    assert served.ask(1).status_code == 200
    served.process.send_signal(signal.SIGINT)
    output, _ = served.process.communicate(timeout=60)
    assert served.process.returncode == 0, output
    line = next(line for line in output.splitlines() if "events to" in line)
    assert f"events to http://127.0.0.1:{served.sink}/: 0 delivered" in line
    dropped = re.search(r"(\d+) dropped \(\1 stopped; .*File too large", line)
    assert dropped and int(dropped[1]) > 2, line
    assert "Traceback" not in output


def test_a_killed_supervisor_takes_its_gateway_with_it_and_leaves_the_ports(served: Served) -> None:
    assert served.process.poll() is not None
    served.process = served.project.start(*served.words)
    until_ready(served.process)
    family = psutil.Process(served.process.pid).children(recursive=True)
    assert any("aiga.serving.gateway" in " ".join(one.cmdline()) for one in family)
    served.process.kill()
    _, alive = psutil.wait_procs(family, timeout=20)
    assert not [one for one in alive if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    served.process.communicate()
    served.process = served.project.start(*served.words)
    until_ready(served.process)
    assert served.ask(1).headers["x-aiga-predictor"] == "main"
