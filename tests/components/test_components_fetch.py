"""Fetching says in one line what failed, leaves nothing half-done, and fills the lock without touching its comments."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

import tools
from components import fetch, upstream
from components.fetch import FetchError
from components.upstream import LOCK_FILE, ROOT, Entry

STALL = threading.Event()
ASKED = threading.Event()
"""The download that stalls has begun."""
DIGEST = "sha256:" + "e" * 64
INDEX = "apiVersion: v1\nentries:\n  thing:\n  - {name: thing, version: 1.2.3, urls: [thing-1.2.3.tgz]}\n"


class Handler(BaseHTTPRequestHandler):
    """A source of every temper."""

    def do_GET(self) -> None:
        path = self.path.lstrip("/")
        if path == "missing.yaml":
            self.send_error(404, "Not Found")
        elif path == "cut.yaml":
            self._answer(b"kind: Half\n", length=1000)
        elif path == "slow.yaml":
            ASKED.set()
            self._answer(b"kind: Slow\n", length=1000, stall=True)
        elif path == "binary.yaml":
            self._answer(b"\xff\xfe\x00")
        elif path == "index.yaml":
            self._answer(INDEX.encode())
        else:
            self._answer(f"name: {path}\n".encode())

    def do_HEAD(self) -> None:
        """A registry without tokens."""
        self.send_response(404 if "gone" in self.path else 200)
        self.send_header("Docker-Content-Digest", DIGEST)
        self.end_headers()

    def _answer(self, body: bytes, length: int | None = None, stall: bool = False) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(length or len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
        if stall:
            STALL.wait(20)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    STALL.set()
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def _helm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    helm = tools.ensure(["helm"])["helm"]
    monkeypatch.setenv("PATH", f"{helm.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HELM_CACHE_HOME", str(tmp_path / "helm"))


def manifest(*sources: str) -> Entry:
    return Entry("manifest", "thing", "1.2.3", sources, None, "MIT")


def chart(repository: str, name: str = "thing") -> Entry:
    return Entry("chart", name, "1.2.3", (repository,), None, "MIT")


def test_a_manifest_of_two_files_is_one_stream_of_documents(server: str, tmp_path: Path) -> None:
    path = fetch.into(tmp_path, manifest(f"{server}/a.yaml", f"{server}/b.yaml"))
    assert path == tmp_path / "manifests" / "thing-1.2.3.yaml"
    assert list(yaml.safe_load_all(path.read_text())) == [{"name": "a.yaml"}, {"name": "b.yaml"}]


def test_a_chart_is_pulled_by_helm(server: str, tmp_path: Path) -> None:
    path = fetch.into(tmp_path, chart(server))
    assert path == tmp_path / "charts" / "thing-1.2.3.tgz"
    assert path.read_text() == "name: thing-1.2.3.tgz\n"


def test_what_is_there_is_not_fetched_again(server: str, tmp_path: Path) -> None:
    path = fetch.into(tmp_path, manifest(f"{server}/a.yaml"))
    path.write_text("kept")
    assert fetch.into(tmp_path, manifest(f"{server}/missing.yaml")).read_text() == "kept"


@pytest.mark.parametrize(
    ("path", "reason"),
    [("missing.yaml", "404 Not Found"), ("cut.yaml", "IncompleteRead.*"), ("binary.yaml", "what came is not text")],
)
def test_a_bad_answer_is_one_line_with_the_address(server: str, tmp_path: Path, path: str, reason: str) -> None:
    with pytest.raises(FetchError) as error:
        fetch.into(tmp_path, manifest(f"{server}/a.yaml", f"{server}/{path}"))
    assert re.fullmatch(f"{server}/{path}: {reason}", str(error.value))
    assert not (tmp_path / "manifests").exists(), "a folder there means that something was fetched"


def test_no_answer_at_all_is_one_line_with_the_address(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"^http://127\.0\.0\.1:9/a\.yaml: .*Connection refused$"):
        fetch.into(tmp_path, manifest("http://127.0.0.1:9/a.yaml"))


def test_a_source_that_falls_silent_is_given_up(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "TIMEOUT", 0.3)
    with pytest.raises(FetchError, match=r"slow\.yaml: .*timed out"):
        fetch.into(tmp_path, manifest(f"{server}/slow.yaml"))


@pytest.mark.parametrize(
    ("repository", "name", "reason"),
    [
        ("http://127.0.0.1:9", "thing", "connection refused"),
        (None, "other", "not found"),
    ],
    ids=["refused", "no-such-chart"],
)
def test_helms_own_reason_is_the_line(
    server: str, tmp_path: Path, repository: str | None, name: str, reason: str
) -> None:
    with pytest.raises(FetchError) as error:
        fetch.into(tmp_path, chart(repository or server, name))
    assert str(error.value).startswith(f"{repository or server}: ")
    assert reason in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "charts").exists(), "a folder there means that something was fetched"


def test_helm_that_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FetchError, match="helm is not on PATH"):
        fetch.into(tmp_path, chart("http://127.0.0.1:9"))


def test_helm_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "helm"
    slow.write_text("#!/bin/sh\nexec sleep 30\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(fetch, "TIMEOUT", 0.03)
    with pytest.raises(FetchError, match="no answer within"):
        fetch.into(tmp_path, chart("http://example.invalid"))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_download_leaves_nothing_and_the_next_one_works(
    server: str, tmp_path: Path, how: signal.Signals
) -> None:
    code = (
        "import signal, sys; from pathlib import Path\n"
        "from components import fetch; from components.upstream import Entry\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background jobs ignore it
        "fetch.into(Path(sys.argv[1]), Entry('manifest', 'thing', '1.2.3', (sys.argv[2],), None, 'MIT'))"
    )
    folder = tmp_path / "vendor"
    ASKED.clear()
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(folder), f"{server}/slow.yaml"], cwd=ROOT, stderr=subprocess.DEVNULL
    )
    assert ASKED.wait(30)
    time.sleep(0.2)
    process.send_signal(how)
    assert process.wait(10) != 0
    assert not folder.exists()
    assert fetch.into(folder, manifest(f"{server}/a.yaml")).read_text() == "name: a.yaml\n"


def test_the_digest_of_one_entry_is_written_into_the_real_lock() -> None:
    text = LOCK_FILE.read_text()
    for name in [*upstream.lock().charts, *upstream.lock().manifests]:
        written = fetch.with_digest(text, name, "a" * 64)
        changed = [(old, new) for old, new in zip(text.splitlines(), written.splitlines(), strict=True) if old != new]
        assert len(changed) == 1, name
        section = "charts" if name in upstream.lock().charts else "manifests"
        assert yaml.safe_load(written)[section][name]["sha256"] == "a" * 64


def test_the_digest_of_one_image_is_written_into_the_real_lock() -> None:
    text = LOCK_FILE.read_text()
    for name in upstream.lock().images:
        written = fetch.with_image_digest(text, name, "sha256:" + "b" * 64)
        changed = [(old, new) for old, new in zip(text.splitlines(), written.splitlines(), strict=True) if old != new]
        assert len(changed) == 1, name
        assert yaml.safe_load(written)["images"][name] == {
            **yaml.safe_load(text)["images"][name],
            "digest": "sha256:" + "b" * 64,
        }


def test_the_comments_of_the_lock_survive() -> None:
    text = fetch.with_digest(LOCK_FILE.read_text(), "seldon-core-operator", "c" * 64)
    assert "# the last release under Apache-2.0" in text
    assert text.startswith("# Every chart, manifest and image")


@pytest.mark.parametrize(
    "text", ["  x: {ref: a:1, digest: null}\n  y: {digest: null}\n", "  x: {digest: null, ref: a:1}\n"]
)
def test_a_digest_may_stand_anywhere_in_its_line(text: str) -> None:
    written = yaml.safe_load(fetch.with_image_digest(text, "x", "sha256:d"))
    assert written["x"] == {"ref": "a:1", "digest": "sha256:d"}
    assert written.get("y", {"digest": None}) == {"digest": None}


def test_a_digest_is_replaced_by_a_newer_one() -> None:
    text = fetch.with_digest("charts:\n  x:\n    version: 1\n    sha256: null\n", "x", "old")
    assert yaml.safe_load(fetch.with_digest(text, "x", "new"))["charts"]["x"]["sha256"] == "new"


def test_the_command_names_all_that_could_not_be_had(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = upstream.Lock(
        charts={"thing": chart(server), "other": chart(server, "other")},
        manifests={"gone": manifest(f"{server}/missing.yaml")},
        images={},
    )
    monkeypatch.setattr(upstream, "lock", lambda: lock)
    monkeypatch.setattr(upstream, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["fetch", "vendor"])
    with pytest.raises(SystemExit) as end:
        fetch.main()
    assert "thing-1.2.3: vendor/charts/thing-1.2.3.tgz" in capsys.readouterr().out
    lines = str(end.value).splitlines()
    assert lines[0] == "2 could not be had:"
    assert lines[1].startswith("  other-1.2.3: ")
    assert lines[2].endswith("404 Not Found")


LOCK = """# kept
charts:
  thing:
    version: 1.2.3
    source: {server}
    sha256: null
    licence: MIT
manifests:
  gone:
    version: 1.2.3
    source: {server}/missing.yaml
    sha256: null
    licence: MIT
images:
  app: {{ref: "{host}/team/app:1", digest: null, licence: MIT}}
  gone: {{ref: "{host}/team/gone:1", digest: null, licence: MIT}}
"""


def test_every_digest_that_can_be_had_is_filled_in_and_the_others_are_named(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Helm is not on PATH at first: the command sees to it."""
    host = server.removeprefix("http://")
    file = tmp_path / "upstream.lock.yaml"
    file.write_text(LOCK.format(server=server, host=host))
    lock = upstream.read_lock(file)
    monkeypatch.setattr(upstream, "lock", lambda: lock)
    monkeypatch.setattr(upstream, "LOCK_FILE", file)
    monkeypatch.setattr(upstream, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["fetch", "lock"])
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with pytest.raises(SystemExit) as end:
        fetch.main()
    assert [line.split(": ")[0] for line in str(end.value).splitlines()] == [
        "2 could not be had:",
        "  gone-1.2.3",
        f"  {host}/team/gone:1",
    ]
    after = yaml.safe_load(file.read_text())
    archive = tmp_path / "vendor" / "charts" / "thing-1.2.3.tgz"
    assert after["charts"]["thing"]["sha256"] == hashlib.sha256(archive.read_bytes()).hexdigest()
    assert after["images"]["app"]["digest"] == DIGEST
    assert after["manifests"]["gone"]["sha256"] is None
    assert after["images"]["gone"]["digest"] is None
    assert file.read_text().startswith("# kept")


@pytest.mark.parametrize("failing", ["components.fetch", "tools", None])
def test_make_lock_runs_both_halves_and_fails_when_one_did(tmp_path: Path, failing: str | None) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho "$2 $3"\ntest "$2" != "{failing}"\n')
    python.chmod(0o755)
    ready = ["-o", ".venv/.requirements-installed"]
    run = subprocess.run(
        ["make", "--no-print-directory", "lock", f"PYTHON={python}", *ready],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.stdout.splitlines() == ["components.fetch lock", "tools lock"]
    assert (run.returncode != 0) == (failing is not None)
