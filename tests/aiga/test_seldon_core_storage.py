"""Storage.download of classes: paths, and S3 against a real server."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import store_world

from aiga.errors import UserError
from aiga.serving.runtimes.seldon_core.storage import Storage


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "parts").mkdir(parents=True)
    (folder / "m[1].bin").write_text("weights")
    (folder / "parts" / "p").write_text("part")
    return folder


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts objects into a new bucket, and gives its name."""
    store_world.sign_in(monkeypatch)
    monkeypatch.setenv("AWS_ENDPOINT_URL", store_world.server().endpoint)

    def made(*keys: str) -> str:
        name = store_world.server().bucket()
        for key in keys:
            store_world.server().client().put_object(Bucket=name, Key=key, Body=key.encode())
        return name

    return made


def test_a_path_of_this_machine_is_returned_as_it_is(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model.parent)
    for uri in (str(model), "model", f"file://{model}", "file://model", f"{model}/m[1].bin"):
        assert Storage.download(uri) == uri.removeprefix("file://")


def test_a_folder_of_ones_own_gets_all_of_it_and_again(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model.parent)
    for _ in range(2):
        assert Storage.download("file://model", "out/deep") == "out/deep"
    assert Path("out/deep/m[1].bin").read_text() == "weights" and Path("out/deep/parts/p").read_text() == "part"
    Storage.download("model/parts/p", "one")
    assert Path("one/p").read_text() == "part"


def test_a_file_that_is_there_already_is_kept(model: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "parts").write_text("mine")
    with pytest.raises(UserError, match=r"out/parts: is there already .give an empty out_dir"):
        Storage.download(str(model), str(tmp_path / "out"))
    assert (tmp_path / "out" / "parts").read_text() == "mine"


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("file:///no/such/model", "there is no such file or folder"),
        ("gs://bucket/m", "gs://bucket/m: must be .* argument model_uri"),
        ("https://host/m.bin", "must be a path that is there, file:// and a path, or s3://"),
        ("/no/such/model", "must be a path that is there"),
    ],
)
def test_what_cannot_be_had_is_refused_with_the_remedy(uri: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        Storage.download(uri)


def test_without_boto3_s3_says_what_to_require(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(UserError, match=r"s3://b/m: needs the package boto3.*add boto3 to requirements\.txt"):
        Storage.download("s3://b/m")


def test_s3_gives_one_object_or_all_below_a_key(bucket: Any, tmp_path: Path) -> None:
    name = bucket("m/model.bin", "m/a/part", "m2/other")
    for uri in (f"s3://{name}/m", f"s3://{name}/m/"):
        folder = Path(Storage.download(uri))
        files = {str(each.relative_to(folder)): each.read_text() for each in folder.rglob("*") if each.is_file()}
        assert files == {"model.bin": "m/model.bin", "a/part": "m/a/part"}
    one = Storage.download(f"s3://{name}/m/model.bin", str(tmp_path / "one"))
    assert [each.name for each in Path(one).iterdir()] == ["model.bin"]
    assert len(list(Path(Storage.download(f"s3://{name}")).rglob("*"))) == 6


def test_s3_says_that_there_is_no_such_object_or_bucket(bucket: Any) -> None:
    with pytest.raises(UserError, match="there is no such object, nor any below it"):
        Storage.download(f"s3://{bucket('m/x')}/n")
    with pytest.raises(UserError, match=r"NoSuchBucket.*check address"):
        Storage.download("s3://no-such-bucket-here/n")


class Listing:
    """A client of a bucket with keys that a server of this machine would not keep."""

    def __init__(self, *keys: str) -> None:
        self.keys = keys
        self.written: list[str] = []

    def client(self, service: str, **options: Any) -> Any:
        return self

    region_name = None

    def get_paginator(self, name: str) -> Any:
        return self

    def paginate(self, **of: str) -> Any:
        return [{"Contents": [{"Key": key} for key in self.keys]}]

    def download_file(self, bucket: str, key: str, path: str) -> None:
        self.written.append(path)


@pytest.mark.parametrize("name", ["../escaped", "a/../../escaped", "/escaped", "link/escaped"])
def test_nothing_is_written_where_an_object_would_be_outside_of_the_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    listing = Listing("m/good", f"m/{name}")
    monkeypatch.setattr("boto3.session.Session", lambda: listing)
    with pytest.raises(UserError, match="would be written outside of"):
        Storage.download("s3://b/m", str(folder))
    assert listing.written == []
