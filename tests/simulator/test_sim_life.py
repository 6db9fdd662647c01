"""Starting, stopping, and being killed at any moment in between."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sim_samples import config_map, deployment

import simulator
import tools
from kube.cluster import Cluster
from kube.refs import Ref
from simulator import Running, faults, processes
from simulator.home import LONGEST_PATH, Home
from simulator.testing import fresh

KEPT = Ref("v1", "ConfigMap", "default", "kept")
PROJECT = Path(simulator.__file__).parents[1]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "sim"
    simulator.down(tmp_path / "sim", lambda _: None)


@pytest.fixture(scope="module")
def victim() -> Iterator[Running]:
    with fresh(nodes=1) as running:
        yield running


def up(home: Path, nodes: int = 1) -> tuple[Running, str]:
    said: list[str] = []
    return simulator.up(home, nodes=nodes, progress=said.append), "\n".join(said)


def connect(running: Running) -> Cluster:
    return Cluster.connect(str(running.kubeconfig), running.context)


def command(verb: str, home: Path, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "simulator", verb, "--home", str(home)]
    return subprocess.run(line, capture_output=True, text=True, cwd=PROJECT, env=environment, check=False)


def keep(running: Running) -> None:
    connect(running).create(config_map("default", "kept"), manager="test")


def leftovers(home: Path) -> list[str]:
    """Everything on this machine that mentions the home, processes and sockets included."""
    place = Home.at(home)
    listing = subprocess.run(["ps", "-axww", "-o", "stat=,command="], capture_output=True, text=True, check=True)
    mentions = (place.name, str(home))
    alive = [line for line in listing.stdout.splitlines() if not line.startswith("Z")]
    lines = [line for line in alive if any(each in line for each in mentions)]
    folders = {home, place.plain} | ({place.plain.parent} if place.plain != place.root else set())
    return lines + [str(path) for path in folders if path.exists()]


def test_is_ready_within_15_s_and_leaves_nothing_behind(home: Path) -> None:
    since = time.monotonic()
    running, _ = up(home, nodes=4)
    took = time.monotonic() - since
    crowd = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    print(f"\nready in {took:.1f} s, {crowd:.1f} runnable processes for each core")
    assert took < 15 * crowd, f"a fresh simulator took {took:.1f} s"
    assert running.context.startswith("kwok-aiga-")
    mark = connect(running).get(Ref("v1", "ConfigMap", "kube-system", "aiga-simulator"))
    assert mark
    assert mark["data"]["home"] == str(home), "the stand-in provider knows the simulator by this mark"
    nodes = connect(running).list("v1", "Node")
    zones = {node["metadata"]["labels"]["topology.kubernetes.io/zone"] for node in nodes}
    assert (len(nodes), len(zones)) == (4, 3)

    again = command("up", home)
    assert again.returncode == 0, again.stderr
    assert "runs already" in again.stdout
    assert len(connect(running).list("v1", "Node")) == 4, "nodes are never taken away"

    simulator.down(home, lambda _: None)
    assert leftovers(home) == []
    own = Path.home() / ".kube" / "config"
    assert not own.exists() or running.context not in own.read_text(), "the user's own kubeconfig is left alone"


def test_nothing_listens_to_the_network(sim: Running) -> None:
    for path in (Home.at(sim.home).cluster / "logs").glob("*.log"):
        assert "0.0.0.0" not in path.read_text(errors="replace").replace("0.0.0.0/0", ""), path


def test_everything_killed_then_up_resumes_with_its_data(victim: Running) -> None:
    keep(victim)
    faults.kill_all(victim.home)
    for pid_file in (Home.at(victim.home).cluster / "pids").glob("*.pid"):
        pid_file.write_text(str(os.getpid()))  # as after a reboot: the number belongs to somebody else
    after, said = up(victim.home)
    assert "resuming" in said
    assert after == victim, "address and context stay the same"
    assert connect(after).get(KEPT), "what was stored is still there"
    workload = Ref.of(connect(after).create(deployment("default", "new"), manager="test"))
    connect(after).wait_ready([workload], timeout=20)


def test_a_port_that_somebody_took_meanwhile_is_left_to_him(victim: Running) -> None:
    faults.kill_all(victim.home)
    with socket.create_server(("127.0.0.1", int(victim.server.rpartition(":")[2]))):
        after, _ = up(victim.home)
        assert after.server != victim.server
        assert connect(after).get(KEPT), "what was stored moves with it"


@pytest.mark.parametrize(
    "components", [["etcd"], ["kube-apiserver"], [*processes.CONTROLLERS], ["pretend"]], ids=lambda names: names[0]
)
def test_some_killed_then_up_mends_it(victim: Running, components: list[str]) -> None:
    processes.end(Home.at(victim.home), *components)
    assert not simulator.status(victim.home).running
    up(victim.home)
    assert simulator.status(victim.home).running


def test_data_that_cannot_be_read_is_dropped_and_this_is_said(victim: Running) -> None:
    mark = config_map("default", "lost")
    connect(victim).create(mark, manager="test")
    faults.kill_all(victim.home)
    for wal in Home.at(victim.home).cluster.glob("etcd/member/wal/*.wal"):
        wal.write_bytes(b"\0" * 4096 + os.urandom(4096))
    running, said = up(victim.home)
    assert "made anew" in said
    assert connect(running).get(Ref.of(mark)) is None


@pytest.mark.parametrize("whom", ["up", "kwokctl", "all"])
def test_killed_while_starting_then_up_works(home: Path, whom: str) -> None:
    delay = random.uniform(0.6, 3.0)
    print(f"\n{whom} killed after {delay:.2f} s")
    first = subprocess.Popen(
        [sys.executable, "-m", "simulator", "up", "--home", str(home)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=PROJECT,
    )
    time.sleep(delay)
    if whom in ("up", "all"):
        first.send_signal(signal.SIGKILL)
    if whom == "kwokctl":
        for pid in processes.running(Home.at(home)).get("kwokctl", []):
            os.kill(pid, signal.SIGKILL)
    if whom == "all":
        faults.kill_all(home)
    first.wait(60)
    running, _ = up(home)
    keep(running)
    assert simulator.status(home).running
    simulator.down(home, lambda _: None)
    assert leftovers(home) == []


def test_two_started_at_once_do_not_collide(tmp_path: Path) -> None:
    deep = tmp_path / "a folder with spaces" / ("x" * LONGEST_PATH)
    homes = [tmp_path / "one", deep]
    found: dict[Path, Running] = {}
    threads = [threading.Thread(target=lambda each=each: found.update({each: up(each)[0]})) for each in homes]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(found) == set(homes)
        keep(found[homes[0]])
        assert connect(found[homes[1]]).get(KEPT) is None
        assert connect(found[homes[0]]).identity() != connect(found[homes[1]]).identity()
        assert Home.at(deep).socket.exists()
        assert len(str(Home.at(deep).socket)) < 100
        simulator.down(homes[0], lambda _: None)
        assert simulator.status(homes[1]).running, "taking one down leaves the other alone"
    finally:
        for each in homes:
            simulator.down(each, lambda _: None)
    assert [leftovers(each) for each in homes] == [[], []]


def test_down_keeps_what_is_not_its_own(home: Path) -> None:
    home.mkdir()
    (home / "notes.txt").write_text("mine")
    simulator.down(home, lambda _: None)
    assert [path.name for path in home.iterdir()] == ["notes.txt"]


def test_a_missing_tool_is_one_clear_line(home: Path, tmp_path: Path) -> None:
    environment = {"PATH": "/nowhere", "AIGA_CACHE": str(tmp_path / "cache"), "AIGA_TOOLS_DOWNLOAD": "0"}
    tried = command("up", home, {**environment, "HOME": str(tmp_path)})
    assert tried.returncode == 1
    assert "kwokctl" in tried.stderr
    assert "Traceback" not in tried.stderr
    assert not home.exists()


def test_impossible_wishes_are_refused_before_anything_starts(home: Path) -> None:
    with pytest.raises(simulator.SimulatorError, match="nodes must be between 1 and 100, got 0"):
        simulator.up(home, nodes=0)
    blocked = home.parent / "file"
    blocked.write_text("")
    with pytest.raises(simulator.SimulatorError, match="cannot write"):
        simulator.up(blocked / "sim", nodes=1, progress=lambda _: None)


def test_the_list_of_tools_is_known() -> None:
    from simulator.settings import TOOLS

    assert set(tools.ensure(TOOLS)) == set(TOOLS)
