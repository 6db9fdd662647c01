"""Objects of S3: versions of the bucket where it keeps them, snapshots where not; against a real server."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sources_world import World, tree
from store_world import ACCESS, SECRET, Server

from aiga.errors import TransientError, UserError
from aiga.sources import s3
from aiga.spec.sources import S3Source


class Versioning(Server):
    """A server whose buckets can keep versions."""

    def _metadata(self) -> list[str]:
        versions = self.folder / "versions"
        versions.mkdir(exist_ok=True)
        return [*super()._metadata(), "--versioning-dir", str(versions)]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Versioning(Path(tempfile.mkdtemp(prefix="aiga-s3-")))
    yield server
    server.remove()


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


class Bucket:
    """A new bucket, and sources in it."""

    def __init__(self, server: Server, versioning: bool = False) -> None:
        self.name, self.client, self.endpoint = server.bucket(), server.client(), server.endpoint
        if versioning:
            self.client.put_bucket_versioning(Bucket=self.name, VersioningConfiguration={"Status": "Enabled"})

    def put(self, key: str, body: bytes) -> str | None:
        version: str | None = self.client.put_object(Bucket=self.name, Key=key, Body=body).get("VersionId")
        return version

    def delete(self, key: str, **more: Any) -> None:
        self.client.delete_object(Bucket=self.name, Key=key, **more)

    def source(self, path: str) -> S3Source:
        return S3Source(kind="s3", uri=f"s3://{self.name}{path}", endpoint=self.endpoint, region="us-east-1")


@pytest.mark.parametrize("versioning", [False, True])
def test_an_overwritten_object_can_still_be_had(versioning: bool, server: Server, world: World) -> None:
    bucket = Bucket(server, versioning)
    kept = bucket.put("data/orders.csv", b"old")
    first = world.reader().read("orders", bucket.source("/data/orders.csv"))
    bucket.put("data/orders.csv", b"new")
    second = world.reader().read("orders", bucket.source("/data/orders.csv"))
    assert (first.path.read_bytes(), second.path.read_bytes()) == (b"old", b"new")
    assert first.path.name == "orders.csv"
    assert world.restored(first).read_bytes() == b"old"
    if versioning:
        assert first.origin["objects"]["orders.csv"]["version"] == kept
        assert list(world.store.list()) == [], "the bucket keeps the versions: no snapshot is needed"
    else:
        assert world.store.exists(first.origin["snapshot"])


@pytest.mark.parametrize("versioning", [False, True])
def test_a_prefix_is_a_folder_that_is_restored_as_it_was(versioning: bool, server: Server, world: World) -> None:
    bucket = Bucket(server, versioning)
    for name in ("a/1.csv", "a/2.csv", "3.csv"):
        bucket.put(f"data/{name}", name.encode())
    bucket.put("database/4.csv", b"not below the prefix")
    version = world.reader().read("parts", bucket.source("/data/"))
    bucket.put("data/a/1.csv", b"overwritten")
    bucket.delete("data/3.csv")
    before = {name: name.encode() for name in ("a/1.csv", "a/2.csv", "3.csv")}
    assert tree(version.path) == before == tree(world.restored(version))
    assert tree(world.reader().read("parts", bucket.source("/data/")).path) == {
        "a/1.csv": b"overwritten",
        "a/2.csv": b"a/2.csv",
    }


def test_nothing_is_fetched_while_the_listing_is_the_same(
    server: Server, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = Bucket(server)
    bucket.put("data/1.csv", b"1")
    first = world.reader().read("parts", bucket.source("/data/"))
    monkeypatch.setattr(s3.Bucket, "fetch", lambda *_: pytest.fail("it was fetched again"))
    second = world.reader().read("parts", bucket.source("/data/"))
    assert (second.digest, second.path) == (first.digest, first.path)


def test_a_version_that_the_bucket_let_go_is_told(server: Server, world: World) -> None:
    bucket = Bucket(server, versioning=True)
    kept = bucket.put("orders.csv", b"old")
    version = world.reader().read("orders", bucket.source("/orders.csv"))
    bucket.put("orders.csv", b"new")
    bucket.delete("orders.csv", VersionId=kept)
    with pytest.raises(UserError, match=r"source orders: s3://.*does not keep this version any more"):
        world.restored(version)


def test_an_object_that_changes_between_listing_and_reading_is_not_mixed(
    server: Server, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = Bucket(server)
    bucket.put("data/1.csv", b"1")
    listed = s3.Bucket.objects

    def and_then_changed(self: s3.Bucket) -> list[s3.Object]:
        found = listed(self)
        bucket.put("data/1.csv", b"other")
        return found

    monkeypatch.setattr(s3.Bucket, "objects", and_then_changed)
    with pytest.raises(TransientError, match="changed while it was read"):
        world.reader().read("parts", bucket.source("/data/"))


def test_watching_goes_by_the_listing(server: Server, world: World) -> None:
    bucket, reader = Bucket(server), world.reader()
    for name in ("1.csv", "2.csv"):
        bucket.put(f"data/{name}", b"x")
    source = bucket.source("/data/")
    version = reader.read("parts", source)
    assert reader.changed(source, version) is None
    bucket.put("data/1.csv", b"y")
    bucket.put("data/3.csv", b"z")
    bucket.delete("data/2.csv")
    assert reader.changed(source, version) == f"source parts: {source.uri}: 1 new, 1 other, 1 gone"


def test_mistakes_are_told_with_their_remedy(server: Server, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = Bucket(server)
    bucket.put("data/1.csv", b"1")
    for path, rule in (
        ("/data", "s3://bucket/prefix/"),
        ("/nothing/", "no object below it"),
        ("/no.csv", "check the key"),
    ):
        with pytest.raises(UserError, match=rule):
            world.reader().read("parts", bucket.source(path))
    elsewhere = bucket.source("/data/").model_copy(update={"uri": "s3://no-such-bucket/data/"})
    with pytest.raises(UserError, match="check the bucket's name"):
        world.reader().read("parts", elsewhere)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret-and-wrong")
    with pytest.raises(UserError, match="check the AWS credentials") as raised:
        world.reader().read("parts", bucket.source("/data/"))
    assert "s3cret" not in str(raised.value)


def test_without_credentials_a_bucket_is_read_as_anyone_may(
    server: Server, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = Bucket(server)
    bucket.put("data/1.csv", b"1")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(UserError, match="check the AWS credentials"):
        world.reader().read("parts", bucket.source("/data/"))
    actions = ["s3:GetObject", "s3:ListBucket"]
    resources = [f"arn:aws:s3:::{bucket.name}", f"arn:aws:s3:::{bucket.name}/*"]
    statement = [
        {"Effect": "Allow", "Principal": "*", "Action": action, "Resource": resource}
        for action, resource in zip(actions, reversed(resources), strict=True)
    ]
    bucket.client.put_bucket_policy(Bucket=bucket.name, Policy=json.dumps({"Statement": statement}))
    assert tree(world.reader().read("parts", bucket.source("/data/")).path) == {"1.csv": b"1"}


def test_a_server_that_cannot_be_reached_is_transient(world: World) -> None:
    source = S3Source(kind="s3", uri="s3://bucket/data/", endpoint="http://127.0.0.1:9")
    with pytest.raises(TransientError, match="the connection failed"):
        world.reader().read("parts", source)
