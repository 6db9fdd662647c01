"""Files and folders that are stored and fetched: whole, verified, and never half."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import store_world

from aiga.errors import UserError
from aiga.step.digest import digest as step_digest
from aiga.store import Blocked, Corrupt, Missing, Store, open_store
from aiga.store.digest import path_digest, tree_digest
from aiga.store.keys import INTERNAL, MANIFEST

FILES = {"saved_model.pb": b"graph" * 1000, "variables/variables.index": b"", "variables/ü.data": os.urandom(70_000)}


@pytest.fixture(params=store_world.KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    return open_store(store_world.address(request.param, tmp_path, monkeypatch))


def folder_of(path: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Stopped(Exception):
    """What ends a transfer in the middle."""


def stop_at(share: float):
    def progress(done: int, total: int, /) -> None:
        if done >= share * total:
            raise Stopped

    return progress


@pytest.mark.parametrize("size", [0, 1, 20_000_000], ids=["empty", "byte", "in parts"])
def test_a_file_comes_back_with_its_sha256(store: Store, tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "model.onnx").write_bytes(data)
    told: list[tuple[int, int]] = []
    digest = store.upload(tmp_path / "model.onnx", "m/model.onnx", lambda done, total: told.append((done, total)))
    assert digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert [done for done, _ in told] == sorted(done for done, _ in told) and {total for _, total in told} <= {size}
    assert size == 0 or told[-1] == (size, size)
    target = tmp_path / "deep" / "fetched"
    assert store_world.reopened(store).download("m/model.onnx", target, digest) == digest
    assert target.read_bytes() == data
    assert [item.key for item in store.list()] == ["m/model.onnx"]


def test_a_folder_comes_back_with_its_files_and_digest(store: Store, tmp_path: Path) -> None:
    digest = store.upload(folder_of(tmp_path / "model", FILES), "m/model")
    assert digest == tree_digest(tmp_path / "model") == path_digest(tmp_path / "model")
    assert store.exists("m/model") and store.read("m/model/saved_model.pb") == FILES["saved_model.pb"]
    target = folder_of(tmp_path / "fetched", {"old.txt": b"is replaced"})
    assert store.download("m/model", target, digest) == digest
    assert contents(target) == FILES
    assert sorted(path.name for path in tmp_path.iterdir()) in (["fetched", "model"], ["fetched", "model", "store"])


def test_a_folders_digest_tells_names_and_bytes_apart(tmp_path: Path) -> None:
    digests = {
        tree_digest(folder_of(tmp_path / str(number), files))
        for number, files in enumerate([{"a": b"1"}, {"b": b"1"}, {"a": b"2"}, {"a": b"1", "b": b"1"}, {"x/a": b"1"}])
    }
    assert len(digests) == 5


def test_a_step_and_the_store_compute_one_digest(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "model", FILES)
    assert step_digest(folder) == tree_digest(folder)
    assert step_digest(folder / "saved_model.pb") == path_digest(folder / "saved_model.pb")


def test_a_damaged_byte_is_found_and_the_target_left_alone(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    store.upload(tmp_path / "file", "file")
    store.upload(folder_of(tmp_path / "model", FILES), "model")
    target = folder_of(tmp_path / "kept", {"a": b"mine"})
    for key, damaged in (("file", "file"), ("model", "model/saved_model.pb")):
        store_world.damage(store, damaged)
        with pytest.raises(Corrupt, match=f"{damaged} is damaged: it is sha256:.* was stored as sha256:"):
            store.download(key, target)
        assert contents(target) == {"a": b"mine"}
    assert not list(tmp_path.glob(".*.part"))


def test_a_damaged_manifest_is_found(store: Store, tmp_path: Path) -> None:
    store.upload(folder_of(tmp_path / "model", FILES), "model")
    text = store.read(f"model/{MANIFEST}").decode()
    for data in ("{", text.replace("saved_model.pb", "../../escaped"), text.replace('"files"', '"file"')):
        store.write(f"model/{MANIFEST}", data.encode())
        with pytest.raises(Corrupt, match=r"manifest\.json is damaged"):
            store.download("model", tmp_path / "a" / "b" / "fetched")
    assert not (tmp_path / "a" / "escaped").exists() and not (tmp_path / "escaped").exists()


def test_other_bytes_than_expected_are_refused(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"one")
    digest = store.upload(tmp_path / "file", "file")
    store.write("file", b"two")
    with pytest.raises(Corrupt, match=f"file is sha256:.*, expected {digest}"):
        store.download("file", tmp_path / "fetched", digest)
    assert not (tmp_path / "fetched").exists()
    assert store.download("file", tmp_path / "fetched") != digest, "a plain write forgets the old digest"


def test_what_stops_in_the_middle_leaves_nothing(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(os.urandom(20_000_000))
    folder_of(tmp_path / "model", FILES)
    for name, key in (("file", "file"), ("model", "model")):
        with pytest.raises(Stopped):
            store.upload(tmp_path / name, key, stop_at(0.4))
        assert not store.exists(key)
        with pytest.raises(Missing):
            store.download(key, tmp_path / "fetched")
        digest = store.upload(tmp_path / name, key)
        with pytest.raises(Stopped):
            store.download(key, tmp_path / "fetched", progress=stop_at(0.4))
        assert not (tmp_path / "fetched").exists() and not list(tmp_path.glob(".*.part"))
        assert store.download(key, tmp_path / "again" / key) == digest


KILLED = """
import os, pathlib, signal, sys
from aiga.store import open_store
def kill(done, total):
    if done >= total * 0.4:
        os.kill(os.getpid(), signal.SIGKILL)
open_store(sys.argv[1]).upload(pathlib.Path(sys.argv[2]), sys.argv[3], kill)
"""


@pytest.mark.parametrize("name", ["file", "model"])
def test_a_process_that_is_killed_in_an_upload_leaves_nothing_to_read(store: Store, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(os.urandom(40_000_000))
    folder_of(tmp_path / "model", FILES)
    root = Path(__file__).parents[2]
    ended = subprocess.run([sys.executable, "-c", KILLED, store.address, tmp_path / name, name], cwd=root, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert not store.exists(name)
    with pytest.raises(Missing):
        store.download(name, tmp_path / "fetched")
    digest = store.upload(tmp_path / name, name)
    assert store.download(name, tmp_path / "fetched", digest) == digest == path_digest(tmp_path / name)


def test_a_folder_over_the_remains_of_another_upload_is_whole(store: Store, tmp_path: Path) -> None:
    store.write("model/saved_model.pb", b"of an upload that was killed")
    store.write("model/variables", b"a file where a folder is needed now")
    digest = store.upload(folder_of(tmp_path / "model", FILES), "model")
    assert store.download("model", tmp_path / "fetched", digest) == digest
    assert contents(tmp_path / "fetched") == FILES


def test_a_folder_can_be_replaced_by_another(store: Store, tmp_path: Path) -> None:
    store.upload(folder_of(tmp_path / "one", FILES), "model")
    other = {"saved_model.pb": b"other", "new": b"1"}
    digest = store.upload(folder_of(tmp_path / "two", other), "model")
    store.download("model", tmp_path / "fetched", digest)
    assert contents(tmp_path / "fetched") == other


def test_folders_stored_at_once_under_one_key_do_not_mix(store: Store, tmp_path: Path) -> None:
    versions = [{f"{name}": bytes([writer]) * 1000 for name in "abcdef"} for writer in range(4)]
    folders = [folder_of(tmp_path / str(writer), files) for writer, files in enumerate(versions)]
    barrier = threading.Barrier(4)

    def upload(folder: Path) -> str:
        barrier.wait()
        return store.upload(folder, "model")

    with ThreadPoolExecutor(4) as pool:
        digests = [*pool.map(upload, folders)]
    found = store.download("model", tmp_path / "fetched")
    assert contents(tmp_path / "fetched") == versions[digests.index(found)]


def test_files_stored_at_once_under_one_key_do_not_mix(store: Store, tmp_path: Path) -> None:
    for writer in range(4):
        (tmp_path / str(writer)).write_bytes(bytes([writer]) * 17_000_000)
    with ThreadPoolExecutor(4) as pool:
        digests = [*pool.map(lambda writer: store.upload(tmp_path / str(writer), "file"), range(4))]
    assert store.download("file", tmp_path / "fetched") in digests


def test_a_file_and_a_folder_do_not_replace_each_other(store: Store, tmp_path: Path) -> None:
    folder_of(tmp_path / "model", FILES)
    store.upload(tmp_path / "model", "folder")
    store.upload(tmp_path / "model" / "saved_model.pb", "file")
    with pytest.raises(Blocked, match="folder is a folder"):
        store.upload(tmp_path / "model" / "saved_model.pb", "folder")
    with pytest.raises(Blocked, match="file is a file"):
        store.upload(tmp_path / "model", "file")
    store.delete("folder")
    assert [item.key for item in store.list()] == ["file"]
    store.upload(tmp_path / "model" / "saved_model.pb", "folder")


def test_what_cannot_be_stored_is_one_line(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such file or folder"):
        store.upload(tmp_path / "nothing", "key")
    for name, make in {
        "link to a folder": lambda path: path.symlink_to(tmp_path),
        "broken link": lambda path: path.symlink_to(tmp_path / "nothing"),
        "pipe": os.mkfifo,
        MANIFEST: Path.touch,
        "back\\slash": Path.touch,
    }.items():
        folder = tmp_path / "folder" / name
        folder.mkdir(parents=True)
        make(folder / name)
        with pytest.raises(UserError) as caught:
            store.upload(folder, "key")
        assert "\n" not in str(caught.value) and not store.exists("key")


def test_a_file_that_changes_while_it_is_stored_is_refused(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(20_000_000))

    def change(done: int, total: int, /) -> None:
        with path.open("r+b") as file:
            file.write(b"changed")
            file.truncate(total - 5)

    with pytest.raises(UserError, match="it changed while it was stored"):
        store.upload(path, "file", change)
    assert not store.exists("file")


def test_a_read_only_directory_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(str(tmp_path / "store"))
    folder_of(tmp_path / "model", FILES)
    digest = store.upload(tmp_path / "model", "model")
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr("aiga.store.directory.DirectoryStore._locked", lambda *_: pytest.fail("takes a lock"))
    assert store.download("model", tmp_path / "fetched") == digest


def test_what_killed_writers_left_is_removed_when_it_is_old(tmp_path: Path) -> None:
    unfinished = tmp_path / "store" / INTERNAL / "tmp"
    unfinished.mkdir(parents=True)
    (unfinished / "fresh").touch()
    (unfinished / "stale").touch()
    os.utime(unfinished / "stale", (0, 0))
    open_store(str(tmp_path / "store"))
    assert [path.name for path in unfinished.iterdir()] == ["fresh"]
