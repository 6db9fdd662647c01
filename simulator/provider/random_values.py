"""Random values with the inputs, outputs and limits of Pulumi's random package, from the system's own randomness."""

from __future__ import annotations

import base64
import ctypes
import ctypes.util
import random
import secrets
import string
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from simulator.provider.errors import ProviderError
from simulator.provider.wire import Properties, Secret

SPECIAL = "!@#$%&*()-_=+[]{}<>:?"
_CLASSES = {
    "Lower": string.ascii_lowercase,
    "Upper": string.ascii_uppercase,
    "Numeric": string.digits,
    "Special": SPECIAL,
}
_TEXT_DEFAULTS: Properties = {
    **{name.lower(): True for name in _CLASSES},
    **{f"min{name}": 0 for name in _CLASSES},
}
_PET = {
    "adverbs": "barely boldly calmly clearly deeply duly early fairly firmly freely gently gladly kindly largely "
    "lightly loosely mostly nearly neatly newly openly partly plainly quickly rarely safely seldom simply smoothly",
    "adjectives": "able amused awake bold brave bright calm careful cheerful clever cosmic crisp daring eager easy "
    "exact fair famous fast firm fresh gentle glad golden grand happy honest humble immense joint keen kind lasting",
    "names": "adder ant ape badger bat bear bee bison bobcat bonefish buck cat chicken chipmunk civet cobra cod colt "
    "corgi cow crab crane cricket crow deer dingo dodo dog donkey dove duck eagle eel elk falcon ferret finch fish",
}
_CRYPT = threading.Lock()


@dataclass(frozen=True)
class Made:
    """A new resource."""

    identity: str
    outputs: Properties


@dataclass(frozen=True)
class Maker:
    """How one type is made."""

    make: Callable[[Properties], Made]
    computed: tuple[str, ...]
    required: tuple[str, ...] = ()
    defaults: Mapping[str, Any] | None = None
    secret: tuple[str, ...] = ()


def complete(kind: str, inputs: Properties) -> Properties:
    """The inputs with the defaults of their type."""
    defaults = maker(kind).defaults or {}
    given = {key: value for key, value in inputs.items() if value is not None}
    if "numeric" in defaults:
        numeric = given.get("numeric", given.get("number", True))
        given = {**given, "numeric": numeric, "number": numeric}
    return {**defaults, **given}


def maker(kind: str) -> Maker:
    """The maker of a type such as RandomPassword."""
    if kind not in _MAKERS:
        raise ProviderError(f"the stand-in random plugin makes no {kind}, only {', '.join(sorted(_MAKERS))}")
    return _MAKERS[kind]


def hide(kind: str, outputs: Properties) -> Properties:
    """The outputs with the secret ones in their envelopes."""
    secret = maker(kind).secret
    return {key: Secret(value) if key in secret else value for key, value in outputs.items()}


def _text(inputs: Properties) -> str:
    alphabets = {name: letters for name, letters in _CLASSES.items() if inputs[name.lower()]}
    if "Special" in alphabets and inputs.get("overrideSpecial"):
        alphabets["Special"] = str(inputs["overrideSpecial"])
    least = {name: int(inputs[f"min{name}"]) for name in alphabets}
    length = int(inputs["length"])
    if not alphabets:
        raise ProviderError("at least one of lower, upper, numeric and special must be true")
    if length < max(1, sum(least.values())):
        raise ProviderError(
            f"length is {length}, but must be at least 1 and the sum of the minima, {sum(least.values())}"
        )
    letters = [secrets.choice(alphabets[name]) for name, count in least.items() for _ in range(count)]
    letters += [secrets.choice("".join(alphabets.values())) for _ in range(length - len(letters))]
    random.SystemRandom().shuffle(letters)
    return "".join(letters)


def _string(inputs: Properties) -> Made:
    text = _text(inputs)
    return Made(text, {"result": text})


def _password(inputs: Properties) -> Made:
    text = _text(inputs)
    return Made("none", {"result": text, "bcryptHash": bcrypt(text)})


def bcrypt(text: str) -> str | None:
    """A bcrypt hash by the system's libcrypt; None where it has none."""
    found = ctypes.util.find_library("crypt")
    if found is None:
        return None
    alphabet = "./" + string.ascii_uppercase + string.ascii_lowercase + string.digits
    salt = "$2b$10$" + "".join(secrets.choice(alphabet) for _ in range(21)) + secrets.choice(".Oeu")
    with _CRYPT:  # the answer lies in a buffer that the next call overwrites
        library = ctypes.CDLL(found)
        library.crypt.restype = ctypes.c_char_p
        answer = library.crypt(text.encode()[:72], salt.encode())
        hashed = answer.decode() if answer else ""
    return hashed if hashed.startswith("$2b$") else None


def _id(inputs: Properties) -> Made:
    raw = secrets.token_bytes(int(inputs["byteLength"]))
    prefix = str(inputs.get("prefix") or "")
    url = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    outputs = {
        "b64Std": prefix + base64.b64encode(raw).decode(),
        "b64Url": prefix + url,
        "dec": prefix + str(int.from_bytes(raw, "big")),
        "hex": prefix + raw.hex(),
    }
    return Made(url, outputs)


def _bytes(inputs: Properties) -> Made:
    raw = secrets.token_bytes(int(inputs["length"]))
    return Made("none", {"base64": base64.b64encode(raw).decode(), "hex": raw.hex()})


def _uuid4(inputs: Properties) -> Made:
    text = str(uuid.uuid4())
    return Made(text, {"result": text})


def _uuid7(inputs: Properties) -> Made:
    bits = (time.time_ns() // 1_000_000 << 80) | secrets.randbits(80)
    bits = bits & ~(0xF << 76) | 7 << 76
    text = str(uuid.UUID(int=bits & ~(0b11 << 62) | 0b10 << 62))
    return Made(text, {"result": text})


def _pet(inputs: Properties) -> Made:
    length = int(inputs["length"])
    kinds = ["adverbs"] * (length - 2) + (["adjectives"] if length > 1 else []) + ["names"]
    words = [str(inputs["prefix"])] if inputs.get("prefix") else []
    words += [secrets.choice(_PET[kind].split()) for kind in kinds]
    return Made(str(inputs["separator"]).join(words), {})


def _integer(inputs: Properties) -> Made:
    low, high = int(inputs["min"]), int(inputs["max"])
    if low > high:
        raise ProviderError(f"min is {low}, which is more than max, {high}")
    number = _source(inputs).randint(low, high)
    return Made(str(number), {"result": number})


def _shuffle(inputs: Properties) -> Made:
    items, source = list(inputs["inputs"]), _source(inputs)
    wanted = int(inputs.get("resultCount") or len(items))
    picked: list[Any] = []
    while items and len(picked) < wanted:
        picked += source.sample(items, len(items))
    return Made("-", {"results": picked[:wanted]})


def _source(inputs: Properties) -> random.Random:
    return random.Random(str(inputs["seed"])) if inputs.get("seed") else random.SystemRandom()


_MAKERS = {
    "RandomPassword": Maker(
        _password, ("result", "bcryptHash"), ("length",), _TEXT_DEFAULTS, secret=("result", "bcryptHash")
    ),
    "RandomString": Maker(_string, ("result",), ("length",), _TEXT_DEFAULTS),
    "RandomId": Maker(_id, ("b64Std", "b64Url", "dec", "hex"), ("byteLength",)),
    "RandomBytes": Maker(_bytes, ("base64", "hex"), ("length",), secret=("base64", "hex")),
    "RandomUuid": Maker(_uuid4, ("result",)),
    "RandomUuid4": Maker(_uuid4, ("result",)),
    "RandomUuid7": Maker(_uuid7, ("result",)),
    "RandomPet": Maker(_pet, (), defaults={"length": 2, "separator": "-"}),
    "RandomInteger": Maker(_integer, ("result",), ("min", "max")),
    "RandomShuffle": Maker(_shuffle, ("results",), ("inputs",)),
}
