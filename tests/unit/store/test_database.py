"""The narrow way to a database: many rows in few statements, and no text that another engine could not keep."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from phongmay_store.errors import UnstorableTextError
from phongmay_store.series.database import RegisterDatabase, _in_blocks

INSERT = (
    "INSERT INTO series_presence (device, state, session, run, since, last_seen, agent) VALUES (?, ?, ?, ?, ?, ?, ?)"
)


@given(st.integers(0, 2600))
def test_statements_carry_every_row_once_and_are_of_few_kinds(count: int) -> None:
    """A number of rows that is new to the driver costs more to compile than its rows to write."""
    values = [(number, -number) for number in range(count)]
    statements = list(
        _in_blocks("INSERT INTO t (a, b) VALUES (?, ?) ON CONFLICT (a) DO UPDATE SET b = ?", values, "%s")
    )
    assert [cell for _, cells in statements for cell in cells] == [cell for row in values for cell in row]
    sizes = [len(cells) // 2 for _, cells in statements]
    assert all(size == 1000 or size & (size - 1) == 0 for size in sizes)
    assert len(statements) <= count // 1000 + 10
    for (sql, _), size in zip(statements, sizes, strict=True):
        assert sql.count("(%s, %s)") == size
        assert sql.endswith("DO UPDATE SET b = %s")


@pytest.mark.parametrize("place", [0, 6])
def test_nul_is_found_among_the_cells_of_many_rows(register_engine: Engine, place: int) -> None:
    """Rows of one statement come as one row of cells, with numbers among the texts."""
    rows: list[list[Any]] = [[f"pc-{n}", "online", "aa", "bb", 1.0, 2.0, "0.1"] for n in range(9)]
    database = RegisterDatabase(register_engine)
    with database.writing() as writing:
        writing.many(INSERT, rows[:8])
    rows[8][place] = "x\0y"
    with pytest.raises(UnstorableTextError, match=r"x.y"), database.writing() as writing:
        writing.many(INSERT, [["pc-new", *rows[0][1:]], rows[8]])
    assert len(database.rows("SELECT 1 FROM series_presence")) == 8
