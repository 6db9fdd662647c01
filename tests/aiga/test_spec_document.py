"""How the text of a project file is read, and which texts are refused as a whole."""

from __future__ import annotations

import math
from typing import Any

import pytest
from spec_world import mistakes

from aiga.spec.document import MAX_BYTES, MAX_DEPTH, read


def _data(text: str) -> Any:
    document = read(text.encode(), "project.yaml")
    assert document.mistakes == []
    return document.data


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("no", "no"),
        ("True", True),
        ("1e-4", 0.0001),
        ("3.", 3.0),
        ("+.5", 0.5),
        ("-.inf", -math.inf),
        ("0o17", 15),
        ("0x1F", 31),
        ("017", 17),
        ("-12", -12),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("~", None),
        ("", None),
        ("'1'", "1"),
        ('""', ""),
        ("'null'", "null"),
        ("|\n  1", "1"),
        ("[1, [on]]", [1, ["on"]]),
    ],
)
def test_plain_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    found = _data(f"key: {text}")["key"]
    assert found == value and type(found) is type(value)


def test_keys_are_text_whatever_they_look_like() -> None:
    assert _data("on: 1\n1: 2\n~: 3\n") == {"on": 1, "1": 2, "~": 3}


def test_every_path_has_its_line() -> None:
    document = read(b"a:\n  b:\n    - 1\n    - c: 2\nd: &x {e: 3}\nf: *x\n", "project.yaml")
    assert document.positions == {
        (): 1,
        ("a",): 1,
        ("a", "b"): 2,
        ("a", "b", 0): 3,
        ("a", "b", 1): 4,
        ("a", "b", 1, "c"): 4,
        ("d",): 5,
        ("d", "e"): 5,
        ("f",): 6,
        ("f", "e"): 5,
    }


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdef", "bcdefg", strict=True)
)
LONG_ALIASES = "a: &a " + "x" * 50_000 + "\nb: [" + ", ".join(["*a"] * 1000) + "]\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, "expands to more than 100000 values with its aliases written out (take aliases out)"),
        (LONG_ALIASES, "expands to over 10485760 characters with its aliases written out (take aliases out)"),
        ("a: &a [*a]\n", "1: a[0]: an alias: contains itself (take the alias out)"),
        ("#" * (MAX_BYTES + 1), f"1: (file): {MAX_BYTES + 1} bytes: must be at most {MAX_BYTES} bytes"),
        ("a:\n " + "[" * 500_000, f"2: (file): level {MAX_DEPTH + 1}: must be at most {MAX_DEPTH} levels deep"),
        ("a: {" * 60 + "}" * 60, f"1: (file): level {MAX_DEPTH + 1}: must be at most {MAX_DEPTH} levels deep"),
        ("a: 1\nb: !!python/object:os.system {}\n", "2: (file): tag:yaml.org,2002:python/object:os.system: tags"),
        ("a: !x 1\n", "1: (file): !x: tags are not read"),
        ("a: 1\n---\nb: 2\n", "2: (file): ---: must be one document"),
        ("- a\n", "1: (file): a list: must be a map of keys"),
        ("text\n", "1: (file): text: must be a map of keys"),
        ("", "1: (file): nothing: must be a map of keys"),
        ("# only a comment\n", "1: (file): nothing: must be a map of keys"),
        ("a:\n\tb: 1\n", "2: (file): a tab: must be indented with spaces"),
        ("a:\n  b: [1, 2\nc: 3\n", "3: (file): YAML: "),
        ("a: *nowhere\n", "1: (file): YAML: "),
        ("? [a]\n: 1\n", "1: (file): a list or a map: a key must be text"),
        ('a: "\\ud800"\n', "1: (file): "),
        ("a: 1\nb: \x01\n", "2: (file): "),
        (b"a: 1\nb: \xff\n", "2: (file): byte 0xff: must be UTF-8"),
    ],
)
def test_a_text_that_cannot_be_read_safely_is_refused_in_one_line(text: str | bytes, said: str) -> None:
    found = mistakes(text)
    assert len(found) == 1 and "\n" not in found[0]
    assert said in found[0]


def test_an_alias_that_stays_small_is_allowed() -> None:
    assert _data("a: &a {x: [1]}\nb: *a\n") == {"a": {"x": [1]}, "b": {"x": [1]}}


def test_a_key_that_stands_twice_is_told_with_both_lines_and_the_rest_is_read_on() -> None:
    found = mistakes("apiVersion: aiga.dev/v1\nname: a\nname: b\ntimout: 1h\n")
    assert found == [
        "3: name: name: the key is there twice, on lines 2 and 3 (take one of them out)",
        "4: timout: 1h: unknown key (did you mean timeout?)",
    ]


def test_merge_keys_and_endless_numbers_are_mistakes() -> None:
    text = f"apiVersion: aiga.dev/v1\nname: a\nresources:\n  <<: {{cpu: 1}}\n  gpu: {'9' * 5000}\n"
    first, second = mistakes(text)
    assert first.startswith("4: resources.<<: <<: merge keys are not of YAML 1.2")
    assert second.startswith("5: resources.gpu: 9999") and "at most 300 digits" in second
