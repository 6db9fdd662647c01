"""Where a class gets its model from: a path of this machine, or S3."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from aiga.errors import UserError

__all__ = ["Storage"]
_FILE, _S3 = "file://", "s3://"
_folders: list[TemporaryDirectory[str]] = []
"""Of downloads without a folder of their own; removed when the process ends."""


class Storage:
    """Brings models to this machine."""

    @staticmethod
    def download(uri: str, out_dir: str | None = None) -> str:
        """The folder or file with what is at `uri`.

        Args:
            uri: a path, `file://` and a path, or `s3://bucket/key` with a key of an object or of all below it. boto3
                finds credentials and `AWS_ENDPOINT_URL`.
            out_dir: the folder that gets it, as links where it is on this machine; made where it is not there. Without
                it a path of this machine is returned as it is.

        Raises:
            UserError: there is no such thing, it cannot be had, or it does not fit into the folder.
        """
        local = uri.startswith(_FILE) or os.path.exists(uri)
        if not local and not uri.startswith(_S3):
            raise UserError(
                f"Storage.download: {uri}: must be a path that is there, {_FILE} and a path, or {_S3}bucket/key "
                "(let aiga bring the model: the class gets its folder as the argument model_uri)"
            )
        path = Path(uri.removeprefix(_FILE))
        if local and not path.exists():
            raise UserError(f"Storage.download: {uri}: there is no such file or folder (correct the path)")
        if local and out_dir is None:
            return uri.removeprefix(_FILE)
        if out_dir is None:
            _folders.append(TemporaryDirectory(prefix="seldon-storage-"))
            out_dir = _folders[-1].name
        os.makedirs(out_dir, exist_ok=True)
        if local:
            _link(path, Path(out_dir))
        else:
            _fetch(uri, Path(out_dir))
        return out_dir


def _link(path: Path, folder: Path) -> None:
    for each in sorted(path.iterdir()) if path.is_dir() else [path]:
        link = folder / each.name
        if link.is_symlink() and link.resolve() == each.resolve():
            continue
        try:
            link.symlink_to(each.absolute())
        except FileExistsError as error:
            raise UserError(f"Storage.download: {link}: is there already (give an empty out_dir)") from error


def _fetch(uri: str, folder: Path) -> None:
    try:
        import boto3
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        raise UserError(
            f"Storage.download: {uri}: needs the package boto3, which this server does not have "
            "(add boto3 to requirements.txt of the project)"
        ) from error
    bucket, _, key = uri.removeprefix(_S3).partition("/")
    try:
        session = boto3.session.Session()
        client = session.client("s3", region_name=session.region_name or "us-east-1")
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
        names = _names(key, [each["Key"] for page in pages for each in page.get("Contents", ())])
        if not names:
            raise UserError(f"Storage.download: {uri}: there is no such object, nor any below it (correct the key)")
        targets = {each: _inside(folder, name, uri) for each, name in names.items()}
        for each, target in targets.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            client.download_file(bucket, each, str(target))
    except (Boto3Error, BotoCoreError, ClientError, ValueError) as error:
        raise UserError(
            f"Storage.download: {uri}: {error} (check address, credentials and AWS_ENDPOINT_URL)"
        ) from error


def _names(key: str, found: list[str]) -> Mapping[str, str]:
    """The objects that `key` stands for, and what they are called in the folder."""
    if key in found and not key.endswith("/"):
        return {key: key.rpartition("/")[2]}
    below = f"{key.removesuffix('/')}/" if key else ""
    return {each: each.removeprefix(below) for each in found if each.startswith(below) and not each.endswith("/")}


def _inside(folder: Path, name: str, uri: str) -> Path:
    target = (folder / name).resolve()
    if not target.is_relative_to(folder.resolve()):
        raise UserError(f"Storage.download: {uri}: object {name!r} would be written outside of {folder} (rename it)")
    return target
