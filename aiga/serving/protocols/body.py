"""Bodies of requests and responses: JSON objects, read strictly, and what is wrong with them and where."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar

from aiga.serving.messages import BadRequest, Message, ServingError

LIMIT = 64 * 2**20
"""Bytes: the longest body that is read when a caller names no other limit."""
DEEPEST = 32
"""Lists and objects within each other."""

T = TypeVar("T")
F = TypeVar("F")
P = ParamSpec("P")


class Body(NamedTuple):
    """What goes out: the bytes, and the HTTP headers that say how to read them."""

    content: bytes
    headers: Mapping[str, str]


class Request(NamedTuple, Generic[F]):
    """What came in: the message, and the form in which its client wants the response."""

    message: Message
    form: F


def parse(content: bytes | memoryview, *, limit: int = LIMIT, nan: bool = False) -> dict[str, Any]:
    """The JSON object in `content`.

    Args:
        content: UTF-8.
        limit: its longest length in bytes.
        nan: whether the tokens NaN, Infinity and -Infinity count as numbers, which they are not in JSON.

    Raises:
        BadRequest: too long, no UTF-8, no JSON, no object, nested too deep, or a member given twice.
    """
    check_length(content, limit)
    try:
        text = str(content, "utf-8")
    except UnicodeDecodeError as wrong:
        raise BadRequest(f"the body is no UTF-8: byte {wrong.start} is {wrong.object[wrong.start]:#04x}") from None
    try:
        value = (_WITH_NAN if nan else _STRICT).decode(text)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as wrong:
        raise BadRequest(f"the body is no JSON: {wrong.msg} at line {wrong.lineno}, column {wrong.colno}") from None
    except UnicodeEncodeError:
        raise BadRequest("the body has half a surrogate pair (\\ud800 to \\udfff), which is no text") from None
    except RecursionError:
        raise BadRequest(f"the body is nested deeper than {DEEPEST} levels") from None
    except ValueError:  # more digits than int() takes
        raise BadRequest("the body has a whole number with too many digits") from None
    if type(value) is not dict:
        raise BadRequest(f"the body is {shown(value)}; it must be a JSON object")
    return value


def check_length(content: bytes | memoryview, limit: int) -> None:
    """Raises BadRequest when `content` is longer than `limit` bytes."""
    if len(content) > limit:
        raise BadRequest(f"the body has {len(content)} bytes; at most {limit} are read")


def dump(value: Any, *, nan: bool = False) -> bytes:
    """`value` as JSON in UTF-8.

    Raises:
        ValueError: a number is not finite, and `nan` does not allow it.
    """
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=nan).encode()


def written(value: Any, *, nan: bool = False) -> Body:
    """`value` as a JSON body."""
    return Body(dump(value, nan=nan), {"Content-Type": "application/json"})


def error(reason: str) -> Body:
    """The body that says why there is no answer, as v2 and TensorFlow Serving write it."""
    return written({"error": reason})


def error_reason(content: bytes) -> str:
    """The reason in a body that `error` or a server wrote; its beginning when it has another form."""
    try:
        fields = parse(content, nan=True)
    except BadRequest:
        fields = {}
    reason = fields.get("error") or fields.get("detail")
    return reason if isinstance(reason, str) else str(content[:200], "utf-8", "replace")


def member(fields: Mapping[str, Any], key: str, kind: type[T], where: str, default: T | None = None) -> T:
    """Member `key` of an object that stands at `where`; `default` when it is missing or null.

    Raises:
        BadRequest: it is of another kind, or is missing and has no default.
    """
    value = fields.get(key)
    if value is None:
        if default is None:
            raise BadRequest(f"{at(where, key)}: is missing; it must be {KINDS[kind]}")
        return default
    if not isinstance(value, kind) or (type(value) is bool and kind is not bool):
        raise BadRequest(f"{at(where, key)}: is {shown(value)}; it must be {KINDS[kind]}")
    return value


def texts(values: Iterable[Any], where: str) -> tuple[str, ...]:
    """The elements of a list of strings that stands at `where`."""
    found = tuple(values)
    for index, value in enumerate(found):
        if type(value) is not str:
            raise BadRequest(f"{where}[{index}]: is {shown(value)}; it must be a string")
    return found


def check_depth(value: Any, where: str) -> Any:
    """`value` itself; BadRequest when its lists and objects are nested deeper than `DEEPEST`."""
    level = [value]
    for _ in range(DEEPEST + 1):
        inner: list[Any] = []
        for each in level:
            if type(each) is dict:
                inner.extend(each.values())
            elif type(each) is list:
                inner.extend(each)
        if not inner:
            return value
        level = inner
    raise BadRequest(f"{where}: is nested deeper than {DEEPEST} levels")


def header(headers: Mapping[str, str], name: str) -> str | None:
    """A header, whatever its case; mappings of HTTP libraries find it at once."""
    found = headers.get(name)
    if found is None:
        found = next((value for key, value in headers.items() if key.lower() == name.lower()), None)
    return found


def at(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def shown(value: Any) -> str:
    """A value in a message: what it is, never much of it."""
    if type(value) in (list, dict):
        return "a list" if type(value) is list else "an object"
    text = json.dumps(str(value, "ascii", "replace") if type(value) is bytes else value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def of_server(read: Callable[P, T]) -> Callable[P, T]:
    """Turns the BadRequest of a reader of responses into 502: the mistake is the server's, not the client's."""

    @functools.wraps(read)
    def reader(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return read(*args, **kwargs)
        except BadRequest as wrong:
            raise ServingError(502, f"the model server's response is wrong: {wrong.reason}") from None

    return reader


KINDS: Mapping[type, str] = {
    str: "a string",
    list: "a list",
    dict: "an object",
    bool: "true or false",
    int: "a whole number",
}


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for index, name in enumerate(names) if name in names[:index])
        raise BadRequest(f"an object has the member {shown(twice)} twice")
    return members


def _no_number(token: str) -> Any:
    raise BadRequest(f"the body has {token}, which is no JSON; send numbers that are not finite in binary or by gRPC")


_STRICT = json.JSONDecoder(object_pairs_hook=_members, parse_constant=_no_number)
_WITH_NAN = json.JSONDecoder(object_pairs_hook=_members)
