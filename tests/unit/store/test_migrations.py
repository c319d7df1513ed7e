"""Every released revision with rows in it becomes the present one, on both engines, and no row is lost on the way."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    JSON,
    Boolean,
    DateTime,
    Engine,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    insert,
    inspect,
    select,
)
from sqlalchemy.orm import Session

from benchmarks._postgres import Cluster
from phongmay_rules.chain.verifying import verify
from phongmay_store.register import engine as engine_module
from phongmay_store.register import metadata
from phongmay_store.register.compliance import EvaluationRun, Parameter
from phongmay_store.register.engine import migrate, open_register, require_current
from phongmay_store.register.place import Line

_SCRIPTS = ScriptDirectory(str(Path(engine_module.__file__).parent / "migrations"))
REVISIONS = sorted(script.revision for script in _SCRIPTS.walk_revisions())
RENAMED = {("attachment", "school_id"): "unit_id"}
"""Columns that later revisions gave another name."""
DROPPED = {("current_verdict", "confirmed_run_id")}
"""Columns that later revisions took away on purpose; what took their place is tested below."""
ROWS = 3
AT = datetime(2026, 3, 1, 7, 30, 15, 123456, tzinfo=UTC)


@pytest.fixture
def empty(register_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A database without any table."""
    if register_kind == "sqlite":
        engine = open_register(f"sqlite:///{tmp_path / 'old.db'}")
        yield engine
        engine.dispose()
        return
    cluster: Cluster = request.getfixturevalue("postgres")
    name = cluster.create()
    engine = open_register(cluster.url(name))
    yield engine
    engine.dispose()
    cluster.drop(name)


def value(table: Table, name: str, number: int) -> Any:
    """Make a value of a column's type, other in each row, at the limits of what the first revision took."""
    kind = table.columns[name].type
    if isinstance(kind, JSON):
        return {"khóa": [number, "phòng máy", None, 0.1, True]}
    if isinstance(kind, Boolean):
        return number % 2 == 0
    if isinstance(kind, DateTime):
        return (AT + timedelta(days=number)).replace(tzinfo=None)
    if isinstance(kind, LargeBinary):
        return bytes([0, 255, number])
    if isinstance(kind, Integer):
        return 2**31 - 1 - number
    if isinstance(kind, Float):
        return number + 0.1
    return f"{name} số {number} 'ế'"


def numbered(table: Table) -> str | None:
    """Give the column that the database numbers itself: a serial one, or SQLite's INTEGER PRIMARY KEY."""
    key = list(table.primary_key.columns)
    if len(key) != 1 or not isinstance(key[0].type, Integer):
        return None
    return key[0].name if key[0].server_default is not None or str(key[0].type) == "INTEGER" else None


def fill(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """Put rows into every table that there is, and give them as they were stored."""
    old = MetaData()
    old.reflect(engine)
    with engine.begin() as connection:
        for table in old.sorted_tables:
            if table.name != "alembic_version":
                names = [column.name for column in table.columns if column.name != numbered(table)]
                for number in range(ROWS):
                    connection.execute(insert(table), {name: value(table, name, number) for name in names})
    return content(engine, old)


def content(engine: Engine, tables: MetaData) -> dict[str, list[dict[str, Any]]]:
    """Read all rows of all tables, in an order that does not depend on the engine."""
    with engine.connect() as connection:
        return {
            table.name: sorted((dict(row) for row in connection.execute(select(table)).mappings()), key=repr)
            for table in tables.sorted_tables
            if table.name != "alembic_version"
        }


def as_now(table: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Give an old row under the present names of its columns."""
    return {RENAMED.get((table, name), name): cell for name, cell in row.items() if (table, name) not in DROPPED}


@pytest.mark.parametrize("revision", REVISIONS)
def test_every_row_of_every_revision_survives(empty: Engine, revision: str) -> None:
    """Built as released, filled, brought to the present: each cell is what it was, and tables are those of models."""
    migrate(empty, revision)
    before = fill(empty)
    assert before
    migrate(empty)
    require_current(empty)
    with empty.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    now = MetaData()
    now.reflect(empty)
    after = content(empty, now)
    for table, rows in before.items():
        wanted = sorted((as_now(table, row) for row in rows), key=repr)
        kept = [{name: row[name] for name in wanted[0]} for row in after[table]]
        assert sorted(kept, key=repr) == wanted, f"{table} of revision {revision}"


@pytest.mark.parametrize("revision", [REVISIONS[0], REVISIONS[-2]])
def test_a_migrated_register_goes_on_counting(empty: Engine, revision: str) -> None:
    """A new row gets a number that no row has; a line of 100 Gbit/s and a number beyond 32 bits can be stored."""
    migrate(empty, revision)
    before = {row["row_id"] for row in fill(empty)["line"]}
    migrate(empty)
    with Session(empty) as session:
        line = Line(id="line", school_id="s", name="A", valid_from=AT, contracted_down_bps=100_000_000_000)
        run = EvaluationRun(id=2**40, unit_id="u", evaluated_at=AT, newest_fact_id=2**35, pack_id="p", pack_hash="h",
                            counts={}, changed=0, valid_for_s=1.0)  # fmt: skip
        session.add_all([line, run])
        session.commit()
        assert line.row_id not in before
        session.expire_all()
        assert (line.contracted_down_bps, line.valid_from, run.newest_fact_id) == (100_000_000_000, AT, 2**35)


def test_the_pointers_of_verdicts_became_one_a_unit(empty: Engine) -> None:
    """Revision 0006 took a column away; what it said is kept: each unit's newest run, and when that was."""
    migrate(empty, "0005")
    fill(empty)
    migrate(empty)
    with empty.connect() as connection:
        runs = {
            (row.unit_id, row.id, row.evaluated_at)
            for row in connection.execute(select(metadata.tables["evaluation_run"]))
        }
        pointers = connection.execute(select(metadata.tables["current_run"])).all()
    assert {(row.unit_id, row.run_id, row.confirmed_at) for row in pointers} == runs
    assert len(runs) == ROWS


def test_pointers_and_links_stand_in_the_order_of_their_unit(empty: Engine) -> None:
    """Revision 0014: a register that was upgraded has the keys and indices of one that was made today."""
    migrate(empty, "0013")
    fill(empty)
    migrate(empty)
    found = inspect(empty)
    for table in ("current_fact", "current_verdict", "chain_link", "fact", "verdict"):
        model = metadata.tables[table]
        assert found.get_pk_constraint(table)["constrained_columns"] == [c.name for c in model.primary_key.columns]
        indices = {index["name"]: index["column_names"] for index in found.get_indexes(table)}
        assert indices == {index.name: [column.name for column in index.columns] for index in model.indexes}
    if empty.dialect.name == "sqlite":
        with empty.connect() as connection:
            made = connection.exec_driver_sql(
                "SELECT name FROM sqlite_master WHERE sql LIKE '%WITHOUT ROWID%'"
            ).scalars()
            assert {"current_fact", "current_verdict", "chain_link"} <= set(made)


def test_a_chain_of_before_parameters_had_a_beginning_stays_whole(empty: Engine) -> None:
    """Revision 0015: a value that was recorded before holds since then, and the link that was made over its row still
    fits it (the hash is that of version 0014)."""
    migrate(empty, "0014")
    old = MetaData()
    old.reflect(empty)
    row = {"number": 1, "unit_id": "quan", "pack_id": "operations", "name": "stale_after", "value": 60.0, "set_by": "q",
           "reason": "máy mới", "source": None, "recorded_at": AT.replace(tzinfo=None)}  # fmt: skip
    link = {"unit_id": "quan", "sequence": 1, "kind": "parameter", "row_id": 1,
            "hash": bytes.fromhex("7347adb9911147728f9099014a387ff12c5bb0bb8793267720264db949f2710f")}  # fmt: skip
    with empty.begin() as connection:
        connection.execute(insert(old.tables["parameter"]), row)
        connection.execute(insert(old.tables["chain_link"]), link)
    migrate(empty)
    with Session(empty) as session:
        assert verify(session, "quan").breaks == ()
        found = session.scalars(select(Parameter)).one()
        assert (found.value, found.valid_from, found.begins_at) == (60.0, None, AT)
        assert session.scalars(select(Parameter.began())).one() == AT


def test_migrating_twice_at_once_is_harmless(postgres: Cluster, tmp_path: Path) -> None:
    """Two servers that are upgraded in the same minute wait for each other; the second one finds nothing to do."""
    name = postgres.create()
    config = tmp_path / "phongmay.toml"
    config.write_text(f'[store]\nregister_url = "{postgres.url(name)}"\n', "utf-8")
    command = [sys.executable, "-m", "phongmay", "--config", str(config), "register", "migrate"]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(2)]
    assert [(process.wait(60), process.communicate()[1]) for process in running] == [(0, b"")] * 2
    engine = open_register(postgres.url(name))
    require_current(engine)
    engine.dispose()
    postgres.drop(name)
