"""Where data comes from. Every read is recorded as a version that can still be had when the source has changed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from aiga.spec.base import Model, Name
from aiga.spec.expect import Expectation

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Source(Model):
    expect: Expectation | None = Field(default=None, description="The contract that each read must fulfil.")


class FilesSource(_Source):
    """Files of this machine or of the project's folder."""

    kind: Literal["files"] = Field(description="Files on disk.")
    path: str = Field(min_length=1, description="File, folder or glob, relative to the project's folder.")


class HttpSource(_Source):
    """One file from a web server."""

    kind: Literal["http"] = Field(description="A file by HTTP or HTTPS.")
    url: Annotated[str, StringConstraints(pattern=r"^https?://\S+$")] = Field(description="Its address.")
    sha256: Sha256 | None = Field(default=None, description="Digest its content must have; recorded when left out.")
    secret: Name | None = Field(default=None, description="Secret that is sent as bearer token.")


class S3Source(_Source):
    """Objects of a bucket."""

    kind: Literal["s3"] = Field(description="Objects of an S3 bucket.")
    uri: Annotated[str, StringConstraints(pattern=r"^s3://[^/]+(/.*)?$")] = Field(
        description="s3://bucket/key, or s3://bucket/prefix/ for all below it."
    )
    endpoint: str | None = Field(default=None, description="URL of the service; AWS when left out.")
    region: str | None = Field(default=None, description="Region of the bucket.")
    path_style: bool = Field(default=True, description="Whether the bucket stands in the path, not the host name.")


class SqlSource(_Source):
    """The rows of a query."""

    kind: Literal["sql"] = Field(description="A query on a database.")
    url: str = Field(min_length=1, description="SQLAlchemy URL without a password, such as sqlite:///orders.db.")
    query: str = Field(min_length=1, description="The SELECT statement.")
    secret: Name | None = Field(default=None, description="Secret that is the password.")


class DatasetSource(_Source):
    """What another project, or this one, published."""

    kind: Literal["dataset"] = Field(description="A published dataset.")
    dataset: Name = Field(description="Its name.")
    project: Name | None = Field(default=None, description="Whose it is; this project's when left out.")
    version: int | Literal["latest"] = Field(default="latest", description="Which version; the newest by default.")


Source = Annotated[
    FilesSource | HttpSource | S3Source | SqlSource | DatasetSource,
    Field(discriminator="kind", description="Where data comes from."),
]
