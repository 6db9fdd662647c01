"""Uploads of files to S3: in one request, or in parts that become an object only when all are there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from aiga.errors import UserError
from aiga.store.progress import Meter

WHOLE = 16 << 20
"""Bytes up to which a file is sent in one request."""
PART = 8 << 20
"""Bytes of a part, more where there would be too many."""
MOST_PARTS = 10_000
STALE = timedelta(days=1)
"""Age of parts after which their upload is taken for dead."""
THREADS = 4
"""Parts of one file that are sent at the same time."""


def part_size(size: int) -> int:
    return max(PART, math.ceil(size / MOST_PARTS))


@dataclass
class Sending:
    """One file on its way to one object."""

    client: Any
    path: Path
    target: Mapping[str, str]
    """Bucket and Key."""
    condition: Mapping[str, str]
    """Such as `IfNoneMatch`; empty for none."""
    meter: Meter

    def send(self, digest: str) -> None:
        """Make the object, and record the digest with it.

        Raises:
            UserError: the file changed meanwhile; there is no object.
            ClientError, BotoCoreError: as the client does. No parts are left where the service can be reached.
        """
        before = self._state()
        metadata = {"sha256": digest.removeprefix("sha256:")}
        size = before[0]
        if size <= WHOLE:
            data = self.path.read_bytes()
            self._check(before)
            self.client.put_object(**self.target, Body=data, Metadata=metadata, **self.condition)
            self.meter.add(size)
            return
        checked = self.client.meta.config.request_checksum_calculation != "when_required"
        options = {"ChecksumAlgorithm": "CRC32"} if checked else {}
        self._abort_stale()
        begun = self.client.create_multipart_upload(**self.target, Metadata=metadata, **options)
        upload = {**self.target, "UploadId": begun["UploadId"]}
        try:
            parts = self._send_parts({**upload, **options}, size)
            self._check(before)
            self.client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts}, **self.condition)
        except BaseException:
            with suppress(ClientError, BotoCoreError):
                self.client.abort_multipart_upload(**upload)
            raise

    def _send_parts(self, upload: Mapping[str, str], size: int) -> list[dict[str, Any]]:
        length = part_size(size)

        def send_part(index: int) -> dict[str, Any]:
            with self.path.open("rb") as file:
                file.seek(index * length)
                data = file.read(length)
            answer = self.client.upload_part(**upload, PartNumber=index + 1, Body=data)
            self.meter.add(len(data))
            return {"PartNumber": index + 1, **{key: answer[key] for key in ("ETag", "ChecksumCRC32") if key in answer}}

        with ThreadPoolExecutor(THREADS) as pool:
            return [*pool.map(send_part, range(math.ceil(size / length)))]

    def _abort_stale(self) -> None:
        """Parts that a killed upload of this object left behind cost storage; what is fresh may be another's."""
        bucket, key = self.target["Bucket"], self.target["Key"]
        with suppress(ClientError):  # not all may list them
            for upload in self.client.list_multipart_uploads(Bucket=bucket, Prefix=key).get("Uploads", ()):
                if upload["Key"] == key and datetime.now(UTC) - upload["Initiated"] > STALE:
                    self.client.abort_multipart_upload(**self.target, UploadId=upload["UploadId"])

    def _state(self) -> tuple[int, int]:
        found = self.path.stat()
        return found.st_size, found.st_mtime_ns

    def _check(self, before: tuple[int, int]) -> None:
        if self._state() != before:
            raise UserError(
                f"{self.path}: it changed while it was stored as {self.target['Key']} (store it when it is finished)"
            )
