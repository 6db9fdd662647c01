"""What only S3 has: addresses, a server that dies, one without conditional writes, and what it refuses."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import store_world
from botocore.exceptions import ClientError

from aiga.errors import TransientError, UserError
from aiga.store import Missing, open_store
from aiga.store.directory import DirectoryStore
from aiga.store.s3 import S3Store
from aiga.store.s3_address import S3Address, parse
from aiga.store.s3_parts import MOST_PARTS, PART, part_size

SIZE = 64 << 20


@pytest.fixture(autouse=True)
def _signed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    store_world.sign_in(monkeypatch)


@pytest.fixture
def mortal() -> Iterator[store_world.Server]:
    """A server of its own, to be killed."""
    made = store_world.new_server()
    yield made
    made.remove()


def opened(server: store_world.Server, bucket: str) -> S3Store:
    store = open_store(f"s3://{bucket}?endpoint={server.endpoint}")
    assert isinstance(store, S3Store)
    return store


@pytest.mark.parametrize(
    ("address", "parsed"),
    [
        ("s3://bucket", S3Address("bucket")),
        ("s3://bucket/", S3Address("bucket")),
        ("s3://bucket/a/b/", S3Address("bucket", "a/b")),
        ("s3://b/p?endpoint=http://h:9000&region=eu-west-1", S3Address("b", "p", "http://h:9000", "eu-west-1")),
        ("s3://b?path_style=true", S3Address("b", path_style=True)),
        ("s3://b?endpoint=https://h&path_style=false", S3Address("b", endpoint="https://h", path_style=False)),
    ],
)
def test_an_address_says_where_and_reads_back(address: str, parsed: S3Address) -> None:
    assert parse(address) == parsed
    assert parse(str(parsed)) == parsed


def test_the_endpoint_comes_from_the_address_then_aiga_then_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://aws:1")
    assert parse("s3://b").endpoint == "http://aws:1"
    monkeypatch.setenv("AIGA_S3_ENDPOINT", "http://aiga:1")
    assert parse("s3://b").endpoint == "http://aiga:1"
    assert parse("s3://b?endpoint=http://own:1").endpoint == "http://own:1"


def test_the_bucket_is_in_the_path_where_the_service_is_not_aws() -> None:
    assert not parse("s3://b").by_path
    assert parse("s3://b?endpoint=http://h").by_path
    assert not parse("s3://b?endpoint=http://h&path_style=false").by_path


def test_all_mistakes_of_an_address_are_told_and_no_secret() -> None:
    with pytest.raises(UserError) as caught:
        open_store("s3://id:hunter2@bucket/../x?endpoint=h:9000&regoin=eu&path_style=yes")
    text = str(caught.value)
    for part in (
        "regoin: must be one of",
        "must not hold credentials",
        "begin with http",
        "path_style",
        "parts . or ..",
    ):
        assert part in text
    assert "hunter2" not in text


@pytest.mark.parametrize("address", ["gs://bucket", "", "file://", "s3://", "s3:///x"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UserError, match="must be"):
        open_store(address)


def test_folders_are_addresses_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for address in ("store", "./store", str(tmp_path / "store"), f"file://{tmp_path}/store"):
        store = open_store(address)
        assert isinstance(store, DirectoryStore) and store.address == str(tmp_path / "store")


def test_a_bucket_that_is_not_there_is_one_line_for_every_use(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = opened(store_world.server(), "no-such-bucket")
    for use in (
        lambda: store.read("a"),
        lambda: store.write("a", b""),
        lambda: store.create("a", b""),
        lambda: store.exists("a"),
        lambda: list(store.list()),
        lambda: store.upload(tmp_path / "file", "a"),
        lambda: store.download("a", tmp_path / "b"),
    ):
        with pytest.raises(UserError, match=r"there is no bucket no-such-bucket \(create it") as caught:
            use()
        assert "\n" not in str(caught.value) and not isinstance(caught.value, Missing)


def test_wrong_and_absent_credentials_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = store_world.server().bucket()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(UserError, match=r"credentials are not accepted: SignatureDoesNotMatch \(set AWS_ACCESS"):
        opened(store_world.server(), bucket).read("a")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(UserError, match=r"there are no credentials \(set AWS_ACCESS_KEY_ID"):
        opened(store_world.server(), bucket).read("a")


def test_a_server_that_is_not_there_may_come_back(mortal: store_world.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiga.store.s3.ATTEMPTS", 2)
    store = opened(mortal, mortal.bucket())
    store.write("a", b"1")
    mortal.kill()
    for use in (lambda: store.read("a"), lambda: store.write("a", b""), lambda: store.version("a")):
        with pytest.raises(TransientError, match=f"{mortal.endpoint} cannot be reached") as caught:
            use()
        assert "\n" not in str(caught.value)
    mortal.start()
    assert store.read("a") == b"1"


def test_an_upload_survives_a_server_that_is_killed_and_comes_back(mortal: store_world.Server, tmp_path: Path) -> None:
    store = opened(mortal, mortal.bucket())
    path = tmp_path / "model.onnx"
    path.write_bytes(os.urandom(SIZE))
    seen: list[bool] = []

    def restart() -> None:
        mortal.kill()
        mortal.start()
        seen.append(opened(mortal, store.where.bucket).exists("model.onnx"))

    restarting = threading.Thread(target=restart)

    def kill_once(done: int, total: int, /) -> None:
        if done >= total // 3 and restarting.ident is None:
            restarting.start()

    digest = store.upload(path, "model.onnx", kill_once)
    restarting.join()
    assert seen == [False], "nothing of it is there while it is under way"
    assert store.download("model.onnx", tmp_path / "fetched", digest) == digest


def test_an_upload_to_a_server_that_stays_dead_leaves_nothing_and_can_be_repeated(
    mortal: store_world.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiga.store.s3.ATTEMPTS", 2)
    store = opened(mortal, mortal.bucket())
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights").write_bytes(os.urandom(SIZE))
    (folder / "graph").write_bytes(b"small")
    for source, key in ((folder / "weights", "file"), (folder, "folder")):

        def kill(done: int, total: int, /) -> None:
            if done >= total // 3:
                mortal.kill()

        with pytest.raises(TransientError, match="cannot be reached"):
            store.upload(source, key, kill)
        mortal.start()
        assert not store.exists(key)
        with pytest.raises(Missing):
            store.download(key, tmp_path / "fetched")
        assert [item.size for item in store.list(key) if item.size not in (SIZE, 5)] == [], "no half objects"
        digest = store.upload(source, key)
        assert store.download(key, tmp_path / key, digest) == digest


def test_a_download_goes_on_where_a_killed_server_stopped(mortal: store_world.Server, tmp_path: Path) -> None:
    store = opened(mortal, mortal.bucket())
    (tmp_path / "file").write_bytes(os.urandom(SIZE))
    digest = store.upload(tmp_path / "file", "file")
    kills: list[int] = []
    told: list[int] = []

    def restart(done: int, total: int, /) -> None:
        told.append(done)
        if done >= total // 3 and not kills:
            kills.append(done)
            mortal.kill()
            mortal.start()

    assert store.download("file", tmp_path / "fetched", digest, restart) == digest
    assert kills and told == sorted(told) and told.count(SIZE) == 1, "no byte is fetched twice"


def test_a_lost_answer_to_a_create_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    store = opened(store_world.server(), store_world.server().bucket())
    store.create("warm", b"")
    put, lost = store._client.put_object, []

    def losing(**request: object) -> object:
        """The client's own repetition of a request whose answer was lost meets the object that it made."""
        if not lost:
            lost.append(put(**request))
        try:
            return put(**request)
        except ClientError as error:
            error.response["ResponseMetadata"]["RetryAttempts"] = 1
            raise

    monkeypatch.setattr(store._client, "put_object", losing)
    assert store.create("claim", b"mine")
    assert not store.create("claim", b"another's")


@pytest.mark.parametrize("manner", ["refuses", "ignores"])
def test_a_service_without_conditional_writes_is_used_with_one_warning(
    manner: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    store = opened(store_world.server(), store_world.server().bucket())

    def old(name: str) -> None:
        call = getattr(store._client, name)

        def without(**request: object) -> object:
            condition = {key: request.pop(key) for key in ("IfMatch", "IfNoneMatch") if key in request}
            if condition and manner == "refuses":
                response = {"Error": {"Code": "NotImplemented"}, "ResponseMetadata": {"HTTPStatusCode": 501}}
                raise ClientError(response, name)
            return call(**request)

        monkeypatch.setattr(store._client, name, without)

    old("put_object")
    old("complete_multipart_upload")
    assert store.create("a", b"1") and not store.create("a", b"2")
    version = store.version("a")
    assert store.compare_and_set("a", b"3", version) and not store.compare_and_set("a", b"4", version)
    assert store.read("a") == b"3"
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_bytes(bytes(20_000_000))
    digest = store.upload(tmp_path / "model", "m")
    assert store.download("m", tmp_path / "fetched", digest) == digest
    warnings = [record.getMessage() for record in caplog.records if record.name.startswith("aiga.store")]
    assert len(warnings) == 1 and "no conditional writes" in warnings[0]


def test_parts_of_killed_uploads_are_removed_by_a_later_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = opened(store_world.server(), store_world.server().bucket())
    client, bucket = store._client, store.where.bucket
    for key in ("file", "file2"):
        client.create_multipart_upload(Bucket=bucket, Key=key)
    (tmp_path / "file").write_bytes(bytes(20_000_000))
    store.upload(tmp_path / "file", "file")
    assert len(client.list_multipart_uploads(Bucket=bucket)["Uploads"]) == 2, "fresh ones may be another's"
    monkeypatch.setattr("aiga.store.s3_parts.STALE", timedelta(0))
    store.upload(tmp_path / "file", "file")
    assert [upload["Key"] for upload in client.list_multipart_uploads(Bucket=bucket)["Uploads"]] == ["file2"]


def test_parts_are_never_more_than_s3_takes() -> None:
    for size in (PART * 2, PART * MOST_PARTS, PART * MOST_PARTS + 1, 5 << 40):
        assert -(-size // part_size(size)) <= MOST_PARTS
