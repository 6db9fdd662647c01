"""A store in a bucket of S3, or of a service that speaks its protocol.

Conditional writes keep concurrent writers apart. Some services take no notice of the condition, or refuse it; one
probe tells, and then the store looks before it writes, with a warning that this is not safe against others.
"""

from __future__ import annotations

import hashlib
import io
import logging
import random
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from aiga.errors import TransientError
from aiga.store import s3_parts
from aiga.store.base import Item, Store
from aiga.store.digest import CHUNK, content_digest
from aiga.store.errors import Corrupt
from aiga.store.keys import INTERNAL, check_key, check_prefix
from aiga.store.progress import Meter
from aiga.store.s3_address import S3Address
from aiga.store.s3_errors import MISSING, UNREACHABLE, code, explain, status

ATTEMPTS = 6
"""Of one request, with growing pauses."""
_ABSENT = {"IfNoneMatch": "*"}
_log = logging.getLogger(__name__)


class S3Store(Store):
    """A store whose root is a prefix of a bucket. The bucket must exist."""

    parallel: ClassVar[int] = 8

    def __init__(self, where: S3Address) -> None:
        self.where = where
        self.address = str(where)
        self._probing = threading.Lock()
        self._conditions: bool | None = None
        self._bucket_seen = False
        with self._explained("opening"):
            self._client: Any = _client(where)

    def read(self, key: str) -> bytes:
        buffer = io.BytesIO()
        found, recorded = self._receive(key, buffer, Meter(None, 0))
        if recorded is not None and recorded != found:
            raise Corrupt(f"{self.address}: {key} is damaged: it is {found}, was stored as {recorded} (store it again)")
        return buffer.getvalue()

    def write(self, key: str, data: bytes) -> None:
        with self._explained(f"writing {key}"):
            self._put(key, data)

    def create(self, key: str, data: bytes) -> bool:
        return self._put_if(key, data, None)

    def compare_and_set(self, key: str, data: bytes, version: str | None) -> bool:
        return self._put_if(key, data, version)

    def version(self, key: str) -> str | None:
        head = self._head(key)
        return None if head is None else str(head["ETag"])

    def list(self, prefix: str = "") -> Iterator[Item]:
        for page in self._pages(check_prefix(prefix)):
            for entry in page.get("Contents", ()):
                key = self._relative(entry["Key"])
                if key.split("/")[0] != INTERNAL:
                    yield Item(key, entry["Size"])

    def children(self, folder: str = "") -> tuple[str, ...]:
        base = f"{check_prefix(folder).removesuffix('/')}/".lstrip("/")
        found = set()
        for page in self._pages(base, Delimiter="/"):
            found |= {self._relative(entry["Key"]) for entry in page.get("Contents", ())}
            found |= {self._relative(entry["Prefix"]) for entry in page.get("CommonPrefixes", ())}
        names = {key.removeprefix(base).strip("/") for key in found} - ({""} if base else {"", INTERNAL})
        return tuple(sorted(names, key=str.encode))

    def _pages(self, prefix: str, **options: str) -> Iterator[Mapping[str, Any]]:
        pages = self._client.get_paginator("list_objects_v2")
        with self._explained(f"listing {prefix}"):
            yield from pages.paginate(Bucket=self.where.bucket, Prefix=self._root() + prefix, **options)

    def _size(self, key: str) -> int | None:
        head = self._head(key)
        return None if head is None else int(head["ContentLength"])

    def _digest(self, key: str) -> str | None:
        head = self._head(key)
        return None if head is None else _recorded(head)

    def _head(self, key: str) -> Mapping[str, Any] | None:
        target = self._target(key)
        with self._explained(f"looking for {key}"):
            try:
                answer: Mapping[str, Any] = self._client.head_object(**target)
            except ClientError as error:
                if code(error) not in MISSING:
                    raise
                self._check_bucket()
                return None
            return answer

    def _send(self, path: Path, key: str, digest: str, meter: Meter, *, replace: bool) -> bool:
        guarded = not replace and self._conditional()
        if not replace and not guarded and self._head(key) is not None:
            return False
        with self._explained(f"storing {path} as {key}"):
            try:
                sending = s3_parts.Sending(self._client, path, self._target(key), _ABSENT if guarded else {}, meter)
                sending.send(digest)
            except ClientError as error:
                lost = code(error) in ("PreconditionFailed", "NoSuchUpload") or status(error) == 412
                if lost and self._digest(key) == digest:
                    return True  # the answer to an earlier attempt was lost, or another writer stored the same
                if not guarded or status(error) != 412:
                    raise
                return False
        return True

    def _receive(self, key: str, target: BinaryIO, meter: Meter) -> tuple[str, str | None]:
        begin, sha, answer = target.tell(), hashlib.sha256(), None
        for attempt in range(ATTEMPTS):
            rest: dict[str, str] = (
                {} if answer is None else {"IfMatch": answer["ETag"], "Range": f"bytes={target.tell() - begin}-"}
            )
            with self._explained(f"reading {key}"):
                try:
                    found = self._client.get_object(**self._target(key), **rest)
                    answer = answer or found
                    for chunk in found["Body"].iter_chunks(CHUNK):
                        target.write(chunk)
                        sha.update(chunk)
                        meter.add(len(chunk))
                    return f"sha256:{sha.hexdigest()}", _recorded(answer)
                except UNREACHABLE:
                    if attempt + 1 == ATTEMPTS:
                        raise
                except ClientError as error:
                    if code(error) in MISSING:
                        raise self._missing(key) from None
                    if status(error) not in (412, 416):
                        raise
                    target.seek(begin)  # it was replaced while it was read: from the beginning
                    target.truncate()
                    sha, answer = hashlib.sha256(), None
            _pause(attempt)
        raise TransientError(f"{self.address}: {key} is replaced again and again while it is read")

    def _remove(self, key: str) -> None:
        with self._explained(f"deleting {key}"):
            self._client.delete_object(**self._target(key))

    def _put(self, key: str, data: bytes, **condition: str) -> None:
        recorded = {"sha256": content_digest(data).removeprefix("sha256:")}
        self._client.put_object(**self._target(key), Body=data, Metadata=recorded, **condition)

    def _put_if(self, key: str, data: bytes, version: str | None) -> bool:
        """Write an object if its version is still this one; None stands for no object."""
        check_key(key)
        if not self._conditional():
            unchanged = self.version(key) == version
            if unchanged:
                self.write(key, data)
            return unchanged
        condition = _ABSENT if version is None else {"IfMatch": version}
        for attempt in range(ATTEMPTS):
            with self._explained(f"writing {key}"):
                try:
                    self._put(key, data, **condition)
                except ClientError as error:
                    if status(error) == 412:
                        again = attempt > 0 or error.response["ResponseMetadata"].get("RetryAttempts", 0) > 0
                        return again and self._digest(key) == content_digest(data)
                    if version is not None and code(error) in MISSING:
                        return False
                    if code(error) not in ("ConditionalRequestConflict", "OperationAborted"):
                        raise
                else:
                    return True
            _pause(attempt)
        raise TransientError(f"{self.address}: {key} is being written by others again and again")

    def _conditional(self) -> bool:
        """Whether the service heeds conditions: a probe that exists must not be created again."""
        with self._probing:
            if self._conditions is None:
                with self._explained("asking for conditional writes"):
                    self._conditions = self._probe() or self._probe()
                if not self._conditions:
                    _log.warning(
                        "store %s: the service has no conditional writes: runs that write at the same time can "
                        "overwrite each other's model versions and stages (let one run at a time use it)",
                        self.address,
                    )
            return self._conditions

    def _probe(self) -> bool:
        target = {"Bucket": self.where.bucket, "Key": f"{self._root()}{INTERNAL}/probe"}
        try:
            self._client.put_object(**target, Body=b"", **_ABSENT)
        except ClientError as error:
            if code(error) == "NotImplemented" or status(error) == 501:
                return False
            if status(error) not in (409, 412):
                raise
            return True
        return False

    def _check_bucket(self) -> None:
        """A HEAD that finds nothing does not say whether the key is missing or the bucket: a listing does."""
        if not self._bucket_seen:
            self._client.list_objects_v2(Bucket=self.where.bucket, Prefix=self._root(), MaxKeys=1)
            self._bucket_seen = True

    def _root(self) -> str:
        return f"{self.where.prefix}/" if self.where.prefix else ""

    def _relative(self, key: str) -> str:
        return key.removeprefix(self._root())

    def _target(self, key: str) -> dict[str, str]:
        return {"Bucket": self.where.bucket, "Key": self._root() + check_key(key)}

    @contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (ClientError, BotoCoreError) as error:
            raise explain(error, self.where, doing) from error


def _client(where: S3Address) -> Any:
    config = Config(
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        connect_timeout=5,
        read_timeout=60,
        max_pool_connections=40,
        response_checksum_validation="when_required",  # all that is read is verified by its recorded sha256
        s3={"addressing_style": "path" if where.by_path else "auto"},
    )
    session = boto3.session.Session()
    region = where.region or session.region_name or "us-east-1"
    try:
        return session.client("s3", endpoint_url=where.endpoint, region_name=region, config=config)
    except ValueError as error:
        raise explain(error, where, "opening") from error


def _recorded(answer: Mapping[str, Any]) -> str | None:
    recorded = answer.get("Metadata", {}).get("sha256")
    return f"sha256:{recorded}" if recorded else None


def _pause(attempt: int) -> None:
    time.sleep(min(0.1 * 2**attempt, 5) * random.uniform(0.5, 1))
