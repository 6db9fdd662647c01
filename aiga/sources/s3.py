"""Objects of an S3 bucket. Their versions are recorded where the bucket keeps them, else there is a snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, FlexibleChecksumError, NoCredentialsError

from aiga.errors import TransientError, UserError
from aiga.sources import tables
from aiga.sources.context import Context, repeated
from aiga.sources.version import SNAPSHOT, Version, now
from aiga.spec.sources import S3Source
from aiga.store.digest import CHUNK, path_digest
from aiga.store.keys import check_key
from aiga.store.progress import Meter
from aiga.store.s3_errors import UNREACHABLE, code, status

_PARALLEL = 8
_REMEDIES = {
    "NoSuchBucket": "check the bucket's name",
    "NoSuchKey": "check the key; all below a prefix is s3://bucket/prefix/",
    "404": "check the key; all below a prefix is s3://bucket/prefix/",
    "NoSuchVersion": "the bucket does not keep this version any more",
    "InvalidAccessKeyId": "check the AWS credentials of this machine",
    "SignatureDoesNotMatch": "check the AWS credentials of this machine",
    "ExpiredToken": "renew the AWS credentials of this machine",
    "AccessDenied": "check the AWS credentials of this machine, and what they may read",
    "403": "check the AWS credentials of this machine, and what they may read",
    "PermanentRedirect": "check the region",
    "AuthorizationHeaderMalformed": "check the region",
}


@dataclass(frozen=True)
class Object:
    """One object: `name` is relative to the source, `version` None for the newest."""

    name: str
    key: str
    etag: str | None
    size: int
    version: str | None = None


class Bucket:
    """A bucket, with the credentials of the usual chain; without any, as anyone may read it.

    UserError where it cannot be read, TransientError where it cannot be reached.
    """

    def __init__(self, what: str, uri: str, endpoint: str | None, region: str | None, path_style: bool) -> None:
        parts = urlsplit(uri)
        self.what, self.uri = what, uri
        self.bucket, self.key = parts.netloc, uri.removeprefix(f"s3://{parts.netloc}").removeprefix("/")
        self.folder = not self.key or self.key.endswith("/")
        session = boto3.session.Session()
        with self._explained():
            config = Config(
                s3={"addressing_style": "path" if path_style else "virtual"},
                retries={"total_max_attempts": 3, "mode": "standard"},
                connect_timeout=10,
                read_timeout=60,
                max_pool_connections=_PARALLEL,
                signature_version=None if session.get_credentials() else UNSIGNED,
            )
            region = region or session.region_name or "us-east-1"
            self.client = session.client("s3", endpoint_url=endpoint, region_name=region, config=config)

    def objects(self) -> list[Object]:
        """What the address stands for now, sorted by name."""
        with self._explained():
            if not self.folder:
                found = self.client.head_object(Bucket=self.bucket, Key=self.key)
                return [Object(self.key.rpartition("/")[2], self.key, found["ETag"], found["ContentLength"])]
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.key)
            listing = [each for page in pages for each in page.get("Contents", ()) if not each["Key"].endswith("/")]
        if not listing:
            raise UserError(f"{self.what}: {self.uri}: there is no object below it: check bucket and prefix")
        return [
            Object(check_key(each["Key"].removeprefix(self.key)), each["Key"], each["ETag"], each["Size"])
            for each in listing
        ]

    def fetch(self, found: Object, path: Path, meter: Meter) -> str | None:
        """Write the object to `path`; its version, None where the bucket keeps none."""
        path.parent.mkdir(parents=True, exist_ok=True)
        chosen = {"VersionId": found.version} if found.version else {"IfMatch": found.etag}
        with self._explained():
            answer = self.client.get_object(Bucket=self.bucket, Key=found.key, **chosen)
            with path.open("wb") as file:
                for chunk in answer["Body"].iter_chunks(CHUNK):
                    file.write(chunk)
        meter.add(path.stat().st_size)
        version = answer.get("VersionId")
        return None if version in (None, "null") else str(version)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        where = f"{self.what}: {self.uri}"
        try:
            yield
        except ClientError as error:
            said, number = code(error), status(error)
            if number == 412:
                raise TransientError(f"{where}: changed while it was read: try again") from error
            if number >= 500 or number == 429 or said in ("SlowDown", "RequestTimeout"):
                raise TransientError(f"{where}: the server answered {number} {said}: try again later") from error
            remedy = _REMEDIES.get(said, "check address and credentials")
            raise UserError(f"{where}: the server answered {number} {said}: {remedy}") from error
        except NoCredentialsError as error:
            raise UserError(
                f"{where}: no AWS credentials on this machine: set AWS_ACCESS_KEY_ID, or a profile"
            ) from error
        except (*UNREACHABLE, FlexibleChecksumError) as error:
            raise TransientError(f"{where}: the connection failed ({type(error).__name__}): try again") from error
        except (BotoCoreError, ValueError) as error:
            raise UserError(f"{where}: {error}") from error


def read(name: str, source: S3Source, context: Context, last: Version | None) -> Version:
    """The object, or a folder of all objects below the prefix. Nothing is fetched while the listing is the same."""
    what = f"source {name}"
    bucket = _bucket(what, source)
    found = bucket.objects()
    same = last and last.origin["uri"] == source.uri and _listing(last.origin) == _etags(found)
    if last and same and (here := context.cache.get(last.digest, last.path.name)):
        return _version(name, source, context, here, last.digest, objects=last.origin["objects"])
    file = name if bucket.folder else found[0].name
    with context.cache.unfinished() as folder:
        versions = _fetch_all(bucket, found, folder / file, context)
        digest = path_digest(folder / file)
        path = context.cache.put(folder / file, digest, file)
    kept = all(versions.values())
    objects = {
        each.name: {"etag": each.etag, "size": each.size} | ({"version": versions[each.name]} if kept else {})
        for each in found
    }
    return _version(name, source, context, path, digest, objects=objects)


def fetch_versions(what: str, origin: Mapping[str, Any], path: Path, context: Context) -> None:
    """Write the recorded object versions to `path`.

    Raises:
        UserError: the bucket has not kept them.
    """
    bucket = Bucket(what, origin["uri"], origin["endpoint"], origin["region"], origin["path_style"])
    objects = [
        Object(name, bucket.key + name if bucket.folder else bucket.key, each["etag"], each["size"], each["version"])
        for name, each in origin["objects"].items()
    ]
    _fetch_all(bucket, objects, path, context)


def changed(source: S3Source, last: Version) -> str | None:
    """Why it is another version than `last`, by the listing alone."""
    what = f"source {last.name}"
    try:
        found = _etags(_bucket(what, source).objects())
    except UserError as error:
        return str(error)
    were = _listing(last.origin)
    if found == were:
        return None
    new, gone = len(found.keys() - were.keys()), len(were.keys() - found.keys())
    other = sum(found[name] != were[name] for name in found.keys() & were.keys())
    return f"{what}: {source.uri}: {new} new, {other} other, {gone} gone"


def _bucket(what: str, source: S3Source) -> Bucket:
    return Bucket(what, source.uri, source.endpoint, source.region, source.path_style)


def _fetch_all(bucket: Bucket, objects: list[Object], path: Path, context: Context) -> dict[str, str | None]:
    """Write each object to its name below `path`, or the only one to `path`; the versions that came."""
    meter = Meter(context.progress, sum(each.size for each in objects))

    def fetch(each: Object) -> str | None:
        target = path / each.name if bucket.folder else path
        return repeated(lambda: bucket.fetch(each, target, meter), context.pause)

    with ThreadPoolExecutor(_PARALLEL) as pool:
        return dict(zip((each.name for each in objects), pool.map(fetch, objects), strict=True))


def _etags(objects: list[Object]) -> dict[str, str | None]:
    return {each.name: each.etag for each in objects}


def _listing(origin: Mapping[str, Any]) -> dict[str, str | None]:
    return {name: each["etag"] for name, each in origin.get("objects", {}).items()}


def _version(
    name: str, source: S3Source, context: Context, path: Path, digest: str, *, objects: dict[str, dict[str, Any]]
) -> Version:
    kept = all("version" in each for each in objects.values())
    origin = {
        "uri": source.uri,
        "endpoint": source.endpoint,
        "region": source.region,
        "path_style": source.path_style,
        "objects": objects,
        SNAPSHOT: None if kept else context.snapshot(f"source {name}", path, digest),
        "read": now(),
    }
    return Version(name, digest, path, source.kind, origin, tables.count(path))
