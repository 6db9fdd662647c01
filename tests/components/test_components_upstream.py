"""Entries of the lock are found where the stack says, and what has a digest is held to it."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from components import upstream
from components.upstream import Entry, Image, Upstream
from kube import charts

BODY = "kind: ConfigMap\n"


def entry(kind: str = "manifest", source: str = "http://127.0.0.1:9/m.yaml", **more: Any) -> Entry:
    made = Entry("manifest", "thing", "1.2.3", (source,), None, "MIT")
    return dataclasses.replace(made, kind=kind, **more)


@pytest.fixture
def vendor(tmp_path: Path) -> Path:
    for folder in ("charts", "manifests"):
        (tmp_path / "vendor" / folder).mkdir(parents=True)
    return tmp_path / "vendor"


@pytest.fixture
def standins(tmp_path: Path) -> Path:
    folder = tmp_path / "standins"
    (folder / "manifests").mkdir(parents=True)
    file = folder / "manifests" / "thing-1.2.3.yaml"
    file.write_text("simulated: true\n")
    (folder / "upstream.lock.yaml").write_text(yaml.safe_dump({"thing-1.2.3": charts.file_digest(file)}))
    return folder


@pytest.fixture
def source() -> Iterator[str]:
    """An address that serves BODY."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(BODY.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/m.yaml"
    server.shutdown()
    server.server_close()


@pytest.fixture
def found(tmp_path: Path, vendor: Path) -> Upstream:
    return Upstream(vendor=vendor, cache=tmp_path / "cache")


def put(vendor: Path, body: str = BODY) -> Path:
    file = vendor / "manifests" / "thing-1.2.3.yaml"
    file.write_text(body)
    return file


def chart(vendor: Path) -> Path:
    folder = vendor / "charts" / "thing-1.2.3"
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text("name: thing\n")
    return folder


def sha(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


def test_the_vendored_file_comes_before_stand_in_and_source(
    found: Upstream, vendor: Path, standins: Path, source: str
) -> None:
    put(vendor)
    located = dataclasses.replace(found, standins=standins).locate(entry(source=source))
    assert (located.origin, located.path.read_text(), located.verified) == ("vendor", BODY, False)


def test_a_stand_in_comes_before_the_source(found: Upstream, standins: Path, source: str) -> None:
    located = dataclasses.replace(found, standins=standins).locate(entry(source=source))
    assert (located.origin, located.verified) == ("standin", True)


def test_what_is_nowhere_else_is_fetched(found: Upstream, source: str) -> None:
    located = found.locate(entry(source=source))
    assert (located.origin, located.path.read_text(), located.digest) == ("source", BODY, sha(BODY))


def test_source_passes_over_what_is_vendored(found: Upstream, vendor: Path, source: str) -> None:
    put(vendor, "other: true\n")
    located = dataclasses.replace(found, mode="source").locate(entry(source=source))
    assert located.path.read_text() == BODY


@pytest.mark.parametrize(
    ("mode", "key", "remedy"),
    [("vendor", "aiga:upstream: vendor", "make vendor"), ("standins", "aiga:upstream: standins", "make up")],
)
def test_a_single_place_that_lacks_the_entry_is_named_with_the_remedy(
    found: Upstream, standins: Path, mode: Any, key: str, remedy: str
) -> None:
    only = dataclasses.replace(found, mode=mode, standins=standins)
    with pytest.raises(pulumi.RunError) as error:
        only.locate(entry(version="9"))
    assert key in str(error.value)
    assert "thing-9" in str(error.value)
    assert remedy in str(error.value)


def test_a_vendored_folder_is_recorded_once_and_held_to_it(found: Upstream, vendor: Path) -> None:
    folder = chart(vendor)
    first = found.locate(entry("chart")).digest
    assert yaml.safe_load((vendor / "digests.yaml").read_text()) == {"charts/thing-1.2.3": first}
    assert found.locate(entry("chart")).digest == first
    (folder / "templates" / "added.yaml").write_text("kind: Evil\n")
    changed = charts.tree_digest(folder)
    with pytest.raises(pulumi.RunError) as error:
        dataclasses.replace(found).locate(entry("chart"))
    assert first in str(error.value)
    assert changed in str(error.value)
    assert "digests.yaml" in str(error.value)


@pytest.mark.parametrize("kind", ["chart", "manifest"])
def test_a_vendored_file_without_a_digest_in_the_lock_is_recorded_once_and_held_to_it(
    found: Upstream, vendor: Path, kind: str
) -> None:
    name = "charts/thing-1.2.3.tgz" if kind == "chart" else "manifests/thing-1.2.3.yaml"
    (vendor / name).write_text("first")
    assert found.locate(entry(kind)).digest == sha("first")
    assert yaml.safe_load((vendor / "digests.yaml").read_text()) == {name: sha("first")}
    (vendor / name).write_text("second")
    with pytest.raises(pulumi.RunError) as error:
        dataclasses.replace(found).locate(entry(kind))
    for part in (name, sha("first"), sha("second"), "digests.yaml"):
        assert part in str(error.value)
    locked = dataclasses.replace(found).locate(entry(kind, sha256=sha("second")))
    assert locked.verified, "a digest in the lock says more than the record"


@pytest.mark.parametrize("change", ["content", "name", "removed"])
def test_a_tree_digest_sees_every_change(vendor: Path, change: str) -> None:
    folder = chart(vendor)
    before = charts.tree_digest(folder)
    file = folder / "Chart.yaml"
    if change == "content":
        file.write_text("name: thinh\n")
    elif change == "name":
        file.rename(folder / "chart.yaml")
    else:
        file.unlink()
    assert charts.tree_digest(folder) != before


def test_records_of_other_folders_stay(found: Upstream, vendor: Path) -> None:
    chart(vendor)
    (vendor / "digests.yaml").write_text("charts/other-1: abc\n")
    found.locate(entry("chart"))
    assert set(yaml.safe_load((vendor / "digests.yaml").read_text())) == {"charts/other-1", "charts/thing-1.2.3"}


def test_a_record_that_cannot_be_written_is_one_line(found: Upstream, vendor: Path) -> None:
    chart(vendor)
    (vendor / f".digests.yaml.{os.getpid()}").mkdir()
    with pytest.raises(pulumi.RunError, match=r"digests.yaml: .*recorded there"):
        found.locate(entry("chart"))


def test_a_damaged_archive_is_refused_with_both_digests_and_the_way_out(found: Upstream, vendor: Path) -> None:
    file = vendor / "charts" / "thing-1.2.3.tgz"
    file.write_bytes(b"half of it")
    expected = "0" * 64
    with pytest.raises(pulumi.RunError) as error:
        found.locate(entry("chart", sha256=expected))
    for part in (str(file), expected, sha("half of it"), "delete it", "make vendor"):
        assert part in str(error.value)


def test_a_file_that_has_the_locks_digest_is_verified(found: Upstream, vendor: Path) -> None:
    put(vendor)
    assert found.locate(entry(sha256=sha(BODY))).verified


def test_a_fetched_file_is_held_to_the_lock_too(found: Upstream, source: str) -> None:
    with pytest.raises(pulumi.RunError, match="delete it"):
        found.locate(entry(source=source, sha256="1" * 64))


def test_a_changed_stand_in_is_refused(found: Upstream, standins: Path) -> None:
    (standins / "manifests" / "thing-1.2.3.yaml").write_text("changed: true\n")
    with pytest.raises(pulumi.RunError, match="stand-ins' lock"):
        dataclasses.replace(found, standins=standins).locate(entry())


def test_stand_ins_that_were_never_written_are_one_line(found: Upstream, tmp_path: Path) -> None:
    with pytest.raises(pulumi.RunError, match=r"aiga:standins: .* is not there"):
        dataclasses.replace(found, standins=tmp_path / "none").locate(entry())


@pytest.mark.parametrize("place", ["vendor", "source"])
def test_a_careful_stack_takes_nothing_without_a_digest(found: Upstream, vendor: Path, source: str, place: str) -> None:
    if place == "vendor":
        put(vendor)
    careful = dataclasses.replace(found, allow_unverified=False)
    with pytest.raises(pulumi.RunError) as error:
        careful.locate(entry(source=source))
    for part in ("manifests.thing", place, "make lock", "aiga:allowUnverified"):
        assert part in str(error.value)
    assert careful.locate(entry(source=source, sha256=sha(BODY))).verified


def test_a_careful_stack_takes_no_vendored_folder_for_it_has_no_digest_of_upstreams(
    found: Upstream, vendor: Path
) -> None:
    chart(vendor)
    with pytest.raises(pulumi.RunError, match="takes nothing unverified"):
        dataclasses.replace(found, allow_unverified=False).locate(entry("chart", sha256="2" * 64))


def test_an_unreachable_source_is_one_line_with_what_to_do(found: Upstream) -> None:
    with pytest.raises(pulumi.RunError) as error:
        found.locate(entry())
    assert re.fullmatch(
        r"upstream\.lock\.yaml: manifests\.thing: 1\.2\.3 could not be fetched: http://127\.0\.0\.1:9/m\.yaml: "
        r".*Connection refused.*make vendor.*",
        str(error.value),
    )


@pytest.mark.parametrize(
    ("image", "reference", "repository", "tag"),
    [
        (Image("a", "h:5000/x/y:1.2", None, "MIT"), "h:5000/x/y:1.2", "h:5000/x/y", "1.2"),
        (Image("a", "h/x:1", "sha256:f", "MIT"), "h/x:1@sha256:f", "h/x", "1@sha256:f"),
    ],
)
def test_an_image_is_named_by_its_digest_where_there_is_one(
    image: Image, reference: str, repository: str, tag: str
) -> None:
    assert (image.reference, image.repository, image.tag) == (reference, repository, tag)


def test_the_projects_own_lock_has_every_source_as_a_list_and_every_version_as_text() -> None:
    lock = upstream.lock()
    entries = [*lock.charts.values(), *lock.manifests.values()]
    assert len(entries) == 17
    assert all(isinstance(e.version, str) and e.sources for e in entries)
    assert len(lock.manifests["knative-eventing"].sources) == 2


def test_all_mistakes_come_at_once_and_what_is_unverified_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", said.append)
    charts = upstream.lock().charts
    folder = tmp_path / "charts" / charts["nats"].stem
    folder.mkdir(parents=True)
    (folder / "Chart.yaml").write_text("name: nats\n")
    vendored = Upstream(mode="vendor", vendor=tmp_path)
    vendored.check([charts["nats"]])
    assert len(said) == 1
    assert charts["nats"].stem in said[0]
    with pytest.raises(pulumi.RunError) as refused:
        vendored.check([charts["base"], charts["nats"], charts["istiod"]])
    assert charts["base"].stem in str(refused.value)
    assert charts["istiod"].stem in str(refused.value)
