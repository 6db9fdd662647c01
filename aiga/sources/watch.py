"""Whether a source changed since it was read, found out without reading it; for `aiga run --watch`.

Files by size and time, and by digest where these differ; HTTP by ETag; S3 by listing; datasets by version. Of databases
only SQLite can tell, by its file: rows of a server are read again by the schedule.
"""

from __future__ import annotations

from aiga.sources.context import Context
from aiga.sources.version import Version
from aiga.spec.sources import DatasetSource, FilesSource, HttpSource, S3Source, Source, SqlSource


def changed(source: Source, last: Version, context: Context) -> str | None:
    """Why `source` is not, or may not be, what it was at `last`; None while it is the same.

    Raises:
        UserError: it cannot be read any more.
        TransientError: it cannot be reached just now.
    """
    if source.kind != last.kind:
        return f"source {last.name}: is of kind {source.kind}, was {last.kind}"
    if isinstance(source, FilesSource):
        from aiga.sources import files

        return files.changed(source, last, context.folder)
    if isinstance(source, HttpSource):
        from aiga.sources import http

        return http.changed(source, last, context.secret(f"source {last.name}", source.secret))
    if isinstance(source, S3Source):
        from aiga.sources import s3

        return s3.changed(source, last)
    if isinstance(source, SqlSource):
        from aiga.sources import sql

        return sql.changed(source, last, context.folder)
    if isinstance(source, DatasetSource):
        from aiga.sources import datasets

        return datasets.changed(source, last, context)
    raise TypeError(f"nothing watches sources of kind {source.kind}")
