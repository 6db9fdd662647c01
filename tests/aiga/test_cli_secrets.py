"""`aiga secret set` and `aiga seal`, as they are typed; and what is told where a file cannot be had or made."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from runner_projects import AIGA, STEPS, Made, made

import tools
from components.keys import sealing_key

PROJECT = """
apiVersion: aiga.dev/v1
name: line
secrets: {token: {env: SERVICE_TOKEN}}
etl:
- {name: ask, run: "steps:ask", returns: {length: integer}, secrets: [token]}
"""
ASK = """

def ask() -> dict:
    import os

    return {"length": len(os.environ["SERVICE_TOKEN"])}
"""
RING = '''
"""A keyring in a file."""

import json
from pathlib import Path

from keyring.backend import KeyringBackend

FILE = Path(__file__).with_name("ring.json")

class Ring(KeyringBackend):
    priority = 1

    def _all(self):
        return json.loads(FILE.read_text()) if FILE.exists() else {}

    def get_password(self, service, username):
        return self._all().get(f"{service} {username}")

    def set_password(self, service, username, password):
        FILE.write_text(json.dumps({**self._all(), f"{service} {username}": password}))
'''
VALUE = "s3cret-value"


@pytest.fixture
def line(tmp_path: Path) -> Made:
    (tmp_path / "filering.py").write_text(RING)
    return made(tmp_path, PROJECT, STEPS + ASK)


def aiga(project: Made, *words: str, given: str = "", code: int = 0) -> subprocess.CompletedProcess[str]:
    """A command with a keyring in a file, and something on its standard input."""
    path = os.pathsep.join([project.environment["PYTHONPATH"], str(project.folder.parent)])
    own = {**project.environment, "PYTHONPATH": path, "PYTHON_KEYRING_BACKEND": "filering.Ring"}
    ended = subprocess.run(
        [sys.executable, "-c", AIGA, *words],
        cwd=project.folder, env=own, input=given, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == code, ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
    assert VALUE not in ended.stdout + ended.stderr, "no value is ever printed"
    return ended


def test_a_secret_that_was_set_reaches_the_step_that_needs_it(line: Made) -> None:
    assert "`aiga secret set token`" in aiga(line, "run", code=2).stderr
    assert "secret token: kept in the keyring" in aiga(line, "secret", "set", "token", given=f"{VALUE}\n").stdout
    assert json.loads((line.folder.parent / "ring.json").read_text()) == {"aiga/line token": VALUE}
    aiga(line, "run")
    (told,) = line.home.glob("store/line/runs/*/ask/metadata.yaml")
    assert yaml.safe_load(told.read_text())["returned"] == {"length": len(VALUE)}
    kept = [path for path in line.home.rglob("*") if path.is_file() and VALUE.encode() in path.read_bytes()]
    assert kept == [], "nothing that a run leaves holds the value"


def test_what_is_no_secret_or_empty_is_not_kept(line: Made) -> None:
    assert "not declared in project.yaml" in aiga(line, "secret", "set", "tokn", given=VALUE, code=2).stderr
    assert "its value is empty" in aiga(line, "secret", "set", "token", given="\n", code=2).stderr
    assert not (line.folder.parent / "ring.json").exists()


def test_a_sealed_secret_is_opened_by_kubeseal_with_the_clusters_key(line: Made, tmp_path: Path) -> None:
    pair = sealing_key(datetime.now(UTC))
    (tmp_path / "tls.crt").write_text(pair["tls_crt"])
    (tmp_path / "tls.key").write_text(pair["tls_key"])
    sealed = aiga(line, "seal", "token", "--certificate", str(tmp_path / "tls.crt"), given=f"{VALUE}\n").stdout
    manifest = yaml.safe_load(sealed)
    assert (manifest["metadata"]["name"], manifest["metadata"]["namespace"]) == ("token", "project-line")
    kubeseal = tools.ensure(["kubeseal"])["kubeseal"]
    opened = subprocess.run(
        [kubeseal, "--recovery-unseal", "--recovery-private-key", tmp_path / "tls.key"],
        input=json.dumps(manifest), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert base64.b64decode(json.loads(opened.stdout)["data"]["SERVICE_TOKEN"]).decode() == VALUE


def test_a_certificate_that_cannot_be_read_is_one_line(line: Made, tmp_path: Path) -> None:
    for path, why in ((tmp_path / "nope.pem", "No such file or directory"), (tmp_path, "Is a directory")):
        told = aiga(line, "seal", "token", "--certificate", str(path), given=VALUE, code=2).stderr
        assert told.strip() == f"{path}: {why} (--certificate names the platform's public key, a PEM file)"


def test_a_folder_that_cannot_be_made_is_one_line(line: Made, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told = line.aiga("runs", code=2, AIGA_HOME=str(tmp_path / "file" / "home"))
    assert told.strip() == f"{tmp_path}/file/home: Not a directory (set AIGA_HOME to a folder that you may write to)"
    told = line.aiga("init", str(tmp_path / "file" / "flowers"), code=2)
    assert told.strip() == f"{tmp_path}/file/flowers: Not a directory (name a folder that you may write to)"
