"""Random values: made once, secret where they are, replaced when an input changes."""

from __future__ import annotations

import base64
import re
import string
import uuid
from typing import Any

import pulumi
import pulumi_random as rnd
import pytest

from simulator.provider import random_values
from simulator.provider.errors import ProviderError
from tests.provider.provider_world import Program, Stack


def values(keeper: str = "1", length: int = 24) -> Program:
    def declare(_: pulumi.ResourceOptions) -> None:
        rnd.RandomPassword("password", length=length, special=False, min_upper=3, keepers={"k": keeper})
        rnd.RandomString("string", length=8, upper=False, override_special="-")
        rnd.RandomId("id", byte_length=4, prefix="p-")
        rnd.RandomBytes("bytes", length=16)
        rnd.RandomUuid("uuid")
        rnd.RandomPet("pet", length=3)
        rnd.RandomInteger("integer", min=1, max=6)
        rnd.RandomShuffle("shuffle", inputs=["a", "b", "c"])

    return declare


@pytest.mark.engine
def test_values_stay_until_an_input_changes(stack: Stack) -> None:
    first = stack.preview(values())
    assert first.ok, first.text
    made = stack.up(values())
    assert made.ok, made.text
    state = stack.state()
    password = _clear(state["password"]["outputs"]["result"])
    assert re.fullmatch(r"[A-Za-z0-9]{24}", password)
    assert sum(letter.isupper() for letter in password) >= 3
    assert password not in stack.text(), "a password is secret in the state"
    assert state["password"]["id"] == "none", "an id is never secret, so it cannot be the password"
    assert state["string"]["id"] == state["string"]["outputs"]["result"]
    found = state["id"]["outputs"]
    raw = bytes.fromhex(found["hex"].removeprefix("p-"))
    assert found["b64Std"] == "p-" + base64.b64encode(raw).decode()
    assert found["dec"] == f"p-{int.from_bytes(raw, 'big')}"
    assert uuid.UUID(state["uuid"]["id"])
    assert len(base64.b64decode(_clear(state["bytes"]["outputs"]["base64"]))) == 16
    assert len(state["pet"]["id"].split("-")) == 3
    assert 1 <= state["integer"]["outputs"]["result"] <= 6
    assert sorted(state["shuffle"]["outputs"]["results"]) == ["a", "b", "c"]

    assert stack.up(values()).steps == {}
    assert stack.refresh().steps == {}
    kept = stack.preview(values(keeper="2"))
    assert kept.changes("password") == {"keepers.k": "update-replace"} or "keepers" in kept.changes("password")
    longer = stack.up(values(length=32))
    assert longer.ok, longer.text
    assert "create-replacement" in longer.ops("password")
    assert len(_clear(stack.state()["password"]["outputs"]["result"])) == 32


def _clear(value: Any) -> str:
    """A secret as the engine exports it in clear: JSON in an envelope."""
    text = value["plaintext"] if isinstance(value, dict) else value
    return str(text).strip('"')


def test_a_text_holds_what_was_asked_for() -> None:
    inputs = random_values.complete("RandomString", {"length": 6, "minSpecial": 2, "minNumeric": 2, "minLower": 1})
    for _ in range(50):
        text = random_values.maker("RandomString").make(inputs).outputs["result"]
        assert len(text) == 6
        assert sum(letter in random_values.SPECIAL for letter in text) >= 2
        assert sum(letter in string.digits for letter in text) >= 2
        assert sum(letter in string.ascii_lowercase for letter in text) >= 1


@pytest.mark.parametrize(
    ("inputs", "complaint"),
    [
        ({"length": 3, "minUpper": 4}, "length is 3"),
        ({"length": 0}, "length is 0"),
        ({"length": 4, "lower": False, "upper": False, "numeric": False, "special": False}, "at least one"),
    ],
)
def test_what_cannot_be_made_is_refused(inputs: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ProviderError, match=complaint):
        random_values.maker("RandomPassword").make(random_values.complete("RandomPassword", inputs))


def test_a_bcrypt_hash_is_one_or_is_left_out() -> None:
    hashed = random_values.bcrypt("password")
    assert hashed is None or re.fullmatch(r"\$2b\$10\$[./A-Za-z0-9]{53}", hashed)


def test_version_7_identifiers_are_ordered_by_time() -> None:
    made = [random_values.maker("RandomUuid7").make({}).identity for _ in range(3)]
    parsed = [uuid.UUID(text) for text in made]
    assert {each.version for each in parsed} == {7}
    assert {each.variant for each in parsed} == {uuid.RFC_4122}
    assert [each.int >> 80 for each in parsed] == sorted(each.int >> 80 for each in parsed)
