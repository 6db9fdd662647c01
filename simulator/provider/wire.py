"""Pulumi property values: between protobuf Structs and plain Python, with secrets and unknown values kept apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.struct_pb2 import ListValue, Struct, Value

Properties = dict[str, Any]

_SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
_SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"
_OUTPUT: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_RESOURCE: Final = "5cf8f73096256a8f31e491e813e4eb8e"
_UNKNOWN_STRING: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_UNKNOWNS: Final = frozenset(
    {
        _UNKNOWN_STRING,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)


class Secret:
    """A value that the engine encrypts in the state and hides on the screen."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.value == other.value

    def __hash__(self) -> int:
        return hash(Secret)

    def __repr__(self) -> str:
        return "Secret(…)"


class Unknown:
    """A value that only an update will tell."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()


def decode(struct: Struct) -> Properties:
    """The properties of a request."""
    return {key: _value(value) for key, value in struct.fields.items()}


def _value(value: Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        text = value.string_value
        return UNKNOWN if len(text) == 36 and text in _UNKNOWNS else text
    if kind == "struct_value":
        return _object(value.struct_value)
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "bool_value":
        return value.bool_value
    if kind == "list_value":
        return [_value(item) for item in value.list_value.values]
    return None


def _object(struct: Struct) -> Any:
    found = decode(struct)
    signature = found.get(_SIGNATURE)
    if signature is None:
        return found
    if signature == _SECRET:
        return Secret(found.get("value"))
    if signature == _OUTPUT:
        inner = found.get("value", UNKNOWN)
        return Secret(inner) if found.get("secret") else inner
    if signature == _RESOURCE:
        return found.get("id") or found.get("urn")
    raise ValueError("assets and archives are not values of a Kubernetes object")


def encode(properties: Mapping[str, Any]) -> Struct:
    """The Struct of an answer."""
    struct = Struct()
    _fill_struct(struct, properties)
    return struct


def _fill_struct(struct: Struct, properties: Mapping[str, Any]) -> None:
    fields = struct.fields
    for key, value in properties.items():
        _fill(fields[key], value)


def _fill_list(target: ListValue, values: list[Any]) -> None:
    for value in values:
        _fill(target.values.add(), value)


def _fill(target: Value, value: Any) -> None:
    if isinstance(value, str):
        target.string_value = value
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, int | float):
        target.number_value = value
    elif isinstance(value, dict):
        target.struct_value.SetInParent()
        _fill_struct(target.struct_value, value)
    elif isinstance(value, list):
        target.list_value.SetInParent()
        _fill_list(target.list_value, value)
    elif isinstance(value, Secret):
        _fill_struct(target.struct_value, {_SIGNATURE: _SECRET, "value": value.value})
    elif value is UNKNOWN:
        target.string_value = _UNKNOWN_STRING
    else:
        target.null_value = 0


def plain(value: Any) -> Any:
    """The value with secrets taken out of their envelopes."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return plain(value.value) if isinstance(value, Secret) else value


def holds(value: Any, kind: type[Secret | Unknown]) -> bool:
    """Whether a secret, or an unknown, lies anywhere inside."""
    if isinstance(value, kind):
        return True
    if isinstance(value, dict):
        return any(holds(item, kind) for item in value.values())
    if isinstance(value, list):
        return any(holds(item, kind) for item in value)
    return isinstance(value, Secret) and holds(value.value, kind)
