"""Addresses of S3 stores: `s3://bucket/prefix?endpoint=https://minio.local:9000&region=eu-west-1&path_style=true`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from aiga.errors import UserError
from aiga.store.keys import check_key

ENDPOINT = "AIGA_S3_ENDPOINT"
"""URL of the S3 service, where the address names none; `AWS_ENDPOINT_URL` is next, then AWS itself."""
_QUERY = ("endpoint", "region", "path_style")
_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True)
class S3Address:
    """Where an S3 store is. What is None is left to the usual configuration of AWS clients."""

    bucket: str
    prefix: str = ""
    endpoint: str | None = None
    region: str | None = None
    path_style: bool | None = None

    @property
    def by_path(self) -> bool:
        """Whether the bucket stands in the path, not the host name: so where the service is not AWS, unless told."""
        return self.path_style if self.path_style is not None else self.endpoint is not None

    def __str__(self) -> str:
        said = {"endpoint": self.endpoint, "region": self.region}
        query = {key: value for key, value in said.items() if value is not None}
        if self.path_style is not None:
            query["path_style"] = str(self.path_style).lower()
        path = f"/{self.prefix}" if self.prefix else ""
        return f"s3://{self.bucket}{path}{'?' if query else ''}{urlencode(query, safe=':/')}"


def parse(address: str) -> S3Address:
    """The parts of an address, completed from the environment.

    Raises:
        UserError: it is not an address of this form; every mistake, one a line.
    """
    parts = urlsplit(address)
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    endpoint = given.get("endpoint") or os.environ.get(ENDPOINT) or os.environ.get("AWS_ENDPOINT_URL") or None
    prefix = parts.path.strip("/")
    mistakes = [f"{name}: must be one of {', '.join(_QUERY)}" for name in given if name not in _QUERY]
    if parts.scheme != "s3" or not parts.netloc:
        mistakes.append("must be s3://bucket or s3://bucket/prefix")
    if "@" in parts.netloc:
        address = f"s3://***@{parts.netloc.rpartition('@')[2]}{parts.path}"
        mistakes.append("must not hold credentials (set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)")
    if endpoint and urlsplit(endpoint).scheme not in ("http", "https"):
        mistakes.append(f"endpoint: must begin with http:// or https://, got {endpoint}")
    if given.get("path_style", "true") not in _TRUTH:
        mistakes.append(f"path_style: must be true or false, got {given['path_style']}")
    if prefix:
        try:
            check_key(prefix)
        except UserError as error:
            mistakes.append(str(error))
    if mistakes:
        raise UserError("\n".join(f"store {address}: {mistake}" for mistake in mistakes))
    style = _TRUTH[given["path_style"]] if "path_style" in given else None
    return S3Address(parts.netloc, prefix, endpoint, given.get("region") or None, style)
