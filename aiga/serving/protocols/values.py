"""Google's protobuf Value, which is any JSON, to Python's values and back."""

from __future__ import annotations

from typing import Any

from google.protobuf.struct_pb2 import ListValue, NullValue, Struct, Value

from aiga.serving.messages import BadRequest


def read(value: Value) -> Any:
    """What a Value is in Python; numbers are float."""
    kind = value.WhichOneof("kind")
    if kind == "number_value":
        return value.number_value
    if kind == "list_value":
        return read_list(value.list_value)
    if kind == "struct_value":
        return {name: read(member) for name, member in value.struct_value.fields.items()}
    return getattr(value, kind) if kind in ("string_value", "bool_value") else None


def read_list(values: ListValue) -> list[Any]:
    """What a ListValue is in Python."""
    return [read(value) for value in values.values]


def write(value: Any) -> Value:
    """The Value of a value of JSON.

    Raises:
        BadRequest: a whole number is out of the range of a double, which is all that a Value holds.
    """
    if value is None:
        return Value(null_value=NullValue.NULL_VALUE)
    if isinstance(value, bool):
        return Value(bool_value=value)
    if isinstance(value, str):
        return Value(string_value=value)
    if isinstance(value, dict):
        return Value(struct_value=Struct(fields={str(name): write(member) for name, member in value.items()}))
    if isinstance(value, list | tuple):
        return Value(list_value=write_list(value))
    try:
        return Value(number_value=float(value))
    except OverflowError:
        raise BadRequest("a whole number is out of the range of a double, which is all that a Value holds") from None


def write_list(values: list[Any] | tuple[Any, ...]) -> ListValue:
    """The ListValue of a list of JSON."""
    return ListValue(values=[write(value) for value in values])
