"""Thousands of broken bodies: each is read, or refused as the client's mistake in one line; nothing else comes out."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from protocols_world import strings, tensor

from aiga.serving.messages import BadRequest, Message
from aiga.serving.protocols import grpc_seldon, grpc_tensorflow, grpc_v2, seldon, tensorflow, v2
from aiga.serving.protocols.metadata import TensorSpec

COUNT = 1000
MESSAGE = Message(
    (
        tensor("x", "FP32", [[1.5, 2], [3, 4]], a="b"),
        tensor("n", "INT64", [[1, 2], [3, 4]]),
        strings("s", b"text", b"more"),
        tensor("b", "BOOL", [True, False]),
        tensor("h", "FP16", [1, 2]),
    ),
    "id",
    {"p": 1},
    ("y",),
)
SINGLE = Message((tensor("x", "FP32", [[1.5, 2], [3, 4]], names=["a", "b"]),), "id", meta={"tags": {"a": 1}})
INPUTS = (TensorSpec("x", "FP32", (-1, 2)), TensorSpec("n", "INT64", (-1, 2)), TensorSpec("s", "BYTES", (-1,)))
ROWS = MESSAGE.with_(tensors=MESSAGE.tensors[:3])
FEEDBACK = seldon.Feedback(SINGLE, SINGLE, 0.5, SINGLE)
ODD: tuple[Any, ...] = (
    None, True, -1, 0, 2**31, 2**63, 2**64, 10**400, 1.5, 1e300, "", "x", "\u0000", "é" * 50, [], [[]], [1, [2]], {},
    {"b64": "?"}, {"b64": 1}, {"name": "x"}, [None], [{}], [["a"], [1]], "INT32", "BYTES",
)  # fmt: skip
TOKENS = (*(bytes([sign]) for sign in b'{}[],:"-'), b"\\", b"\\ud800", b"NaN", b"1e999", b"\xff", b"9" * 5000)


def bodies() -> dict[str, tuple[bytes, Callable[[bytes], Any]]]:
    binary, headers = v2.write_request(MESSAGE, binary=True)
    length = int(headers[v2.HEADER_LENGTH])
    one = INPUTS[:1]
    return {
        "v2": (v2.write_request(MESSAGE).content, v2.read_request),
        "v2 binary": (binary, lambda body: v2.read_request(body, {v2.HEADER_LENGTH: str(min(length, len(body)))})),
        "tensorflow rows": (
            tensorflow.write_request(ROWS, "row").content,
            lambda body: tensorflow.read_request(body, inputs=INPUTS),
        ),
        "tensorflow rows without metadata": (tensorflow.write_request(ROWS, "row").content, tensorflow.read_request),
        "tensorflow columns": (
            tensorflow.write_request(ROWS, "column").content,
            lambda body: tensorflow.read_request(body, inputs=INPUTS),
        ),
        "seldon ndarray": (
            seldon.write_request(SINGLE, "ndarray").content,
            lambda body: seldon.read_request(body, inputs=one),
        ),
        "seldon tensor": (seldon.write_request(SINGLE, "tensor").content, seldon.read_request),
        "seldon tftensor": (seldon.write_request(SINGLE, "tftensor").content, seldon.read_request),
        "seldon feedback": (seldon.write_feedback(FEEDBACK).content, seldon.read_feedback),
        "grpc v2": (grpc_v2.write_request(MESSAGE), grpc_v2.read_request),
        "grpc v2 typed": (grpc_v2.write_request(ROWS, as_raw=False), grpc_v2.read_request),
        "grpc tensorflow": (grpc_tensorflow.write_request(MESSAGE), grpc_tensorflow.read_request),
        "grpc seldon": (grpc_seldon.write_request(SINGLE), lambda body: grpc_seldon.read_request(body, inputs=one)),
        "grpc seldon ndarray": (grpc_seldon.write_request(SINGLE, "ndarray"), grpc_seldon.read_request),
        "grpc seldon feedback": (grpc_seldon.write_feedback(FEEDBACK), grpc_seldon.read_feedback),
    }


BODIES = bodies()


def broken_bytes(body: bytes, chance: random.Random) -> bytes:
    for _ in range(chance.choice((1, 1, 2, 4))):
        start = chance.randrange(len(body) + 1)
        end = min(len(body), start + chance.randrange(9))
        middle = chance.choice(
            (b"", body[start:end] * 2, bytes([chance.randrange(256)]), chance.choice(TOKENS), chance.randbytes(4))
        )
        body = body[:start] + middle + body[end:]
    return body


def broken_values(value: Any, chance: random.Random) -> Any:
    """A copy in which one member or element has another value, is gone, or is there once more."""
    value = copy.deepcopy(value)
    places: list[tuple[Any, Any]] = []
    level = [value]
    while level:
        holder = level.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        places += [(holder, key) for key in keys]
        level += [holder[key] for key in keys if isinstance(holder[key], dict | list)]
    holder, key = chance.choice(places)
    match chance.randrange(4):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, list):
            holder.append(holder[key])
        case 2 if isinstance(holder, dict):
            holder[chance.choice(("x", "data", "b64", "names", "inputs"))] = holder[key]
        case _:
            holder[key] = chance.choice(ODD)
    return value


@pytest.mark.parametrize("name", BODIES)
def test_a_whole_body_is_read(name: str) -> None:
    body, read = BODIES[name]
    read(body)


def refused(read: Callable[[bytes], Any], body: bytes) -> bool:
    try:
        read(body)
        return False
    except BadRequest as wrong:
        reason = wrong.reason
    assert reason and "\n" not in reason and len(reason) < 600, reason
    return True


@pytest.mark.parametrize("name", BODIES)
def test_bytes_that_are_broken_are_refused_or_read(name: str) -> None:
    body, read = BODIES[name]
    chance = random.Random(name)
    assert sum(refused(read, broken_bytes(body, chance)) for _ in range(COUNT)) > COUNT / 10


@pytest.mark.parametrize("name", [name for name in BODIES if BODIES[name][0].endswith(b"}")])
def test_values_that_are_broken_are_refused_or_read(name: str) -> None:
    body, read = BODIES[name]
    fields = json.loads(body)
    chance = random.Random(name)
    count = sum(refused(read, json.dumps(broken_values(fields, chance)).encode()) for _ in range(COUNT))
    assert count > COUNT / 10


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_is_cut_anywhere_is_refused_or_read(name: str) -> None:
    body, read = BODIES[name]
    assert sum(refused(read, body[:end]) for end in range(len(body)))


@pytest.mark.parametrize("name", [name for name in BODIES if not name.startswith("grpc")])
@pytest.mark.parametrize(
    "content", [b"[" * 10**6, b'{"a":' * 10**5, b"", b"null", b'"a"', b"\xef\xbb\xbf{}", b"{}" * 2]
)
def test_what_is_no_object_is_refused(name: str, content: bytes) -> None:
    assert refused(BODIES[name][1], content)
