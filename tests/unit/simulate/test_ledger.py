"""The judge of loss: it must name what is lost and what is doubled, or its zeros mean nothing."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from phongmay_simulate import history, ledger, population
from phongmay_simulate.enrolling import SimulationError
from phongmay_store.series import open_reader, open_writer
from phongmay_store.settings import StoreSettings

DAY = date(2026, 11, 27)
LATER = 1_900_000_000.0


@pytest.fixture
def store(tmp_path: Path) -> StoreSettings:
    """A store with one day of one small school."""
    settings = StoreSettings(series_path=tmp_path / "series.db", raw_days=3660)
    with closing(open_writer(settings)) as series:
        history.write(series, population.build(3, 1, 2, faults=False, gateways=False), [DAY], full=1, until=LATER)
    return settings


@pytest.fixture
def entry(store: StoreSettings) -> dict[str, Any]:
    """The ledger entry that fits one run of that day, all receipted."""
    with closing(open_reader(store)) as series:
        runs = ledger.stored_envelopes(series, "sim-00001-001")
    run, seqs = next(iter(runs.items()))
    return {"device": "sim-00001-001", "run": run, "made": max(seqs), "sent": [[1, max(seqs)]],
            "receipted": [[1, max(seqs)]], "refused": {}, "waiting": [], "wiped": []}  # fmt: skip


def judged(store: StoreSettings, entry: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Compare, and give the sequence numbers of what is lost and doubled."""
    with closing(open_reader(store)) as series:
        found = ledger.compare(series, [entry])
    return [name.split("/")[2] for name in found.lost], [name.split("/")[2] for name in found.doubled]


def test_a_good_store_has_neither(store: StoreSettings, entry: dict[str, Any]) -> None:
    """Receipts = rows: nothing to say."""
    assert entry["made"] > 200
    assert judged(store, entry) == ([], [])


def test_an_envelope_with_a_receipt_and_no_row_is_lost(store: StoreSettings, entry: dict[str, Any]) -> None:
    """The worst: the sender has forgotten it, and the store has it not."""
    entry["made"] += 1
    entry["receipted"] = [[1, entry["made"]]]
    assert judged(store, entry) == ([str(entry["made"])], [])


def test_one_that_is_neither_receipted_nor_in_the_spool_is_lost(store: StoreSettings, entry: dict[str, Any]) -> None:
    """A sender that forgets by itself is found too; what waits, is refused or was wiped by its own disk is not lost."""
    made = entry["made"]
    entry["made"] = made + 4
    entry["waiting"], entry["refused"], entry["wiped"] = [[made + 1, made + 1]], {str(made + 2): "x"}, [[made + 3] * 2]
    assert judged(store, entry) == ([str(made + 4)], [])


def test_an_envelope_with_two_rows_of_a_kind_is_doubled(store: StoreSettings, entry: dict[str, Any]) -> None:
    """A repeat that lands on another instant counts twice."""
    with closing(sqlite3.connect(store.series_path)) as connection:
        files = [row[2] for row in connection.execute("PRAGMA database_list")]
    files += [str(path) for path in store.series_path.parent.rglob("*") if path.is_file()]
    changed = 0
    for file in {path for path in files if path and not path.endswith(("-wal", "-shm"))}:
        with closing(sqlite3.connect(file)) as connection:
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'm_usage'").fetchone():
                columns = [row[1] for row in connection.execute("PRAGMA table_info(m_usage)")]
                picked = ", ".join("at + 7" if name == "at" else f'"{name}"' for name in columns)
                sql = f"INSERT INTO m_usage SELECT {picked} FROM m_usage WHERE device = ? AND seq = 17"
                changed += connection.execute(sql, (entry["device"],)).rowcount
                connection.commit()
    assert changed >= 1
    assert judged(store, entry) == ([], ["17"])


def test_a_row_of_an_envelope_that_was_never_made_is_named(store: StoreSettings, entry: dict[str, Any]) -> None:
    """Nothing may come out of thin air."""
    entry["made"] -= 1
    entry["receipted"] = [[1, entry["made"]]]
    assert judged(store, entry) == ([], [f"{entry['made'] + 1} (never made)"])


@pytest.mark.parametrize("content", [None, "{}", "[]", "nonsense", json.dumps({"runs": None})])
def test_what_is_no_ledger_is_said_so(tmp_path: Path, content: str | None) -> None:
    """A missing or foreign file gives a sentence with the option's name."""
    path = tmp_path / "ledger.json"
    if content is not None:
        path.write_text(content, "utf-8")
    with pytest.raises(SimulationError, match="--ledger"):
        ledger.read(path)


def test_what_is_older_than_rows_is_judged_by_its_number(store: StoreSettings, entry: dict[str, Any]) -> None:
    """A store drops single rounds after some days; a receipt of then still needs an identity in the store."""
    made = entry["made"]
    entry["made"] = made + 2
    entry["receipted"], entry["days"] = [[1, made + 2]], {"20000": [[made + 1, made + 2]]}
    with closing(open_reader(store)) as series:
        found = ledger.compare(series, [entry], rows_from=20_100 * 86400.0)
        assert [name.split("/")[2] for name in found.lost] == [str(made + 1), str(made + 2)]
        entry["made"], entry["receipted"] = made, [[1, made]]
        assert ledger.compare(series, [entry], rows_from=20_100 * 86400.0).lost == []
