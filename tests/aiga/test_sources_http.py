"""Files by HTTP: verified, repeated where it may help, and not fetched again while they are the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from sources_world import Web, World, serving

from aiga.errors import TransientError, UserError
from aiga.spec.sources import HttpSource

BODY = b"a,b\n" + b"1,2\n" * 100_000


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as web:
        web.content["/data/orders.csv"] = BODY
        yield web


def source(
    web: Web, path: str = "/data/orders.csv", content: bytes | None = None, secret: str | None = None
) -> HttpSource:
    sha256 = None if content is None else hashlib.sha256(content).hexdigest()
    return HttpSource(kind="http", url=web.url + path, sha256=sha256, secret=secret)


def test_the_file_is_read_and_can_be_restored_when_the_server_is_gone(world: World, web: Web) -> None:
    version = world.reader().read("orders", source(web))
    web.content.clear()
    assert version.path.read_bytes() == BODY and version.path.name == "orders.csv"
    assert version.digest == f"sha256:{hashlib.sha256(BODY).hexdigest()}"
    assert world.restored(version).read_bytes() == BODY


def test_an_unchanged_file_is_asked_for_by_its_etag_and_not_sent(world: World, web: Web) -> None:
    first = world.reader().read("orders", source(web))
    second = world.reader().read("orders", source(web))
    assert web.requests[1]["If-None-Match"] == web.etag("/data/orders.csv") == second.origin["etag"]
    assert second.digest == first.digest and second.path.read_bytes() == BODY
    web.content["/data/orders.csv"] = b"new"
    assert world.reader().read("orders", source(web)).path.read_bytes() == b"new"


def test_an_unchanged_file_that_is_not_here_any_more_is_fetched(world: World, web: Web) -> None:
    first = world.reader().read("orders", source(web))
    first.path.unlink()
    assert world.reader().read("orders", source(web)).path.read_bytes() == BODY


def test_a_server_error_is_tried_again_with_growing_pauses(world: World, web: Web) -> None:
    web.first = [500, 503, 429]
    assert world.reader().read("orders", source(web)).path.read_bytes() == BODY
    assert world.pauses == [0.5, 1, 2]


def test_a_server_that_stays_broken_is_transient(world: World, web: Web) -> None:
    web.first = [502] * 10
    with pytest.raises(TransientError, match=r"source orders: http://.*orders.csv: the server answered 502"):
        world.reader().read("orders", source(web))
    assert len(web.requests) == 5


def test_a_truncated_body_is_taken_up_where_it_broke_off(world: World, web: Web) -> None:
    web.first = ["cut"]
    assert world.reader().read("orders", source(web)).path.read_bytes() == BODY
    assert web.requests[1]["Range"] == f"bytes={len(BODY) // 2}-"


def test_a_truncated_body_is_fetched_anew_where_the_server_names_no_version(world: World, web: Web) -> None:
    web.etags, web.first = False, ["cut"]
    assert world.reader().read("orders", source(web)).path.read_bytes() == BODY
    assert "Range" not in web.requests[1]


def test_content_that_changes_in_the_middle_is_not_mixed(world: World, web: Web) -> None:
    web.first = ["cut"]
    new = BODY.replace(b"1,2", b"3,4")

    def replace(pause: float) -> None:
        web.content["/data/orders.csv"] = new

    assert world.reader(pause=replace).read("orders", source(web)).path.read_bytes() == new


def test_a_body_that_always_breaks_off_is_transient_and_leaves_nothing(world: World, web: Web) -> None:
    web.etags, web.first = False, ["cut"] * 10
    with pytest.raises(TransientError, match="the connection failed"):
        world.reader().read("orders", source(web))
    assert not list((world.root / "cache" / "unfinished").iterdir())
    assert not (world.root / "cache" / "data").exists()


def test_a_wrong_digest_is_the_users_to_mend_and_is_not_kept(world: World, web: Web) -> None:
    with pytest.raises(UserError, match=r"has sha256:.*, must have sha256:.*mend `sha256:`"):
        world.reader().read("orders", source(web, content=b"other"))
    assert list(world.store.list()) == []


def test_a_declared_digest_that_is_here_needs_no_network(world: World, web: Web) -> None:
    world.reader().read("orders", source(web, content=BODY))
    version = world.reader().read("orders", source(web, content=BODY))
    assert len(web.requests) == 1
    assert version.origin["etag"] == web.etag("/data/orders.csv")


@pytest.mark.parametrize(
    ("status", "remedy"), [(401, "name a secret"), (403, "name a secret"), (404, "check the address")]
)
def test_a_refusal_is_the_users_to_mend_and_is_not_repeated(status: int, remedy: str, world: World, web: Web) -> None:
    web.first = [status]
    with pytest.raises(UserError, match=remedy):
        world.reader().read("orders", source(web))
    assert len(web.requests) == 1


def test_a_server_that_is_not_there_is_transient(world: World) -> None:
    gone = HttpSource(kind="http", url="http://127.0.0.1:9/data.csv")
    with pytest.raises(TransientError, match=r"http://127.0.0.1:9/data.csv: the connection failed"):
        world.reader().read("orders", gone)


def test_the_secret_is_sent_and_shows_nowhere(world: World, web: Web) -> None:
    world.secrets["token"] = web.token = "s3cret-token"
    version = world.reader().read("orders", source(web, secret="token"))
    assert web.requests[0]["Authorization"] == "Bearer s3cret-token"
    assert "s3cret" not in repr(version.evidence())
    web.token = "another"
    with pytest.raises(UserError) as raised:
        world.reader().read("orders", source(web, secret="token"))
    assert "401" in str(raised.value) and "s3cret" not in str(raised.value)


def test_a_password_in_the_address_is_not_recorded(world: World, web: Web) -> None:
    with_user = web.url.replace("http://", "http://me:s3cret@")
    version = world.reader().read("orders", HttpSource(kind="http", url=f"{with_user}/data/orders.csv"))
    assert version.origin["url"] == f"{web.url}/data/orders.csv"


def test_watching_asks_and_does_not_read(world: World, web: Web) -> None:
    reader = world.reader()
    version = reader.read("orders", source(web))
    assert reader.changed(source(web), version) is None
    web.content["/data/orders.csv"] = b"new"
    assert "ETag is" in str(reader.changed(source(web), version))


def test_watching_a_server_without_etags_goes_by_the_size(world: World, web: Web) -> None:
    web.etags = False
    reader = world.reader()
    version = reader.read("orders", source(web))
    assert reader.changed(source(web), version) is None
    web.content["/data/orders.csv"] = b"new"
    assert reader.changed(source(web), version) == f"source orders: size is 3, was {len(BODY)}"


def test_progress_ends_at_the_size(world: World, web: Web) -> None:
    told: list[tuple[int, int]] = []
    reader = world.reader(progress=lambda done, total: told.append((done, total)))
    reader.read("orders", source(web))
    assert told[0] != told[-1] == (len(BODY), len(BODY))
