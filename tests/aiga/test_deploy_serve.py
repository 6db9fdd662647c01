"""`aiga serve` on a project of two versions: all protocols, the split, events, the page, and an orderly end."""

from __future__ import annotations

import http.server
import json
import math
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
import tritonclient.grpc as triton
from deploy_world import port, serving
from PIL import Image
from runner_projects import Made, made

from aiga.serving.client import protocols
from aiga.serving.client.connection import Deployment

STEPS = '''
"""Adds a number to sixteen others, as an ONNX model."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

def train(model: Path, more: int) -> None:
    rows = ["rows", 16]
    graph = helper.make_graph(
        [helper.make_node("Add", ["INPUT0", "more"], ["OUTPUT0"])],
        "adder",
        [helper.make_tensor_value_info("INPUT0", TensorProto.INT32, rows)],
        [helper.make_tensor_value_info("OUTPUT0", TensorProto.INT32, rows)],
        [numpy_helper.from_array(np.array(more, dtype=np.int32), "more")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    model.write_bytes(made.SerializeToString())
'''
PROJECT = """
apiVersion: aiga.dev/v1
name: line
train: {run: "steps:train", out: {model: model.onnx}, parameters: {more: 1}}
serve:
  strategy: {type: canary, steps: [10, 50, 100]}
"""
ROW = list(range(16))
REQUESTS = 10_000


class Sink(http.server.BaseHTTPRequestHandler):
    """Takes CloudEvents."""

    protocol_version = "HTTP/1.1"
    taken: list[dict[str, str]]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.taken.append({key.lower(): value for key, value in self.headers.items()})
        self.send_response(202)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@dataclass
class Served:
    project: Made
    process: subprocess.Popen[str]
    http: int
    grpc: int
    events: list[dict[str, str]] = field(default_factory=list)
    printed: str = ""
    """Until it served."""

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.http}/seldon/project-line/line"

    def post(self, path: str, body: Any) -> requests.Response:
        return requests.post(f"{self.base}{path}", json=body, timeout=30)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    project = made(tmp_path_factory.mktemp("served"), PROJECT, STEPS)
    project.aiga("run")
    project.aiga("run", "-p", "more=2", "--to", "staging")
    handler = type("Taking", (Sink,), {"taken": []})
    sink = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=sink.serve_forever, daemon=True).start()
    own, grpc = port(), port()
    events = f"http://127.0.0.1:{sink.server_port}"
    words = ["serve", "--port", str(own), "--grpc-port", str(grpc), "--canary", "staging", "--events", events]
    found = Served(project, project.start(*words), own, grpc, handler.taken)
    try:
        with serving(found.process) as found.printed:
            yield found
    finally:
        sink.shutdown()


def answered(row: list[int]) -> bool:
    return row in ([n + 1 for n in ROW], [n + 2 for n in ROW])


def test_v2_answers(served: Served) -> None:
    body = {"inputs": [{"name": "INPUT0", "datatype": "INT32", "shape": [1, 16], "data": ROW}]}
    answer = served.post("/v2/models/line/infer", body)
    assert answer.status_code == 200, answer.text
    output = answer.json()["outputs"][0]
    assert (output["name"], output["shape"]) == ("OUTPUT0", [1, 16])
    assert answered(output["data"])


def test_tensorflow_answers(served: Served) -> None:
    answer = served.post("/v1/models/line:predict", {"instances": [ROW]})
    assert answer.status_code == 200, answer.text
    assert answered(answer.json()["predictions"][0])


def test_seldon_answers(served: Served) -> None:
    answer = served.post("/api/v1.0/predictions", {"data": {"ndarray": [ROW]}})
    assert answer.status_code == 200, answer.text
    assert answered(answer.json()["data"]["ndarray"][0])


def test_v2_answers_by_grpc(served: Served) -> None:
    given = triton.InferInput("INPUT0", [1, 16], "INT32")
    given.set_data_from_numpy(np.array([ROW], dtype=np.int32))
    with triton.InferenceServerClient(f"127.0.0.1:{served.grpc}") as client:
        headers = {"seldon": "line", "namespace": "project-line"}
        answer = client.infer("line", [given], headers=headers)
    assert answered(answer.as_numpy("OUTPUT0")[0].tolist())


def test_one_row_is_answered_in_each_protocol(served: Served) -> None:
    deployment = Deployment(f"http://127.0.0.1:{served.http}", "line")
    answers = dict(protocols.each(deployment, f"127.0.0.1:{served.grpc}", ROW))
    assert list(answers) == ["v2 by REST", "v2 by gRPC", "TensorFlow by REST", "Seldon by REST"]
    assert all(answered(numbers) for numbers in answers.values()), answers


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        (
            "/v2/models/line/infer",
            {"inputs": [{"name": "INPUT0", "datatype": "INT32", "shape": [1, 15], "data": ROW}]},
            "shape",
        ),
        ("/v1/models/line:predict", {"instances": [["a"] * 16]}, ""),
        ("/api/v1.0/predictions", {"data": 3}, "data"),
    ],
)
def test_a_malformed_body_is_refused_with_the_reason(served: Served, path: str, body: Any, reason: str) -> None:
    answer = served.post(path, body)
    assert answer.status_code == 400
    assert reason in answer.text


def test_traffic_is_split_as_the_strategy_begins_and_every_prediction_is_logged(served: Served) -> None:
    session = requests.Session()
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=8))
    body = json.dumps({"inputs": [{"name": "INPUT0", "datatype": "INT32", "shape": [1, 16], "data": ROW}]})
    before = len(served.events)

    def one(_: int) -> tuple[str, str]:
        answer = session.post(f"{served.base}/v2/models/line/infer", data=body, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.headers["x-aiga-predictor"], answer.headers["seldon-puid"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(one, range(REQUESTS)))
    canary = sum(name == "canary" for name, _ in answers)
    assert abs(canary - REQUESTS / 10) < 4.5 * math.sqrt(REQUESTS * 0.1 * 0.9), "within what chance leaves it"
    deadline = time.monotonic() + 120
    while len(served.events) < before + 2 * REQUESTS and time.monotonic() < deadline:
        time.sleep(0.1)
    logged = served.events[before:]
    asked = {identity for _, identity in answers}
    for kind in ("request", "response"):
        of = [e["ce-requestid"] for e in logged if e["ce-type"] == f"io.seldon.serving.inference.{kind}"]
        assert len(of) == len(set(of)) == REQUESTS, "one event each"
        assert set(of) == asked


def test_the_canary_gets_another_share_while_it_runs(served: Served) -> None:
    assert "canary: 100 % of the traffic" in served.project.aiga("canary", "100")
    body = {"inputs": [{"name": "INPUT0", "datatype": "INT32", "shape": [1, 16], "data": ROW}]}

    def next_one() -> str:
        return served.post("/v2/models/line/infer", body).headers["x-aiga-predictor"]

    deadline = time.monotonic() + 30
    while {next_one() for _ in range(20)} != {"canary"}:
        assert time.monotonic() < deadline, "all goes to the canary"


def test_predict_is_the_shortest_client(served: Served) -> None:
    served.project.write("rows.csv", ",".join(f"c{n}" for n in ROW) + "\n" + ",".join(map(str, ROW)) + "\n")
    words = ["predict", "line", "--file", "rows.csv", "--address", f"http://127.0.0.1:{served.http}", "--json"]
    told = json.loads(served.project.aiga(*words).splitlines()[-1])
    assert answered(np.array(told["outputs"][0]["data"]).ravel().tolist())


def test_the_lineage_of_a_prediction_is_that_of_the_version_that_gave_it(served: Served) -> None:
    body = {"inputs": [{"name": "INPUT0", "datatype": "INT32", "shape": [1, 16], "data": ROW}]}
    for variant, model, more in (("main", "line@1", 1), ("canary", "line@2", 2)):
        headers = {"x-aiga-variant": variant}
        answer = requests.post(f"{served.base}/v2/models/line/infer", json=body, headers=headers, timeout=30)
        identity = answer.headers["seldon-puid"]
        deadline = time.monotonic() + 10
        while identity not in kept(served) and time.monotonic() < deadline:
            time.sleep(0.1)
        told = served.project.aiga("lineage", identity)
        assert f"prediction {identity}" in told and f"by {variant} (v2, 200)" in told
        assert model in told and f"more={more}" in told, "on to the model's parameters"


def kept(served: Served) -> str:
    return "".join(file.read_text() for file in (served.project.home / "predictions" / "line").glob("*.jsonl"))


def test_predict_scales_a_picture_as_it_is_told(served: Served) -> None:
    Image.fromarray(np.full((4, 4), 255, np.uint8)).save(served.project.folder / "white.png")
    words = ["predict", "line", "--file", "white.png", "--address", f"http://127.0.0.1:{served.http}", "--json"]
    told = json.loads(served.project.aiga(*words, "--white", "16").splitlines()[-1])
    assert set(np.array(told["outputs"][0]["data"]).ravel().tolist()) <= {17, 18}


def test_metrics_have_seldons_names(served: Served) -> None:
    text = requests.get(f"http://127.0.0.1:{served.http}/metrics", timeout=10).text
    counted = re.findall(r'seldon_api_executor_server_requests_seconds_count\{[^}]*predictor_name="(\w+)"', text)
    assert {"main", "canary"} <= set(counted)
    labels = 'model_image="aiga/onnx",model_name="line",model_version="1"'
    assert set(labels.split(",")) <= set(re.findall(r'\w+="[^"]*"', text)), "image and version as Seldon splits them"


def test_nobody_else_reaches_it_unless_told(served: Served) -> None:
    for taken in (served.http, served.grpc):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", taken), timeout=10)


def test_it_ends_in_order_and_leaves_nothing(served: Served) -> None:
    served.process.send_signal(signal.SIGINT)
    output, _ = served.process.communicate(timeout=60)
    print(output)
    assert served.process.returncode == 0
    assert "Traceback" not in output
    assert "main: line@1, 90 % of the traffic" in served.printed
    assert "canary: line@2, 10 % of the traffic" in served.printed
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{served.http}/ready", timeout=2)
    left = subprocess.run(["pgrep", "-f", str(Path(served.project.home))], capture_output=True, text=True, check=False)
    assert left.stdout == "", "no server is left"
    identity = re.findall(r'"request":"([^"]+)"', kept(served))[-1]
    assert "line@" in served.project.aiga("lineage", identity), "what it answered is known when it is gone"
