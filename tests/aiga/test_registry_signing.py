"""What is loaded is what was registered, by whom it was: every other byte is refused with the reason."""

from __future__ import annotations

import base64
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import registry_world
import store_world
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aiga.errors import UserError
from aiga.registry import Registry, SigningKey, TrustedKeys, Untrusted
from aiga.registry.evidence import complete, from_yaml
from aiga.registry.signing import verify
from aiga.store import Corrupt, open_store

YAML = "digits/models/1/model.yaml"


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return registry_world.own_keys(tmp_path, monkeypatch)


@pytest.fixture(params=store_world.KINDS)
def registry(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: Path) -> Registry:
    made = Registry(open_store(store_world.address(request.param, tmp_path, monkeypatch)), "digits")
    registry_world.register(made, tmp_path)
    return made


def change(registry: Registry, *path: str | int, value: Any) -> None:
    """Change one value of model.yaml."""
    said = yaml.safe_load(registry.store.read(YAML))
    part = said
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = value
    registry.store.write(YAML, yaml.safe_dump(said, sort_keys=False).encode())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("metrics", "accuracy"), 0.99),
        (("metrics", "added"), 1.0),
        (("data", "images", "digest"), f"sha256:{'cd' * 32}"),
        (("parameters", "bias"), 1),
        (("gates", 0, "passed"), False),
        (("run",), "20270101T000000-abcdef"),
        (("file",), "other.onnx"),
        (("digest",), f"sha256:{'cd' * 32}"),
        (("format",), "pickle"),
        (("version",), 2),
        (("approver",), "mallory"),
        (("signature", "value"), base64.b64encode(bytes(64)).decode()),
        (("signature", "value"), "no base64"),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_changed_evidence_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: Path, path: tuple[str | int, ...], value: Any
) -> None:
    registry = Registry(open_store(str(tmp_path / "store")), "digits")
    registry_world.register(registry, tmp_path)
    change(registry, *path, value=value)
    with pytest.raises(Untrusted, match=r"its model\.yaml was changed after it was signed"):
        registry.fetch(1, tmp_path / "fetched")
    with pytest.raises(Untrusted):
        registry.promote(1, "production", by="ada", why="it looks good")
    assert not (tmp_path / "fetched").exists() and registry.history() == ()


def test_who_approved_a_version_is_signed_with_the_rest_of_its_evidence(registry: Registry, tmp_path: Path) -> None:
    before = registry.get(1).evidence
    registry.approved(1, "ada", SigningKey.load_or_create("digits"))
    after = registry.verify(1).evidence
    assert (before.approver, after.approver) == (None, "ada")
    assert after.model_dump(exclude={"approver", "signature", "metrics"}) == before.model_dump(
        exclude={"approver", "signature", "metrics"}
    ), "nothing else has changed"
    assert registry.fetch(1, tmp_path / "fetched").is_file()
    change(registry, "approver", value="mallory")
    with pytest.raises(Untrusted):
        registry.approved(1, "eve", SigningKey.load_or_create("digits"))


def test_a_changed_model_is_refused_and_not_handed_out(registry: Registry, tmp_path: Path) -> None:
    key = "digits/models/1/model.onnx"
    registry.store.write(key, b"another model")
    with pytest.raises(Corrupt, match=f"{key} is sha256:.*, expected sha256:"):
        registry.fetch(1, tmp_path / "fetched")
    assert not list((tmp_path / "fetched").glob("*"))
    other = registry_world.model_file(tmp_path, b"uploaded with its own digest")
    registry.store.upload(other, key)
    with pytest.raises(Corrupt):
        registry.fetch(1, tmp_path / "fetched")


def test_a_damaged_byte_of_a_model_is_refused(registry: Registry, tmp_path: Path) -> None:
    store_world.damage(registry.store, "digits/models/1/model.onnx")
    with pytest.raises(Corrupt, match="is damaged"):
        registry.fetch(1, tmp_path / "fetched")


def test_a_copy_on_this_machine_is_verified_each_time(registry: Registry, tmp_path: Path) -> None:
    path = registry.fetch(1, tmp_path / "fetched")
    good = path.read_bytes()
    path.write_bytes(b"changed here")
    assert registry.fetch(1, tmp_path / "fetched").read_bytes() == good


def test_an_unsigned_model_is_refused(registry: Registry, tmp_path: Path) -> None:
    change(registry, "signature", value=None)
    with pytest.raises(Untrusted, match=r"digits@1: is not signed \(register it again\)"):
        registry.fetch(1, tmp_path / "fetched")


def test_one_version_does_not_pass_for_another(registry: Registry, tmp_path: Path) -> None:
    registry_world.register(registry, tmp_path, b"second")
    for name in ("model.yaml", "model.onnx"):
        registry.store.write(f"digits/models/2/{name}", registry.store.read(f"digits/models/1/{name}"))
    with pytest.raises(Untrusted, match="digits@2: its evidence is that of digits@1"):
        registry.fetch(2, tmp_path / "fetched")


def test_a_key_is_trusted_only_when_its_public_half_is_in_the_folder(
    registry: Registry, tmp_path: Path, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = (keys / "digits.pub").read_bytes()
    monkeypatch.setenv("AIGA_KEYS", str(tmp_path / "elsewhere"))
    stranger = SigningKey.load_or_create("digits")
    with pytest.raises(Untrusted, match=rf"is not trusted; trusted are {stranger.id} \(if you know it, put"):
        registry.fetch(1, tmp_path / "fetched")
    (tmp_path / "elsewhere" / "other.colleague.pub").write_bytes(public)
    with pytest.raises(Untrusted, match="is not trusted"):
        registry.fetch(1, tmp_path / "fetched")
    (tmp_path / "elsewhere" / "digits.colleague.pub").write_bytes(public)
    assert registry.fetch(1, tmp_path / "fetched").exists()
    given = Registry(registry.store, "digits", TrustedKeys.of(stranger))
    with pytest.raises(Untrusted, match="is not trusted"):
        given.fetch(1, tmp_path / "other")


def test_a_stranger_who_signs_again_is_refused(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted = TrustedKeys.load("digits")
    monkeypatch.setenv("AIGA_KEYS", str(tmp_path / "mallory"))
    forged = SigningKey.load_or_create("digits").sign(registry.get(1).evidence)
    registry.store.write(YAML, forged.to_yaml())
    with pytest.raises(Untrusted, match="is not trusted"):
        Registry(registry.store, "digits", trusted).fetch(1, tmp_path / "fetched")


def test_a_key_is_made_once_and_only_its_owner_may_read_it(keys: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = {key.id for key in pool.map(SigningKey.load_or_create, ["digits"] * 8)}
    assert len(ids) == 1
    assert stat.S_IMODE((keys / "digits.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    assert sorted(path.name for path in keys.iterdir()) == ["digits.key", "digits.pub"]
    assert set(TrustedKeys.load("digits").keys) == ids
    assert not TrustedKeys.load("other").keys


def test_a_key_that_cannot_be_used_is_one_line(keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    SigningKey.load_or_create("digits")
    (keys / "digits.key").chmod(0o644)
    with pytest.raises(UserError, match=r"others may read this private key, mode 0644 \(chmod 600 .*digits\.key\)"):
        SigningKey.load_or_create("digits")
    (keys / "broken.key").touch(0o600)
    with pytest.raises(UserError, match="is no private key"):
        SigningKey.load_or_create("broken")
    (keys / "digits.x.pub").write_bytes(b"no key")
    with pytest.raises(UserError, match=r"digits\.x\.pub: is no public key"):
        TrustedKeys.load("digits")
    (tmp_path / "file").touch()
    monkeypatch.setenv("AIGA_KEYS", str(tmp_path / "file"))
    with pytest.raises(UserError, match="or set AIGA_KEYS to another folder"):
        SigningKey.load_or_create("digits")


def test_evidence_without_what_it_must_have_is_refused_before_anything_is_stored(tmp_path: Path, keys: Path) -> None:
    registry = Registry(open_store(str(tmp_path / "store")), "digits")
    with pytest.raises(ValueError, match="each needs a digest"):
        registry_world.evidence(data={"images": {"kind": "files"}})
    with pytest.raises(UserError, match="no such file or folder to register"):
        registry.register(tmp_path / "nothing", registry_world.evidence(), SigningKey.load_or_create("digits"))
    assert os.listdir(tmp_path) == ["keys"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc- :", max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(facts=st.dictionaries(st.text("abcé\n", min_size=1), json_values, max_size=4), metric=st.floats())
def test_any_evidence_is_verified_after_it_was_written_and_read(
    keys: Path, facts: dict[str, Any], metric: float
) -> None:
    key = SigningKey.load_or_create("digits")
    made = registry_world.evidence(parameters=facts, baseline={"nested": facts}, metrics={"m": metric})
    signed = key.sign(complete(made, version=1, file="model", format="other", digest=registry_world.DIGEST))
    verify(from_yaml(signed.to_yaml(), "model.yaml"), TrustedKeys.of(key))
