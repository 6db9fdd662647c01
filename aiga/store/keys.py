"""Keys: what objects of a store are called, the same on disk and in S3."""

from __future__ import annotations

from aiga.errors import UserError

MANIFEST = ".aiga-manifest.json"
"""Object `<key>/.aiga-manifest.json` is written last: a folder is there only when it is."""
SPARE = ".aiga-spare"
"""Folder `<key>/.aiga-spare/` holds files whose own name an unfinished or another upload has taken."""
INTERNAL = ".store"
"""Folder at the root of a store that is its own: locks, unfinished files, digests."""
LONGEST_KEY, LONGEST_PART = 900, 200
"""Bytes: S3 allows 1024 for a key with the store's prefix, file systems 255 for a name, both less what is added."""


def check_key(key: str) -> str:
    """`key` itself, when it is one: parts with `/` between them that are safe on disk, in S3 and in a URL path.

    Raises:
        UserError: it is empty, absolute, too long, has a part `.` or `..`, or characters that one side cannot hold.
    """
    rule = _broken_rule(key)
    if rule:
        raise UserError(f"store key {key!r}: {rule}")
    return key


def check_prefix(prefix: str) -> str:
    """`prefix` itself, when keys can begin with it: empty, a key, a key and `/`, or the beginning of a key."""
    if prefix:
        check_key(prefix.removesuffix("/"))
    return prefix


def check_name(name: str) -> str:
    """`name` itself, when a file of an uploaded folder can be called so."""
    check_key(name)
    if name == MANIFEST or name.partition("/")[0] == SPARE:
        raise UserError(f"file {name!r}: the name is reserved by the store (rename the file)")
    return name


def _broken_rule(key: str) -> str | None:
    parts = key.split("/")
    if key.startswith("/") or "" in parts:
        return "must be relative, without empty parts, such as runs/a/model.onnx"
    if "." in parts or ".." in parts:
        return "must not have the parts . or .."
    if "\\" in key or not key.isprintable():
        return "must not have backslashes or unprintable characters"
    if len(key.encode()) > LONGEST_KEY or any(len(part.encode()) > LONGEST_PART for part in parts):
        return f"must be at most {LONGEST_KEY} bytes long, {LONGEST_PART} in each part"
    if parts[0] == INTERNAL:
        return f"must not be in {INTERNAL}/, which is the store's own"
    return None
