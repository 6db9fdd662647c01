"""Downloads: what is checked, what is refused, and what a machine without network costs."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from tools_world import Publisher, World, archive, script, sha256

from tools import ToolError, download, network, pins
from tools.catalogue import Catalogue


def publish(world: World, publisher: Publisher, content: bytes, pin: str | None = "right", **download: str) -> str:
    """List `demo` as a download of `content`; returns its address."""
    url = f"{publisher.url}/demo-linux-amd64"
    publisher.files["/demo-linux-amd64"] = content
    published = {"url": f"{publisher.url}/demo-{{os}}-{{arch}}"} | download
    world.tool(download={**published, "published": ["linux/amd64"]})
    if pin:
        world.pin(url, sha256(content) if pin == "right" else pin)
    return url


def refusal(world: World) -> str:
    with pytest.raises(ToolError) as caught:
        world.ensure()
    assert world.leftovers() == [], "what was refused must not stay in the cache"
    return str(caught.value)


def test_a_download_with_the_pinned_digest_is_installed_once(world: World, publisher: Publisher) -> None:
    publish(world, publisher, script("1.2.3"))
    first = world.ensure()["demo"]
    assert first.read_bytes() == script("1.2.3")
    assert "downloaded 1.2.3" in world.lines[-1] and "unverified" not in "".join(world.lines)
    assert world.ensure()["demo"] == first
    assert len(publisher.asked) == 1, "the second time it must come from the cache"
    assert "downloaded before: demo" in world.lines[-1]


def test_another_digest_is_refused_and_both_are_named(world: World, publisher: Publisher) -> None:
    publish(world, publisher, script("1.2.3"), pin="0" * 64)
    message = refusal(world)
    assert f"refused: its sha256 is {sha256(script('1.2.3'))}, pinned is {'0' * 64}" in message


def test_a_new_version_or_pin_is_fetched_anew(world: World, publisher: Publisher) -> None:
    publish(world, publisher, script("1.2.3"))
    old = world.ensure()["demo"]
    publisher.files["/1.3.0"] = script("1.3.0")
    world.tool(version="1.3.0", download={"url": f"{publisher.url}/{{version}}"})
    world.pin(f"{publisher.url}/1.3.0", sha256(script("1.3.0")))
    new = world.ensure()["demo"]
    assert new != old and new.read_bytes() == script("1.3.0")
    assert old.exists(), "another checkout may still be using it"


@pytest.mark.parametrize("line", ["{sum}", "{sum}  demo-linux-amd64", "{other}  x\n{sum} *_dist/demo-linux-amd64\n"])
def test_without_a_pin_the_publishers_own_list_is_used_and_called_unverified(
    world: World, publisher: Publisher, line: str
) -> None:
    publish(world, publisher, script("1.2.3"), pin=None, checksums="{url}.sha256")
    text = line.format(sum=sha256(script("1.2.3")), other="1" * 64)
    publisher.files["/demo-linux-amd64.sha256"] = text.encode()
    world.ensure()
    assert "unverified pin: checked against the publisher's own list only" in "".join(world.lines)
    world.ensure()
    assert "unverified pin: demo" in world.lines[-1], "it must still be said when it comes from the cache"


def test_a_download_that_differs_from_the_publishers_list_is_refused(world: World, publisher: Publisher) -> None:
    publish(world, publisher, script("1.2.3"), pin=None, checksums="{url}.sha256")
    publisher.files["/demo-linux-amd64.sha256"] = b"2" * 64
    assert f"published is {'2' * 64}" in refusal(world)


@pytest.mark.parametrize("listing", [b"", b"<html>not found</html>", b"2" * 64 + b"  something-else\n"])
def test_a_list_without_the_file_is_no_list(world: World, publisher: Publisher, listing: bytes) -> None:
    publish(world, publisher, script("1.2.3"), pin=None, checksums="{url}.sha256")
    publisher.files["/demo-linux-amd64.sha256"] = listing
    assert "no sha256 in it for demo-linux-amd64" in refusal(world)


def test_what_nobody_vouches_for_is_not_even_fetched(world: World, publisher: Publisher) -> None:
    publish(world, publisher, script("1.2.3"), pin=None)
    message = refusal(world)
    assert "no sha256 is known" in message and "make lock" in message
    assert publisher.asked == []


def test_a_body_cut_short_is_asked_for_again_and_then_refused(world: World, publisher: Publisher) -> None:
    publish(world, publisher, script("1.2.3"))
    publisher.cut_after = 10
    assert f"broke off twice: {len(script('1.2.3')) - 10} bytes missing" in refusal(world)
    assert len(publisher.asked) == 2


def test_a_body_cut_short_once_does_no_harm(
    world: World, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(world, publisher, script("1.2.3"))
    whole, calls = network._copy, []

    def cut_the_first(*args: object) -> None:
        calls.append(args)
        publisher.cut_after = 10 if len(calls) == 1 else None
        whole(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(network, "_copy", cut_the_first)
    assert world.ensure()["demo"].read_bytes() == script("1.2.3")


def test_a_missing_file_is_named_with_its_status(world: World, publisher: Publisher) -> None:
    url = publish(world, publisher, script("1.2.3"))
    publisher.files.clear()
    assert f"{url}: HTTP 404" in refusal(world)


def test_a_download_of_another_version_is_refused(world: World, publisher: Publisher) -> None:
    publish(world, publisher, script("1.2.4"))
    assert "says that it is 1.2.4, not 1.2.3" in refusal(world)


def test_one_file_comes_out_of_an_archive_and_no_other(world: World, publisher: Publisher) -> None:
    content = archive({"demo-1.2.3/README": b"x", "demo-1.2.3/demo": script("1.2.3"), "demo": b"decoy"})
    publish(world, publisher, content, member="demo-{version}/demo")
    file = world.ensure()["demo"]
    assert file.read_bytes() == script("1.2.3")
    assert sorted(path.name for path in file.parent.iterdir()) == ["demo", "made.json"]


def test_a_whole_folder_comes_out_side_by_side(world: World, publisher: Publisher) -> None:
    content = archive({"kit/demo": script("1.2.3"), "kit/helper": b"#!/bin/sh\n", "kit/deep/er": b"", "else": b""})
    publish(world, publisher, content, member="kit/")
    file = world.ensure()["demo"]
    assert sorted(path.name for path in file.parent.iterdir()) == ["demo", "helper", "made.json"]


def test_an_archive_cannot_write_elsewhere(world: World, publisher: Publisher, tmp_path: Path) -> None:
    content = archive({"kit/demo": script("1.2.3"), "kit/../../../evil": b"x", "/kit/evil": b"x"})
    publish(world, publisher, content, member="kit/")
    world.ensure()
    assert not list(tmp_path.rglob("evil"))


@pytest.mark.parametrize("content", [b"not an archive", archive({"kit/demo": os.urandom(5000)})[:2000]])
def test_an_archive_that_cannot_be_read_is_refused(world: World, publisher: Publisher, content: bytes) -> None:
    publish(world, publisher, content, member="kit/demo")
    assert "cannot be unpacked" in refusal(world)


def test_an_archive_without_the_file_is_refused(world: World, publisher: Publisher) -> None:
    publish(world, publisher, archive({"kit/other": b""}), member="kit/demo")
    assert "no kit/demo in it" in refusal(world)


def test_a_platform_without_a_download_is_said(world: World) -> None:
    world.tool(download={"url": "https://example.org/x", "published": ["darwin/arm64"]})
    assert "the publisher has no build for linux/amd64" in refusal(world)


def test_downloads_can_be_switched_off(world: World, publisher: Publisher) -> None:
    publish(world, publisher, script("1.2.3"))
    with pytest.raises(ToolError, match="AIGA_TOOLS_DOWNLOAD=0"):
        world.ensure(downloads=False)
    assert publisher.asked == []


def test_a_host_that_cannot_be_reached_is_tried_once_for_all_tools(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"demo{number}" for number in range(12)]
    for name in names:
        world.tool(name, download={"url": f"https://nowhere.invalid/{name}", "checksums": "{url}.sha256"})
    tried = []

    def slow(host: str, _port: int) -> str:
        tried.append(host)
        time.sleep(0.3)
        return "no answer in 4 s"

    monkeypatch.setattr(network, "_try", slow)
    since = time.monotonic()
    with pytest.raises(ToolError) as caught:
        world.ensure(*names)
    assert tried == ["nowhere.invalid"]
    assert time.monotonic() - since < 2, "twelve tools must not wait twelve times"
    assert str(caught.value).count("nowhere.invalid cannot be reached (no answer in 4 s)") == 12
    assert str(caught.value).count("give access to nowhere.invalid") == 1, "a remedy is said once"


def test_a_closed_door_and_an_unknown_name_are_told_apart(publisher: Publisher) -> None:
    host, port = publisher.url.removeprefix("http://").split(":")
    assert network._try(host, int(port)) == ""
    assert network._try("127.0.0.1", 1) == "Connection refused"
    assert network._try("nowhere.invalid", 443) == "name not known"


def test_a_resolver_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "CONNECT_SECONDS", 0.1)
    monkeypatch.setattr("socket.create_connection", lambda *_args, **_kw: threading.Event().wait())
    since = time.monotonic()
    assert network._try("example.org", 443).startswith("no answer")
    assert time.monotonic() - since < 3


def test_the_proxy_is_the_one_that_must_be_reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert network._peer("https://example.org/x") == ("example.org", 443)
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    assert network._peer("https://example.org/x") == ("proxy.example", 3128)


def test_lock_pins_what_the_publishers_say_and_hashes_what_has_no_list(world: World, publisher: Publisher) -> None:
    publisher.files = {"/listed": b"a", "/listed.sha256": sha256(b"a").encode(), "/plain": b"b"}
    published = {"published": ["linux/amd64"]}
    world.tool("listed", download={"url": f"{publisher.url}/listed", "checksums": "{url}.sha256"} | published)
    world.tool("plain", download={"url": f"{publisher.url}/plain"} | published)
    world.pin("https://example.org/of-an-older-version", "3" * 64)
    assert pins.lock(Catalogue(world.folder), world.lines.append)
    assert Catalogue(world.folder).sums == {
        f"{publisher.url}/listed": sha256(b"a"),
        f"{publisher.url}/plain": sha256(b"b"),
    }
    assert "/listed" not in publisher.asked, "a published digest needs no download"


def test_lock_keeps_a_pin_that_the_publisher_contradicts_or_that_cannot_be_read(
    world: World, publisher: Publisher
) -> None:
    publisher.files = {"/changed": b"new"}
    for name in ("changed", "gone"):
        world.tool(name, download={"url": f"{publisher.url}/{name}", "published": ["linux/amd64"]})
        world.pin(f"{publisher.url}/{name}", "4" * 64)
    assert not pins.lock(Catalogue(world.folder), world.lines.append)
    assert set(Catalogue(world.folder).sums.values()) == {"4" * 64}
    assert any(f"now gives {sha256(b'new')}, not {'4' * 64}" in line for line in world.lines)
    assert any("HTTP 404" in line and "the old pin stays" in line for line in world.lines)


def test_a_digest_is_found_in_any_list_that_sha256sum_understands() -> None:
    digest = "A" * 64
    assert download.find_sum(f"{digest}\n", "x") == digest.lower()
    assert download.find_sum(f"{digest}  *dir/X-1.tgz\n", "X-1.tgz") == digest.lower()
    assert download.find_sum(f"{digest}  X-1.tgz.sig\n{digest}  Y\n", "X-1.tgz") is None


def test_two_downloads_run_at_once(world: World, publisher: Publisher) -> None:
    gate = publisher.hold = threading.Event()
    for name in ("one", "two"):
        publisher.files[f"/{name}"] = script("1.2.3", name)
        world.tool(name, download={"url": f"{publisher.url}/{name}"})
        world.pin(f"{publisher.url}/{name}", sha256(script("1.2.3", name)))

    def open_when_both_wait() -> None:
        while len(publisher.asked) < 2:
            time.sleep(0.01)
        gate.set()

    threading.Thread(target=open_when_both_wait, daemon=True).start()
    since = time.monotonic()
    assert set(world.ensure("one", "two")) == {"one", "two"}
    assert time.monotonic() - since < 10, "the second download waited for the first"
