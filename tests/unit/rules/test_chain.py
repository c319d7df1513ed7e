"""The hash chain of a unit: every kind of tampering, at every place, is found and named; what is sound stays sound.

Long because every kind of tampering stands beside the others.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import JSON, Engine, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from benchmarks._postgres import Cluster
from phongmay.main import main
from phongmay_rules.chain import links
from phongmay_rules.chain.links import Head, heads
from phongmay_rules.chain.verifying import Report, Tampering, units_with_chain, verify
from phongmay_rules.engine import evaluate
from phongmay_rules.loader import PACKS, load_pack, packs_in_force
from phongmay_rules.model import Pack
from phongmay_rules.settings import RulesSettings
from phongmay_store.errors import StoreError
from phongmay_store.register import metadata
from phongmay_store.register.base import UtcDateTime
from phongmay_store.register.chain import ChainLink, LinkKind
from phongmay_store.register.compliance import CurrentFact, EvaluationRun, Fact, Parameter
from phongmay_store.register.device import Device
from phongmay_store.register.engine import migrate, open_register, reading_one_state
from phongmay_store.register.organisation import Unit
from phongmay_store.register.place import Room
from phongmay_store.series import open_writer
from phongmay_store.series.interface import SeriesWriter
from phongmay_store.settings import StoreSettings

AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
LONG_AGO = AT - timedelta(days=60)
PACK = load_pack("tanbinh-2023")


@dataclass
class Chained:
    """A copy of a register with a chain that one may tamper with."""

    engine: Engine
    series: SeriesWriter

    def sql(self, statement: str, *values: object) -> None:
        """Do what somebody with the database, but without the key, can do."""
        with self.engine.begin() as connection:
            connection.exec_driver_sql(self._by_place(statement), values)

    def ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Read directly."""
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(self._by_place(statement), values)]

    def _by_place(self, statement: str) -> str:
        return statement if self.engine.dialect.name == "sqlite" else statement.replace("?", "%s")

    def verify(self, unit: str = "cs", signed: tuple[Head, ...] = (), pack: Pack | None = PACK) -> Report:
        """Verify one unit."""
        with self.session() as session:
            return verify(session, unit, signed, pack)

    def session(self) -> Session:
        """Open a session."""
        return Session(self.engine)

    def heads(self, *units: str) -> tuple[Head, ...]:
        """Give the heads as they are."""
        with self.session() as session:
            return tuple(heads(session, units or ("cs",)).values())

    def evaluate(self, at: datetime, pack: Pack = PACK) -> None:
        """Evaluate as the engine does."""
        evaluate(self.session, self.series, pack, at=at)

    def places(self, kind: str) -> dict[str, tuple[int, int]]:
        """Give (link, row) of the first, a middle and the last link of a kind."""
        rows = self.ask("SELECT sequence, row_id FROM chain_link WHERE unit_id = 'cs' AND kind = ? ORDER BY 1", kind)
        assert len(rows) >= 3
        chosen = {"first": rows[0], "middle": rows[len(rows) // 2], "last": rows[-1]}
        return {name: (int(str(link)), int(str(row))) for name, (link, row) in chosen.items()}


@pytest.fixture(scope="module")
def original(
    register_kind: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> tuple[str, Path]:
    """A school with a room and two PCs, judged three times: at first, with a new limit, and after a PC left.

    Returns:
        Register (file or database) and the folder of the series store.
    """
    folder = tmp_path_factory.mktemp("chain")
    if register_kind == "sqlite":
        where = str(folder / "register.db")
        engine = open_register(f"sqlite:///{where}")
    else:
        cluster: Cluster = request.getfixturevalue("postgres")
        where = cluster.create()
        engine = open_register(cluster.url(where))
    migrate(engine)
    rows = [
        Unit(id="quan", parent_id=None, kind="district", name="Quận", level="", is_sample=True),
        Unit(id="cs", parent_id="quan", kind="school", name="THCS", level="thcs", is_sample=True),
        Room(id="room", school_id="cs", name="1", kind="computer_room", class_size=4, timetable="always"),
        *(
            Device(id=name, school_id="cs", room_id="room", code=name, kind="pc", state="in_service", agent_since=AT)
            for name in ("a", "b")
        ),
    ]
    with Session(engine) as session:
        for row in rows:
            row.valid_from = row.recorded_at = LONG_AGO
        session.add_all(rows)
        session.commit()
    series = open_writer(StoreSettings(series_path=folder / "series.db"))
    chained = Chained(engine, series)
    chained.evaluate(AT)
    with Session(engine) as session:
        limit = Parameter(unit_id="cs", pack_id="operations", name="stale_after", value=60, set_by="q", reason="r",
                          recorded_at=AT)  # fmt: skip
        links.append_row(session, LinkKind.PARAMETER, "cs", limit)
        session.commit()
    chained.evaluate(AT + timedelta(seconds=90))
    with Session(engine) as session:
        device = session.scalars(select(Device).where(Device.id == "b")).one()
        device.revise(session, {"state": "retired"}, since=AT + timedelta(seconds=120))
        session.commit()
    chained.evaluate(AT + timedelta(seconds=150))
    series.close()
    engine.dispose()
    return where, folder


@pytest.fixture
def chained(
    register_kind: str, original: tuple[str, Path], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Chained]:
    """A fresh copy."""
    where, folder = original
    shutil.copy(folder / "series.db", tmp_path / "series.db")
    series = open_writer(StoreSettings(series_path=tmp_path / "series.db"))
    cluster: Cluster | None = None
    if register_kind == "sqlite":
        shutil.copy(where, tmp_path / "register.db")
        engine = open_register(f"sqlite:///{tmp_path / 'register.db'}")
    else:
        cluster = request.getfixturevalue("postgres")
        assert cluster is not None
        copy = cluster.create(where)
        engine = open_register(cluster.url(copy))
    yield Chained(engine, series)
    engine.dispose()
    series.close()
    if cluster is not None:
        cluster.drop(copy)


PLACES = ("first", "middle", "last")


def test_an_untouched_chain_is_sound(chained: Chained) -> None:
    """Nobody is accused: all links hold, and heads signed before and now agree."""
    before = chained.heads("cs", "quan")
    chained.evaluate(AT + timedelta(seconds=210))
    for unit, head in zip(("cs", "quan"), before, strict=True):
        report = chained.verify(unit, (head, *chained.heads(unit)))
        assert report.breaks == ()
        assert report.links == chained.heads(unit)[0].sequence > head.sequence
    with chained.session() as session:
        assert units_with_chain(session) == ["cs", "quan"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("kind", "table", "column", "value"),
    [
        ("verdict", "verdict", "state", "pass"),
        ("verdict", "verdict", "measured", '{"value":8589934592}'),
        ("verdict", "verdict", "evaluated_at", "2026-11-22 03:00:00.000000"),
        ("run", "evaluation_run", "counts", "{}"),
        ("run", "evaluation_run", "valid_for_s", 1e9),
    ],
)
def test_a_changed_row_is_found(
    chained: Chained, kind: str, table: str, column: str, value: object, place: str
) -> None:
    """Whatever column is changed in whatever row: exactly this link is named, with its row."""
    link, row = chained.places(kind)[place]
    chained.sql(f"UPDATE {table} SET {column} = ? WHERE id = ?", value, row)
    (found,) = chained.verify().breaks
    assert (found.tampering, found.sequence) == (Tampering.CHANGED, link)
    assert f"{kind} row {row}" in found.sentence


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("kind", "table"), [("verdict", "verdict"), ("run", "evaluation_run")])
def test_a_removed_row_is_found(chained: Chained, kind: str, table: str, place: str) -> None:
    """A row that is gone is named by its link."""
    link, row = chained.places(kind)[place]
    chained.sql(f"DELETE FROM {table} WHERE id = ?", row)
    first = chained.verify().breaks[0]
    assert (first.tampering, first.sequence) == (Tampering.REMOVED_ROW, link)


@pytest.mark.parametrize("place", ["first", "middle"])
@pytest.mark.parametrize(("kind", "table"), [("verdict", "verdict"), ("run", "evaluation_run")])
def test_a_row_removed_with_its_link_is_found(chained: Chained, kind: str, table: str, place: str) -> None:
    """Taking the link along leaves a hole in the numbers, and the hole is named."""
    link, row = chained.places(kind)[place]
    chained.sql(f"DELETE FROM {table} WHERE id = ?", row)
    chained.sql("DELETE FROM chain_link WHERE unit_id = 'cs' AND sequence = ?", link)
    first = chained.verify().breaks[0]
    assert (first.tampering, first.sequence) == (Tampering.REMOVED_LINK, link)


@pytest.mark.parametrize("place", ["first", "middle"])
def test_a_closed_gap_is_found(chained: Chained, place: str) -> None:
    """Renumbering the links behind a removed one does not help: the next link fails."""
    link, row = chained.places("verdict")[place]
    chained.sql("DELETE FROM verdict WHERE id = ?", row)
    chained.sql("DELETE FROM chain_link WHERE unit_id = 'cs' AND sequence = ?", link)
    last = chained.heads()[0].sequence
    for sequence in range(link + 1, last + 1):
        chained.sql(
            "UPDATE chain_link SET sequence = ? WHERE unit_id = 'cs' AND sequence = ?", sequence - 1, sequence
        )  # fmt: skip
    first = chained.verify().breaks[0]
    assert (first.tampering, first.sequence) == (Tampering.CHANGED, link)


def _cut(chained: Chained, keep: int) -> None:
    """Cut the chain behind a link: links, rows and pointers, without a trace inside the database."""
    for kind, table in (("verdict", "verdict"), ("run", "evaluation_run")):
        chained.sql(
            f"DELETE FROM {table} WHERE unit_id = 'cs' AND id NOT IN "
            "(SELECT row_id FROM chain_link WHERE unit_id = 'cs' AND kind = ? AND sequence <= ?)", kind, keep,
        )  # fmt: skip
    chained.sql("DELETE FROM chain_link WHERE unit_id = 'cs' AND sequence > ?", keep)
    chained.sql("DELETE FROM current_run WHERE unit_id = 'cs'")
    chained.sql(
        "INSERT INTO current_run SELECT unit_id, max(id), max(evaluated_at), 180 FROM evaluation_run "
        "WHERE unit_id = 'cs' GROUP BY 1"
    )
    chained.sql("DELETE FROM current_verdict WHERE unit_id = 'cs'")
    chained.sql(
        "INSERT INTO current_verdict SELECT subject_kind, subject_id, rule_id, unit_id, max(id) "
        "FROM verdict WHERE unit_id = 'cs' GROUP BY 1, 2, 3, 4"
    )
    chained.sql(
        "DELETE FROM current_verdict WHERE verdict_id IN (SELECT id FROM verdict WHERE reason = 'gone')"
    )  # fmt: skip
    chained.sql("DELETE FROM parameter WHERE unit_id = 'cs' AND number NOT IN "
                "(SELECT row_id FROM chain_link WHERE unit_id = 'cs' AND kind = 'parameter')")  # fmt: skip


def test_a_run_that_is_put_forward_again_is_found(chained: Chained) -> None:
    """Whoever lets an old run vouch for the present verdicts is found."""
    chained.sql("UPDATE current_run SET run_id = (SELECT min(id) FROM evaluation_run) WHERE unit_id = 'cs'")
    (found,) = chained.verify().breaks
    assert found.tampering is Tampering.POINTER


def _quoted(chained: Chained) -> list[tuple[int, int, int, str]]:
    """Give (first link, verdict row, fact row, name) of every fact that the school's verdicts quote."""
    found: dict[int, tuple[int, int, int, str]] = {}
    for link, row, evidence in chained.ask(
        "SELECT sequence, row_id, evidence FROM chain_link JOIN verdict ON id = row_id "
        "WHERE chain_link.unit_id = 'cs' AND kind = 'verdict' ORDER BY sequence"
    ):
        for item in json.loads(evidence) if isinstance(evidence, str) else evidence:  # PostgreSQL's driver reads it
            if item.get("fact_id"):
                found.setdefault(item["fact_id"], (int(str(link)), int(str(row)), item["fact_id"], item["name"]))
    return sorted(found.values())


CHANGES: dict[str, object] = {
    "number": 17179869184.5, "text": "x", "missing": "sensor", "name": "ram", "source": "declared by me",
    "sources": '["other/1/1"]', "detail": '{"slots":9}', "valid_at": "2026-11-22 03:00:00.000000",
    "recorded_at": "2027-11-22 03:00:00.000000", "subject_id": "b2", "subject_kind": "area", "unit_id": "th",
    "unit": "kg", "id": 1_000_000,
}  # fmt: skip


@pytest.mark.parametrize("place", [0, 0.5, 1])
def test_a_changed_fact_is_found(chained: Chained, place: float) -> None:
    """Fact rows are in no chain, but the verdicts that quote them are: the first link that quotes another value is
    named, whatever column of whatever quoted fact was changed, or when the row is gone."""
    quoted = _quoted(chained)
    link, verdict, fact, name = quoted[round(place * (len(quoted) - 1))]
    together = {row for *_, rows in _counted(chained) for row in rows}
    assert chained.verify().facts == len({one[2] for one in quoted} | together) > 10
    for column, value in CHANGES.items():
        ((stored,),) = chained.ask(f"SELECT {column} FROM fact WHERE id = ?", fact)
        before = json.dumps(stored) if isinstance(stored, list | dict) else stored
        chained.sql(f"UPDATE fact SET {column} = ? WHERE id = ?", value, fact)
        (found,) = chained.verify().breaks
        assert (found.tampering, found.sequence) == (Tampering.FACT, link), column
        assert all(word in found.sentence for word in (f"fact row {fact}", name, f"verdict row {verdict} quoted it"))
        chained.sql(f"UPDATE fact SET {column} = ? WHERE id = ?", before, value if column == "id" else fact)
    assert chained.verify().is_sound


def test_the_first_changed_fact_is_named_first(chained: Chained) -> None:
    """Of several the one that the earliest link quotes; each once, however many verdicts quote it."""
    quoted = _quoted(chained)
    for _, _, fact, _ in (quoted[3], quoted[-1]):
        chained.sql("UPDATE fact SET number = 7.25, text = NULL WHERE id = ?", fact)
    breaks = chained.verify().breaks
    assert [found.sequence for found in breaks] == [quoted[3][0], quoted[-1][0]]


def test_a_changed_parameter_is_found(chained: Chained) -> None:
    """What an organisation set (value, who, when, why) is a link like a waiver; one put in by hand is in no link."""
    changes = {"value": 61.0, "set_by": "other", "reason": "x", "recorded_at": "2026-01-01 00:00:00"}
    for column, value in changes.items():
        ((before,),) = chained.ask(f"SELECT {column} FROM parameter")
        chained.sql(f"UPDATE parameter SET {column} = ?", value)
        (found,) = chained.verify().breaks
        assert (found.tampering, "parameter row 1" in found.sentence) == (Tampering.CHANGED, True)
        chained.sql(f"UPDATE parameter SET {column} = ?", before)
    chained.sql(
        "INSERT INTO parameter (unit_id, pack_id, name, value, set_by, reason, recorded_at) "
        "SELECT unit_id, pack_id, name, 99, set_by, reason, recorded_at FROM parameter"
    )
    (found,) = chained.verify().breaks
    assert (found.tampering, "parameter row 2" in found.sentence) == (Tampering.NOT_LINKED, True)
    chained.sql("DELETE FROM parameter")
    assert chained.verify().breaks[0].tampering is Tampering.REMOVED_ROW


@pytest.mark.parametrize("cut", [1, "half", "all"])
def test_a_cut_tail_is_found_by_a_signed_head(chained: Chained, cut: int | str) -> None:
    """A chain that was cut agrees with itself; a head that was signed before tells how long it was."""
    (head,) = chained.heads()
    keep = {1: head.sequence - 1, "half": head.sequence // 2, "all": 0}[cut]
    _cut(chained, keep)
    assert chained.verify().breaks == ()
    (found,) = chained.verify(signed=(head,)).breaks
    assert (found.tampering, found.sequence) == (Tampering.CUT_TAIL, keep + 1)
    assert str(head.sequence) in found.sentence


def _rewrite(chained: Chained, start: int) -> None:
    """Make all hashes from a link on fit the rows again."""
    with chained.session() as session:
        rows = session.scalars(select(ChainLink).where(ChainLink.unit_id == "cs").order_by(ChainLink.sequence)).all()
        before = links.genesis("cs")
        for link in rows:
            kind = LinkKind(link.kind)
            if link.sequence >= start:
                row = session.get(links.MODELS[kind], link.row_id)
                assert row is not None
                link.hash = links.link_hash(before, "cs", link.sequence, kind, links.as_mapping(kind, row))
            before = link.hash
        session.commit()


@pytest.mark.parametrize("place", PLACES)
def test_a_rewritten_chain_is_found_by_a_signed_head(chained: Chained, place: str) -> None:
    """Who changes a row and computes all later hashes anew is betrayed by the first head signed behind that row."""
    link, row = chained.places("verdict")[place]
    with chained.session() as session:
        known = tuple(
            Head("cs", sequence, digest)
            for sequence, digest in session.execute(
                select(ChainLink.sequence, ChainLink.hash).where(ChainLink.unit_id == "cs")
            )
        )
    chained.sql("UPDATE verdict SET state = 'pass' WHERE id = ?", row)
    _rewrite(chained, link)
    assert chained.verify().breaks == ()
    (found,) = chained.verify(signed=known).breaks
    assert (found.tampering, found.sequence) == (Tampering.REWRITTEN, link)
    (found,) = chained.verify(signed=(known[-1],)).breaks
    assert (found.tampering, found.sequence) == (Tampering.REWRITTEN, 1)


def test_a_row_put_in_by_hand_is_found(chained: Chained) -> None:
    """A verdict that the engine did not write is in no link."""
    columns = ", ".join(
        column.name for column in metadata.tables["verdict"].columns if column.name not in ("id", "state")
    )
    chained.sql(
        f"INSERT INTO verdict (state, {columns}) SELECT 'pass', {columns} FROM verdict WHERE unit_id = 'cs' LIMIT 1"
    )
    assert Tampering.NOT_LINKED in {found.tampering for found in chained.verify().breaks}


def test_a_turned_pointer_is_found(chained: Chained) -> None:
    """Showing an older verdict as the current one changes no row of the chain, and is found all the same."""
    (key,) = chained.ask(
        "SELECT subject_id, rule_id, min(id) FROM verdict WHERE subject_id = 'a' "
        "GROUP BY 1, 2 HAVING count(*) > 1 LIMIT 1"
    )
    chained.sql("UPDATE current_verdict SET verdict_id = ? WHERE subject_id = ? AND rule_id = ?", key[2], *key[:2])
    (found,) = chained.verify().breaks
    assert found.tampering is Tampering.POINTER
    assert str(key[1]) in found.sentence


def test_a_changed_archived_pack_is_found(chained: Chained) -> None:
    """The text of an old rule cannot be changed afterwards."""
    chained.sql("UPDATE archived_pack SET content = replace(content, 'TB-01', 'TB-77')")
    (found,) = chained.verify().breaks
    assert found.tampering is Tampering.PACK
    chained.sql("DELETE FROM archived_pack")
    assert "removed from the archive" in chained.verify().breaks[0].sentence


def _changed_pack(folder: Path, version: str | None = None) -> Pack:
    """Copy the pack and make TB-01 lighter."""
    source = Path(__import__("phongmay_rules").__file__).parent / "packs" / PACK.id
    shutil.copytree(source, folder / "pack")
    rule = folder / "pack" / "rules" / "TB-01.toml"
    rule.write_text(
        rule.read_text("utf-8").replace("[subject]", "[subject]\nneeds_agent = true"),
        "utf-8",
    )
    with (folder / "pack" / "cases" / "TB-01.toml").open("a", encoding="utf-8") as cases:
        cases.write(
            '[[case]]\nname = "no agent"\nkind = "not_applicable"\nexpect = "not_applicable"\n'
            "subject = { agent = false }\n"
        )
    if version:
        standard = folder / "pack" / "standard.toml"
        before = f'version = "{PACK.stamps[PACK.id].version}"'
        standard.write_text(standard.read_text("utf-8").replace(before, f'version = "{version}"'), "utf-8")
    return load_pack(folder / "pack")


def test_a_changed_pack_file_is_found(chained: Chained, tmp_path: Path) -> None:
    """A rule that was changed under an old version number is found before and after it judged, by its file."""
    pack = _changed_pack(tmp_path)
    (found,) = chained.verify(pack=pack).breaks
    assert (found.tampering, "rules/TB-01.toml" in found.sentence) == (Tampering.PACK, True)
    chained.evaluate(AT + timedelta(seconds=300), pack)
    (found,) = chained.verify(pack=pack).breaks
    assert "rules/TB-01.toml" in found.sentence


def test_a_new_version_of_a_pack_is_no_tampering(chained: Chained, tmp_path: Path) -> None:
    """Publishing a changed pack under a new version leaves the chain sound, and both are archived."""
    pack = _changed_pack(tmp_path, "2030-01")
    chained.evaluate(AT + timedelta(seconds=300), pack)
    assert chained.verify(pack=pack).breaks == ()
    assert len(chained.ask("SELECT 1 FROM archived_pack")) == 2


def test_a_broken_pack_file_does_not_stop_verifying(
    chained: Chained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pack file that contradicts its cases, or is no TOML, is named; the chains are verified all the same."""
    folder = tmp_path / "mine"
    shutil.copytree(PACKS / PACK.id, folder)
    config = tmp_path / "phongmay.toml"
    config.write_text(
        f'[store]\nregister_url = "{chained.engine.url.render_as_string(hide_password=False)}"\n'
        f'[rules]\npacks = ["{folder}"]\n'
        f'heads_file = "{tmp_path / "heads.jsonl"}"\n', "utf-8",
    )  # fmt: skip
    verify_all = ["--config", str(config), "verdicts", "verify"]
    assert main(verify_all) == 0
    assert "quoted facts" in capsys.readouterr().out
    for file, old, new in (
        ("rules/TB-01.toml", "at_least", "at_most"),
        ("rules/TB-03.toml", "[subject]", "[subject"),
        ("standard.toml", "requires = ", "required = "),
    ):
        text = (folder / file).read_text("utf-8")
        (folder / file).write_text(text.replace(old, new, 1), "utf-8")
        assert main(verify_all) == 1
        said = capsys.readouterr().out
        assert "the packs in force are refused: " in said
        assert f"pack file {PACK.id}/{file} is not what it was when it judged last\n" in said
        assert said.count("pack file") == 1
        assert "unit cs: sound" in said
        (folder / file).write_text(text, "utf-8")
    (folder / "rules" / "TB-01.toml").write_text("", "utf-8")
    chained.sql("UPDATE verdict SET state = 'pass' WHERE id = ?", chained.places("verdict")["middle"][1])
    assert main(verify_all) == 1
    assert "unit cs: link " in capsys.readouterr().out


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_change_of_any_cell_is_found(chained: Chained, data: st.DataObject) -> None:
    """Whatever cell of a verdict, run or link is changed to whatever else: the unit is not sound any more."""
    table = data.draw(st.sampled_from(["verdict", "evaluation_run", "chain_link"]))
    columns = metadata.tables[table].columns
    column = data.draw(st.sampled_from([one.name for one in columns if one.name != "unit_id"]))
    key = "sequence" if table == "chain_link" else "id"
    rows = [row[0] for row in chained.ask(f"SELECT {key} FROM {table} WHERE unit_id = 'cs' ORDER BY 1")]
    row = data.draw(st.sampled_from(rows))
    as_stored = f"CAST({column} AS TEXT)" if isinstance(columns[column].type, JSON | UtcDateTime) else column
    ((before,),) = chained.ask(f"SELECT {as_stored} FROM {table} WHERE unit_id = 'cs' AND {key} = ?", row)
    if isinstance(before, bytes):
        after: object = bytes([before[0] ^ 1]) + before[1:]
    elif isinstance(before, str) and before[:1] in "[{":
        after = '{"tampered":1}'
    elif isinstance(before, str) and column.endswith("_at"):
        after = "2020-01-01 00:00:00.000000"
    elif isinstance(before, str):
        after = "run" if column == "kind" and before == "verdict" else "verdict" if column == "kind" else before + "x"
    else:
        after = 1_000_000 + data.draw(st.integers(0, 1000))
    try:
        chained.sql(f"UPDATE {table} SET {column} = ? WHERE unit_id = 'cs' AND {key} = ?", after, row)
    except IntegrityError:
        return  # the database itself refuses it
    try:
        assert not chained.verify().is_sound, (table, column, row)
    finally:
        where = after if key == column else row
        chained.sql(f"UPDATE {table} SET {column} = ? WHERE unit_id = 'cs' AND {key} = ?", before, where)
    assert chained.verify().is_sound


# -- writers ----------------------------------------------------------------------------------------------------------


def test_a_chain_cannot_fork(chained: Chained) -> None:
    """Of two writers that saw the same head one is refused, and what is stored stays one sound chain."""
    (head,) = chained.heads()
    with chained.session() as session:
        run = session.scalars(select(EvaluationRun).where(EvaluationRun.unit_id == "cs")).first()
        assert run is not None
        row = links.as_mapping(LinkKind.RUN, run)
    stale = ChainLink(unit_id="cs", sequence=head.sequence, kind="run", row_id=1, hash=b"x")
    with chained.session() as session:
        session.add(stale)
        with pytest.raises(IntegrityError):
            session.flush()
    with chained.session() as session:
        links.append(session, [links.entry("cs", LinkKind.RUN, row)])
        assert heads(session, ["cs"])["cs"].sequence == head.sequence + 1
        session.rollback()
    assert chained.verify().is_sound


def test_two_engines_at_once_leave_one_chain(chained: Chained) -> None:
    """Engines that run against each other may be refused, never fork a chain or leave it broken."""

    def work(offset: int) -> None:
        for number in range(4):
            try:
                chained.evaluate(AT + timedelta(seconds=300 + 60 * number + offset))
            except StoreError:
                refused.append(offset)

    refused: list[int] = []
    before = chained.heads()[0].sequence
    threads = [threading.Thread(target=work, args=(offset,)) for offset in (0, 7)]
    for thread in threads:
        thread.start()
    seen = 0
    while any(thread.is_alive() for thread in threads) or not seen:
        with reading_one_state(chained.engine) as session:
            assert verify(session, "cs", (), PACK).breaks == ()  # also in the midst of their writing
        seen += 1
    for thread in threads:
        thread.join()
    report = chained.verify()
    assert report.breaks == ()
    assert report.links > before
    assert len(refused) < 8


def _counted(chained: Chained) -> list[tuple[int, int, str, list[int]]]:
    """Give (link, verdict row, name, fact rows) of every aggregate that read facts of its members itself."""
    return [
        (int(str(link)), int(str(row)), item["facts"], item["rows"])
        for link, row, evidence in chained.ask(
            "SELECT sequence, row_id, evidence FROM chain_link JOIN verdict ON id = row_id "
            "WHERE chain_link.unit_id = 'cs' AND kind = 'verdict' ORDER BY sequence"
        )
        for item in (json.loads(evidence) if isinstance(evidence, str) else evidence)
        if "digest" in item
    ]


def test_a_changed_fact_below_an_aggregate_is_found(chained: Chained) -> None:
    """What a room or school reads of its PCs itself is quoted by its verdict, all columns of each row."""
    counted = _counted(chained)
    assert {name for _, _, name, _ in counted} == {"reported_7d"}
    link, verdict, name, rows = counted[0]
    assert len(rows) > 1
    fact = rows[-1]
    changes = [*((column, value) for column, value in CHANGES.items() if column != "text"), ("number", 1.0)]
    for column, value in changes:  # the text beside a number is not read
        ((stored,),) = chained.ask(f"SELECT {column} FROM fact WHERE id = ?", fact)
        before = json.dumps(stored) if isinstance(stored, list | dict) else stored
        chained.sql(f"UPDATE fact SET {column} = ? WHERE id = ?", value, fact)
        found = chained.verify().breaks
        assert [one.tampering for one in found[:1]] == [Tampering.FACT], (column, stored)
        assert found[0].sequence == link
        assert all(word in found[0].sentence for word in (name, f"verdict row {verdict} quoted it"))
        chained.sql(f"UPDATE fact SET {column} = ? WHERE id = ?", before, value if column == "id" else fact)
    assert chained.verify().is_sound


def test_whether_a_pc_works_is_quoted_by_its_room(house: Any) -> None:
    """No verdict on a PC reads it: of a PC that is made to work afterwards its room's verdict tells."""
    house.pack = packs_in_force(RulesSettings(optional=["PH-05"]))
    house.revise(Device, "cs-0", AT - timedelta(minutes=1), state="in_repair")
    house.evaluate()
    with house.sessions() as session:
        assert verify(session, "cs").is_sound
        row = session.scalars(
            select(Fact).join(CurrentFact, CurrentFact.fact_id == Fact.id)
            .where(Fact.subject_id == "cs-0", Fact.name == "works_7d")
        ).one()  # fmt: skip
        assert row.number == 0
        row.number, number = 1.0, row.id
        session.flush()
        breaks = verify(session, "cs").breaks
        session.rollback()
    assert [found.tampering for found in breaks] == [Tampering.FACT], breaks
    assert f"fact row {number}: works_7d below room cs-room was changed (value)" in breaks[0].sentence
