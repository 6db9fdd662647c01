"""The rows of a query as a Parquet file, streamed. The same rows in the same order give the same bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
from pyarrow import parquet
from sqlalchemy import URL, Connection, create_engine, exc
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from aiga.errors import TransientError, UserError
from aiga.secrets.resolve import mask
from aiga.sources.context import Context
from aiga.sources.marks import mark
from aiga.sources.version import SNAPSHOT, Version, now
from aiga.spec.sources import SqlSource
from aiga.store.digest import file_digest

ROWS = 1 << 16
"""Rows that are in memory at once, and in a row group of the file."""
_NOT_CODE = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`", re.DOTALL)
_WRITES = re.compile(r"\b(?:INTO|DELETE\s+FROM|UPDATE\s+\S+\s+SET)\b", re.IGNORECASE)
_REFUSED = re.compile(r"password|authentication|access denied|permission denied|unknown database", re.IGNORECASE)
_BUSY = re.compile(r"locked|busy|deadlock|timeout|timed out", re.IGNORECASE)


def read(name: str, source: SqlSource, context: Context) -> Version:
    """The rows as they are now, in `<name>.parquet`."""
    what = f"source {name}"
    ordered = ordering(what, source.query)
    url = locate(what, source.url, context.folder)
    password = context.secret(what, source.secret)
    with context.cache.unfinished() as folder:
        unfinished = folder / f"{name}.parquet"
        with _explained(f"{what}: {source.url}", url, password), _connected(url, password) as connection:
            rows = _write(what, connection, source.query, unfinished, folder)
        digest = file_digest(unfinished)
        path = context.cache.put(unfinished, digest, unfinished.name)
    origin = {
        "url": source.url,
        "query": source.query,
        "ordered": ordered,
        "fingerprint": _fingerprint(url),
        SNAPSHOT: context.snapshot(what, path, digest),
        "read": now(),
    }
    return Version(name, digest, path, source.kind, origin, rows)


def changed(source: SqlSource, last: Version, folder: Path) -> str | None:
    """Why it may be another version than `last`: a SQLite file that was written. Servers cannot be asked cheaply."""
    what = f"source {last.name}"
    if (source.url, source.query) != (last.origin["url"], last.origin["query"]):
        return f"{what}: another query"
    found = _fingerprint(locate(what, source.url, folder))
    return f"{what}: {source.url}: was written" if found != last.origin["fingerprint"] else None


def ordering(what: str, query: str) -> bool:
    """Whether the query says in which order rows come; where it does not, equal data may make another version.

    Raises:
        UserError: it is not one statement that only reads.
    """
    code = _NOT_CODE.sub(" ", query).strip().rstrip(";").strip()
    first = code.lstrip("( \n\t").split(None, 1)[0].upper() if code.strip("( \n\t") else ""
    if first not in ("SELECT", "WITH"):
        raise UserError(f"{what}: query: must be one SELECT or WITH statement, begins with {first or 'nothing'}")
    if ";" in code:
        raise UserError(f"{what}: query: must be one statement, there is something after `;`")
    if written := _WRITES.search(code):
        raise UserError(f"{what}: query: must only read, has {' '.join(written[0].split()).upper()}")
    inner = None
    while inner != code:
        inner, code = code, re.sub(r"\([^()]*\)", " ", code)
    return re.search(r"\bORDER\s+BY\b", code, re.IGNORECASE) is not None


def locate(what: str, address: str, folder: Path) -> URL:
    """The URL; a SQLite file is relative to the project's folder.

    Raises:
        UserError: it is none, has a password, or there is no such file, which SQLite would make.
    """
    try:
        url = make_url(address)
    except (exc.ArgumentError, ValueError) as error:
        raise UserError(f"{what}: url: must be a SQLAlchemy URL, such as postgresql://user@host/database") from error
    if url.password is not None:
        raise UserError(f"{what}: url: must not hold a password: name the secret that is it: `secret:`")
    if url.get_backend_name() != "sqlite":
        return url
    path = folder / str(url.database or "")
    if not path.is_file():
        raise UserError(f"{what}: url {address!r}: there is no such file (it is relative to the project's folder)")
    return url.set(database=str(path.absolute()))


@contextmanager
def _connected(url: URL, password: str | None) -> Iterator[Connection]:
    """A transaction that is rolled back, read-only where the database knows such a thing."""
    engine = create_engine(url if password is None else url.set(password=password), poolclass=NullPool)
    options = {"postgresql_readonly": True} if engine.dialect.name == "postgresql" else {}
    with engine.connect().execution_options(**options) as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA query_only = ON")
        elif engine.dialect.name in ("mysql", "mariadb"):
            connection.exec_driver_sql("START TRANSACTION READ ONLY")
        yield connection


def _write(what: str, connection: Connection, query: str, path: Path, folder: Path) -> int:
    """Write the rows to `path`; how many. The types of columns are known only at the end, hence two passes."""
    options = {"stream_results": True, "max_row_buffer": ROWS, "no_parameters": True}
    result = connection.exec_driver_sql(query, execution_options=options)
    names = list(result.keys())
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"{what}: query: columns {', '.join(twice)} come twice: give each a name by AS")
    schemas, rows = [pa.schema([(name, pa.null()) for name in names])], 0
    for part, chunk in enumerate(result.partitions(ROWS)):
        columns = [_column(what, name, values) for name, values in zip(names, zip(*chunk, strict=True), strict=True)]
        table = pa.table(columns, names=names)
        parquet.write_table(table, folder / f"{part}.part")
        schemas.append(table.schema)
        rows += table.num_rows
    try:
        schema = pa.unify_schemas(schemas, promote_options="permissive")
        with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
            for part in range(len(schemas) - 1):
                writer.write_table(parquet.read_table(folder / f"{part}.part").cast(schema), row_group_size=ROWS)
    except pa.ArrowException as error:
        raise UserError(f"{what}: query: a column mixes types: CAST it to one: {_line(error)}") from error
    return rows


def _column(what: str, name: str, values: Sequence[Any]) -> pa.Array:
    plain = {UUID: str, memoryview: bytes}
    try:
        return pa.array([plain.get(type(value), _same)(value) for value in values])
    except (pa.ArrowException, OverflowError) as error:
        kinds = sorted({type(value).__name__ for value in values if value is not None})
        raise UserError(
            f"{what}: query: column {name!r}: values of {', '.join(kinds)} fit no type of Parquet: CAST it to one"
        ) from error


def _same(value: Any) -> Any:
    return value


@contextmanager
def _explained(where: str, url: URL, password: str | None) -> Iterator[None]:
    """What the database says, as one line without the password."""
    try:
        yield
    except exc.NoSuchModuleError as error:
        raise UserError(f"{where}: SQLAlchemy knows no database {url.drivername!r}: check the URL") from error
    except ModuleNotFoundError as error:
        raise UserError(f"{where}: its driver {error.name!r} is not installed: add it to the requirements") from error
    except exc.SQLAlchemyError as error:
        said = mask(_line(getattr(error, "orig", None) or error), [password or ""])
        passing = isinstance(error, exc.OperationalError | exc.InterfaceError | exc.TimeoutError)
        if passing and not _REFUSED.search(said) and (url.get_backend_name() != "sqlite" or _BUSY.search(said)):
            raise TransientError(f"{where}: {said}: try again later") from None
        raise UserError(f"{where}: {said}: mend the query, the URL or the secret") from None


def _line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _fingerprint(url: URL) -> str | None:
    """Of a SQLite file and its journal."""
    if url.get_backend_name() != "sqlite":
        return None
    path = Path(str(url.database))
    journal = path.with_name(f"{path.name}-wal")
    return mark({each.name: each for each in (path, journal) if each.is_file() and each.stat().st_size})
