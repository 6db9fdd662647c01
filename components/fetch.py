"""Fetches upstream entries and fills the lock: `make vendor` and `make lock`. Both need a network and say what failed.

`python -m components.fetch vendor` fills `vendor/`; `python -m components.fetch lock` fills the digests of
`upstream.lock.yaml` from what `vendor/`, the sources and the registries of images hold.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import tools
from components import registry

if TYPE_CHECKING:
    from components.upstream import Entry

TIMEOUT = 20
"""Seconds without an answer before a source counts as unreachable."""


class FetchError(Exception):
    """One line: which address, and what it said."""


def into(folder: Path, entry: Entry) -> Path:
    """Fetches an entry into `<folder>/<kind>s/`, once.

    Returns: the archive (chart) or the file (manifest).
    Raises:
        FetchError: no answer, or a refusal.
    """
    target = folder / f"{entry.kind}s" / f"{entry.stem}{'.tgz' if entry.kind == 'chart' else '.yaml'}"
    if target.is_file():
        return target
    # Not beside the target: whoever fails or is killed while fetching leaves nothing there, not even a folder.
    with tempfile.TemporaryDirectory() as temporary:
        fetched = (_pull if entry.kind == "chart" else _download)(entry, Path(temporary))
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.copyfile(fetched, draft)
        draft.replace(target)
    return target


def _pull(entry: Entry, folder: Path) -> Path:
    helm = shutil.which("helm")
    if helm is None:
        raise FetchError("helm is not on PATH")
    (source,) = entry.sources
    command = [helm, "pull", entry.name, "--repo", source, "--version", entry.version, "--destination", str(folder)]
    run = _run(command, source)
    if run.returncode:
        reason = next((line for line in run.stderr.splitlines() if line.startswith("Error:")), run.stderr.strip())
        raise FetchError(f"{source}: {reason.removeprefix('Error: ')}")
    return next(folder.glob("*.tgz"))


def _run(command: Sequence[str], source: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10 * TIMEOUT, check=False)
    except subprocess.TimeoutExpired as error:
        raise FetchError(f"{source}: no answer within {10 * TIMEOUT} s") from error


def _download(entry: Entry, folder: Path) -> Path:
    parts = []
    for source in entry.sources:
        try:
            with urllib.request.urlopen(source, timeout=TIMEOUT) as answer:
                parts.append(answer.read().decode())
        except urllib.error.HTTPError as error:
            raise FetchError(f"{source}: {error.code} {error.reason}") from error
        except (OSError, http.client.HTTPException) as error:
            raise FetchError(f"{source}: {getattr(error, 'reason', error)}") from error
        except UnicodeDecodeError as error:
            raise FetchError(f"{source}: what came is not text") from error
    whole = folder / "whole.yaml"
    whole.write_text("\n---\n".join(parts))
    return whole


def vendor() -> list[str]:
    """Fetches every entry into `vendor/`; returns what failed, one line each."""
    from components import upstream

    failed = []
    for entry in [*upstream.lock().charts.values(), *upstream.lock().manifests.values()]:
        try:
            path = into(upstream.ROOT / "vendor", entry)
            print(f"{entry.stem}: {path.relative_to(upstream.ROOT)}", flush=True)
        except FetchError as error:
            failed.append(f"{entry.stem}: {error}")
    return failed


def relock() -> list[str]:
    """Writes the digest of each fetched entry into the lock, leaving its comments alone; returns what failed."""
    from components import upstream

    text = upstream.LOCK_FILE.read_text()
    failed = []
    for entry in [*upstream.lock().charts.values(), *upstream.lock().manifests.values()]:
        try:
            digest = hashlib.sha256(into(upstream.ROOT / "vendor", entry).read_bytes()).hexdigest()
        except FetchError as error:
            failed.append(f"{entry.stem}: {error}")
            continue
        text = with_digest(text, entry.name, digest)
        print(f"{entry.stem}: {digest}", flush=True)
    for image in upstream.lock().images.values():
        try:
            digest = registry.digest(image.ref, TIMEOUT)
        except registry.RegistryError as error:
            failed.append(f"{image.ref}: {error}")
            continue
        text = with_image_digest(text, image.name, digest)
        print(f"{image.ref}: {digest}", flush=True)
    upstream.LOCK_FILE.write_text(text)
    return failed


def with_digest(text: str, name: str, digest: str) -> str:
    """The lock's text with the sha256 of one chart or manifest replaced."""
    block = re.compile(rf"(^  {re.escape(name)}:\n(?:    .*\n)*?    sha256: )\S+", re.MULTILINE)
    return block.sub(lambda m: m[1] + digest, text)


def with_image_digest(text: str, name: str, digest: str) -> str:
    """The lock's text with the digest of one image replaced, in its one-line or its block form."""
    line = re.compile(rf"(^  {re.escape(name)}: \{{.*?digest: )[^,}}\s]+", re.MULTILINE)
    block = re.compile(rf"(^  {re.escape(name)}:\n(?:    .*\n)*?    digest: )\S+", re.MULTILINE)
    return block.sub(lambda m: m[1] + digest, line.sub(lambda m: m[1] + digest, text))


def main() -> None:
    tasks = {"vendor": vendor, "lock": relock}
    if len(sys.argv) != 2 or sys.argv[1] not in tasks:
        raise SystemExit(f"usage: python -m components.fetch {{{'|'.join(tasks)}}}")
    _put_helm_on_path()
    failed = tasks[sys.argv[1]]()
    if failed:
        raise SystemExit("\n".join([f"{len(failed)} could not be had:", *(f"  {line}" for line in failed)]))


def _put_helm_on_path() -> None:
    """Without helm the manifests and the digests of images can still be had, so nothing stops here."""
    try:
        helm = tools.ensure(["helm"])["helm"]
    except tools.ToolError as error:
        print(error, file=sys.stderr)
    else:
        os.environ["PATH"] = f"{helm.parent}{os.pathsep}{os.environ['PATH']}"


if __name__ == "__main__":
    main()
