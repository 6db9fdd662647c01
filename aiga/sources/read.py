"""Reading a project's sources, whatever their kind, and getting back what was read before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiga.errors import TransientError, UserError
from aiga.sources import watch
from aiga.sources.cache import Cache
from aiga.sources.context import Context
from aiga.sources.version import SNAPSHOT, Version
from aiga.spec.sources import DatasetSource, FilesSource, HttpSource, S3Source, Source, SqlSource
from aiga.store.base import Store
from aiga.store.digest import path_digest
from aiga.store.errors import Missing
from aiga.store.progress import Progress


class Reader:
    """Reads the sources of one project."""

    def __init__(
        self,
        project: str,
        folder: Path,
        store: Store,
        cache: Path,
        *,
        secrets: Callable[[str], str] | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Args:
        folder: The project's; relative paths begin there.
        cache: Folder of this machine for what is fetched; it may be deleted at any time.
        secrets: Name of a secret to its value, raising UserError.
        """
        self.context = Context(project, folder.absolute(), store, Cache(cache), secrets, progress)

    def read(self, name: str, source: Source, version: Version | None = None) -> Version:
        """What the source is now; it can be had back by `restore` whatever becomes of it.

        The contract (`source.expect`) is not checked: that is `aiga.sources.expect.check` on the path.

        Args:
            version: An earlier version, that of the last read on this machine when left out. What is still the same
                is not fetched again.

        Raises:
            UserError: the source is not as the project says.
            TransientError: it cannot be reached, or changes just now; repetitions did not help.
        """
        described = f"{name} {source.model_dump_json(exclude={'expect'})}"
        last = version or self._last(described)
        try:
            found = _read(name, source, self.context, last if last and last.kind == source.kind else None)
            self.context.cache.remember(described, found.evidence())
        except PermissionError as error:
            raise UserError(f"source {name}: {error.filename}: may not be read: mend its permissions") from error
        except OSError as error:
            raise TransientError(f"source {name}: {error.filename or 'this machine'}: {error.strerror}") from error
        return found

    def _last(self, described: str) -> Version | None:
        """The version of the last read on this machine; None where none is noted that this release understands."""
        noted = self.context.cache.last(described)
        with suppress(UserError):
            return Version.recorded(noted) if noted else None
        return None

    def changed(self, source: Source, last: Version) -> str | None:
        """Why the source is no more what it was at `last`, found out cheaply; None while it is the same."""
        return watch.changed(source, last, self.context)

    def restore(self, evidence: Mapping[str, Any]) -> Version:
        """The bytes of a version, from what `Version.evidence` recorded of it: in the cache, with their old name.

        Raises:
            UserError: neither the store nor the source has them any more, or they are damaged.
        """
        return _restore(evidence, self.context)


def restore(evidence: Mapping[str, Any], store: Store, cache: Path, progress: Progress | None = None) -> Version:
    """As `Reader.restore`, of any project."""
    return _restore(evidence, Context("", Path(), store, Cache(cache), None, progress))


def _read(name: str, source: Source, context: Context, last: Version | None) -> Version:
    """By kind; the libraries of a kind are imported when one is read."""
    if isinstance(source, FilesSource):
        from aiga.sources import files

        return files.read(name, source, context)
    if isinstance(source, HttpSource):
        from aiga.sources import http

        return http.read(name, source, context, last)
    if isinstance(source, S3Source):
        from aiga.sources import s3

        return s3.read(name, source, context, last)
    if isinstance(source, SqlSource):
        from aiga.sources import sql

        return sql.read(name, source, context)
    if isinstance(source, DatasetSource):
        from aiga.sources import datasets

        return datasets.read(name, source, context)
    raise TypeError(f"no reader for sources of kind {source.kind}")


def _restore(evidence: Mapping[str, Any], context: Context) -> Version:
    recorded = Version.recorded(evidence)
    what, name = f"source {recorded.name}", recorded.path.name
    key = recorded.origin.get(SNAPSHOT)
    if path := context.cache.get(recorded.digest, name):
        return replace(recorded, path=path)
    if key:
        try:
            return replace(recorded, path=context.fetch(key, recorded.digest, name))
        except Missing as error:
            raise Missing(f"{what}: its snapshot is gone: {error}") from error
    from aiga.sources import s3

    with context.cache.unfinished() as folder:
        s3.fetch_versions(what, recorded.origin, folder / name, context)
        found = path_digest(folder / name)
        if found != recorded.digest:
            raise UserError(f"{what}: {recorded.origin['uri']}: has {found}, recorded {recorded.digest}")
        return replace(recorded, path=context.cache.put(folder / name, found, name))
