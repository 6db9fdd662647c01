"""Queries become Parquet files: only reads, the same bytes for the same rows, no password anywhere."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from sources_world import World
from sqlalchemy import URL
from sqlalchemy.exc import OperationalError

from aiga.errors import TransientError, UserError
from aiga.sources import sql
from aiga.spec.sources import SqlSource

ALL = "SELECT id, name, price FROM orders ORDER BY id"


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    fill(world, [(1, "a", 1.5), (2, "b", None), (3, "c", 2.5)])
    return world


def fill(world: World, rows: Iterable[tuple[Any, ...]]) -> None:
    with closing(sqlite3.connect(world.folder / "shop.db")) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS orders (id, name, price)")
        database.execute("DELETE FROM orders")
        database.executemany("INSERT INTO orders VALUES (?, ?, ?)", rows)


def source(query: str = ALL, url: str = "sqlite:///shop.db", secret: str | None = None) -> SqlSource:
    return SqlSource(kind="sql", url=url, query=query, secret=secret)


def test_the_rows_come_with_their_types_and_can_be_restored(world: World) -> None:
    version = world.reader().read("orders", source())
    fill(world, [])
    table = parquet.read_table(world.restored(version))
    assert table.to_pydict() == {"id": [1, 2, 3], "name": ["a", "b", "c"], "price": [1.5, None, 2.5]}
    assert table.schema.types == [pa.int64(), pa.string(), pa.float64()]
    assert version.rows == 3 and version.origin["ordered"]


def test_the_same_rows_are_the_same_version_whenever_they_are_read(world: World) -> None:
    first = world.reader().read("orders", source())
    fill(world, [(3, "c", 2.5), (1, "a", 1.5), (2, "b", None)])
    assert world.reader(cache="other").read("orders", source()).digest == first.digest


def test_many_rows_come_in_chunks_whose_types_are_brought_together(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "ROWS", 2)
    fill(world, [(1, None, None), (2, None, None), (3, "c", 1), (4, "d", 2), (5, "e", 2.5)])
    table = parquet.read_table(world.reader().read("orders", source()).path)
    assert table.to_pydict() == {
        "id": [1, 2, 3, 4, 5],
        "name": [None, None, "c", "d", "e"],
        "price": [None, None, 1, 2, 2.5],
    }
    assert table.schema.types == [pa.int64(), pa.string(), pa.float64()]


@pytest.mark.parametrize("rows", [2, 1000])
def test_a_column_of_mixed_types_is_the_users_to_cast(rows: int, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "ROWS", rows)
    fill(world, [(1, "a", 1.5), (2, "b", 1), (3, "c", "free"), (4, "d", "free")])
    with pytest.raises(UserError, match=r"source orders: query: .*(price.*CAST it|CAST it.*price)"):
        world.reader().read("orders", source())


def test_no_rows_are_a_table_with_the_columns(world: World) -> None:
    version = world.reader().read("orders", source("SELECT id, name FROM orders WHERE id > 9 ORDER BY 1"))
    assert parquet.read_table(version.path).column_names == ["id", "name"] and version.rows == 0


@pytest.mark.parametrize("query", ["SELECT '12:30' AS at, ':x' AS x, '50%s' AS p", "SELECT 1 AS a -- c; d\n;"])
def test_a_query_is_sent_as_it_is_written(query: str, world: World) -> None:
    assert world.reader().read("orders", source(query)).rows == 1


@pytest.mark.parametrize(
    ("query", "ordered"),
    [
        (ALL, True),
        ("WITH a AS (SELECT 1) SELECT * FROM a order  by 1;", True),
        ("SELECT * FROM orders", False),
        ("SELECT row_number() OVER (ORDER BY id) FROM (SELECT id FROM orders ORDER BY id) AS s", False),
        ("SELECT 'ORDER BY' FROM orders -- ORDER BY id", False),
        ("(SELECT deleted_at, updated FROM orders) UNION (SELECT 'a; DROP TABLE b', into_stock FROM b)", False),
    ],
)
def test_whether_the_order_is_fixed_is_read_off_the_query(query: str, ordered: bool) -> None:
    assert sql.ordering("source orders", query) is ordered


@pytest.mark.parametrize(
    ("query", "rule"),
    [
        ("DELETE FROM orders", "must be one SELECT or WITH statement, begins with DELETE"),
        ("/* SELECT */ update orders set id = 1", "begins with UPDATE"),
        ("  ", "begins with nothing"),
        ("SELECT 1; DELETE FROM orders", "something after `;`"),
        ("WITH gone AS (DELETE FROM orders RETURNING *) SELECT * FROM gone", "must only read, has DELETE FROM"),
        ("SELECT * INTO copy FROM orders", "must only read, has INTO"),
    ],
)
def test_statements_that_do_more_than_read_are_refused(query: str, rule: str, world: World) -> None:
    with pytest.raises(UserError, match=rule):
        world.reader().read("orders", source(query))


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"url": "sqlite:///shop2.db"}, "there is no such file"),
        ({"url": "postgresql://me:s3cret@db/shop"}, "must not hold a password: name the secret"),
        ({"url": "no url"}, "must be a SQLAlchemy URL"),
        ({"url": "nosuch://db/shop"}, "SQLAlchemy knows no database 'nosuch'"),
        ({"url": "postgresql+asyncpg://db/shop"}, "its driver 'asyncpg' is not installed"),
        ({"query": "SELECT id, id FROM orders"}, "columns id come twice"),
        ({"query": "SELECT absent FROM orders"}, "sqlite:///shop.db: no such column: absent: mend the query"),
    ],
)
def test_mistakes_are_told_in_one_line(changes: dict[str, str], rule: str, world: World) -> None:
    with pytest.raises(UserError, match=rule) as raised:
        world.reader().read("orders", source(**changes))
    assert "\n" not in str(raised.value) and "s3cret" not in str(raised.value)
    assert not (world.folder / "shop2.db").exists(), "SQLite makes files that are not there"


def test_a_locked_database_is_transient(world: World) -> None:
    with closing(sqlite3.connect(world.folder / "shop.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(TransientError, match="locked"):
            world.reader().read("orders", source(url="sqlite:///shop.db?timeout=0.1"))


def test_the_password_reaches_the_driver_and_no_message(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[URL] = []

    def refuse(url: URL, **_: Any) -> None:
        seen.append(url)
        said = "cannot log in as me:s3cret/p@ss: password authentication failed"
        raise OperationalError("SELECT 1", None, sqlite3.OperationalError(said))

    monkeypatch.setattr(sql, "create_engine", refuse)
    world.secrets["db"] = "s3cret/p@ss"
    with pytest.raises(UserError) as raised:
        world.reader().read("orders", source(url="postgresql+psycopg2://me@db/shop", secret="db"))
    assert seen[0].password == "s3cret/p@ss"
    assert "password authentication failed" in str(raised.value) and "s3cret" not in str(raised.value)


def test_watching_sees_a_written_database_and_another_query(world: World) -> None:
    reader = world.reader()
    version = reader.read("orders", source())
    assert reader.changed(source(), version) is None
    assert reader.changed(source("SELECT 1 AS a"), version) == "source orders: another query"
    fill(world, [(7, "z", 0)])
    assert reader.changed(source(), version) == "source orders: sqlite:///shop.db: was written"
