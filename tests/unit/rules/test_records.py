"""Fact rows on a register: what is appended, what the pointers show, and which rows each reading gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from phongmay_rules.facts import records
from phongmay_rules.facts.catalogue import FACTS, Found, Source, missing
from phongmay_rules.facts.records import Facts, FactValue, read_current, read_known, read_past, read_some, write
from phongmay_rules.facts.schools import Subject
from phongmay_rules.reasons import Reason
from phongmay_store.register.compliance import CurrentFact, Fact
from phongmay_store.register.engine import open_register

AT = 1_764_000_000.0
PC: Subject = ("device", "pc-1")
RAM, LINK, HEARD = "ram_marketed_bytes", "link_speed_bps", "heard"
"""Fresh for 30 days; fresh for 7 days, and its detail matters; computed by every evaluation."""
MONTH, WEEK = 30 * 86400.0, 7 * 86400.0


@pytest.fixture
def session(register_url: str) -> Iterator[Session]:
    """Give an open transaction of an empty register."""
    engine = open_register(register_url)
    with Session(engine) as opened:
        yield opened
    engine.dispose()


def put(session: Session, *facts: Found, current: Facts | None = None, subject: Subject = PC, unit: str = "th",
        at: float = AT) -> int:  # fmt: skip
    """Write facts of one subject over what the register says of its unit, or over what is said to be current."""
    known = read_current(session, [unit]) if current is None else current
    return write(session, {subject: iter(facts)}, {subject: unit}, at, known)


def stored(session: Session) -> list[Mapping[str, Any]]:
    """Give all fact rows as they stand in the register."""
    return [dict(row) for row in session.execute(select(*Fact.__table__.columns).order_by(Fact.id)).mappings()]


def pointers(session: Session) -> dict[tuple[str, str, str], tuple[str, int]]:
    """Give what every pointer shows."""
    return {
        (row.subject_kind, row.subject_id, row.name): (row.unit_id, row.fact_id)
        for row in session.execute(select(*CurrentFact.__table__.columns))
    }


def values(facts: Facts) -> dict[Subject, dict[str, object]]:
    return {subject: {name: fact.missing or fact.value for name, fact in of.items()} for subject, of in facts.items()}


def ids(facts: Facts) -> dict[str, list[int]]:
    """Give the rows by the subject's id."""
    return {subject[1]: sorted(fact.id for fact in of.values()) for subject, of in facts.items()}


# -- what a row holds -------------------------------------------------------------------------------------------------


def test_a_number_is_stored_with_all_that_belongs_to_it(session: Session) -> None:
    """Every column of a row comes from the fact, the catalogue, or the evaluation; none from elsewhere."""
    fact = Found(RAM, 8e9, AT - 60, None, ("pc-1/r/1", "pc-1/r/2"), {"raw": 7.9e9})
    assert put(session, fact) == 1
    assert stored(session) == [
        {
            "id": 1, "unit_id": "th", "subject_kind": "device", "subject_id": "pc-1", "name": RAM, "number": 8e9,
            "text": None, "unit": "B", "missing": "", "source": "measured", "sources": ["pc-1/r/1", "pc-1/r/2"],
            "detail": {"raw": 7.9e9}, "valid_at": datetime.fromtimestamp(AT - 60, UTC),
            "recorded_at": datetime.fromtimestamp(AT, UTC),
        }
    ]  # fmt: skip
    assert pointers(session) == {("device", "pc-1", RAM): ("th", 1)}


def test_a_word_and_a_reason_have_columns_of_their_own(session: Session) -> None:
    """A word is never stored as a number, and a fact without a value is neither: only its reason stands there."""
    assert put(session, Found(HEARD, "yes", AT), missing(RAM, Reason.NO_AGENT, AT)) == 2
    columns = [(row["number"], row["text"], row["missing"]) for row in stored(session)]
    assert columns == [(None, "yes", ""), (None, None, "no_agent")]
    assert values(read_current(session, ["th"])) == {PC: {HEARD: "yes", RAM: "no_agent"}}


def test_zero_is_a_value(session: Session) -> None:
    """Nothing found and zero found are two things, also after reading."""
    put(session, Found(LINK, 0.0, AT), missing(RAM, Reason.NO_DATA, AT))
    facts = read_current(session, ["th"])[PC]
    assert (facts[LINK].value, facts[LINK].missing) == (0.0, "")
    assert (facts[RAM].value, facts[RAM].missing) == (None, "no_data")


def test_a_declaration_that_stands_in_keeps_its_own_source(session: Session) -> None:
    """Where a value comes from is what was found, and the catalogue's word only where nothing else was said."""
    put(session, Found(RAM, 8e9, AT, source=Source.DECLARED), Found(HEARD, 1.0, AT))
    assert [row["source"] for row in stored(session)] == ["declared", "derived"]


@pytest.mark.parametrize(
    "fact",
    [
        Found(RAM, 8e9, AT + 1 / 3, None, ("a", "b"), {"raw": [1, 2], "declared": 4e9}, Source.DECLARED),
        Found(HEARD, "yes", AT + 0.1234567),
        missing(LINK, Reason.WIRELESS, AT + 2 / 3, sources=("x",), medium="wifi"),
    ],
)
def test_what_is_given_back_is_what_is_read_later(session: Session, fact: Found) -> None:
    """Verdicts judged from the rows just written and verdicts recomputed from the register see the same facts."""
    current: Facts = {}
    put(session, fact, current=current)
    mine, read = current[PC][fact.name], read_current(session, ["th"])[PC][fact.name]
    assert mine._replace(sources=list(mine.sources)) == read
    assert (read.id, read.name) == (1, fact.name)
    assert read.at == pytest.approx(fact.at, abs=1e-6)
    assert (read.value, read.missing) == (fact.value, fact.missing or "")
    assert (read.sources, read.detail) == (list(fact.sources), fact.detail)
    assert read.source == (fact.source or FACTS[fact.name].source)


# -- what is appended -------------------------------------------------------------------------------------------------

FIRST = {
    RAM: Found(RAM, 8e9, AT, None, ("a",), {"raw": 1}),
    LINK: Found(LINK, 1e9, AT, None, ("a",), {"interface": "eth0"}),
    HEARD: Found(HEARD, 1.0, AT, None, ("a",), {"raw": 1}),
}


@pytest.mark.parametrize("name", FIRST)
def test_what_is_the_same_is_not_written_again(session: Session, name: str) -> None:
    """Neither another evaluation nor other envelopes that say the same make a row."""
    put(session, FIRST[name])
    before = read_current(session, ["th"])
    assert put(session, replace(FIRST[name], sources=("b",)), at=AT + 60) == 0
    assert read_current(session, ["th"]) == before
    assert len(stored(session)) == 1


@pytest.mark.parametrize(
    ("name", "change"),
    [
        (RAM, {"value": 4e9}),
        (RAM, {"value": "8e9"}),
        (RAM, {"value": None, "missing": Reason.NO_DATA}),
        (RAM, {"source": Source.DECLARED}),
        (RAM, {"detail": {"raw": 1, "declared": 4e9}}),
        (HEARD, {"value": 0.0}),
        (HEARD, {"detail": {"declared": 0.0}}),
        (LINK, {"detail": {"interface": "eth1"}}),
        (LINK, {"detail": {}}),
    ],
)
def test_what_differs_is_appended(session: Session, name: str, change: dict[str, Any]) -> None:
    """Value, reason, source, what was declared beside, and a detail that matters: each alone makes a row."""
    put(session, FIRST[name])
    old = stored(session)
    assert put(session, replace(FIRST[name], **change), at=AT + 60) == 1
    rows = stored(session)
    assert rows[:1] == old, "a row that stands is never changed"
    assert rows[1]["recorded_at"] == datetime.fromtimestamp(AT + 60, UTC)
    assert pointers(session) == {("device", "pc-1", name): ("th", 2)}


@pytest.mark.parametrize("name", [RAM, HEARD])
def test_a_detail_that_does_not_matter_makes_no_row(session: Session, name: str) -> None:
    """A raw reading that moves under the same marketed size would bring a row a minute."""
    put(session, FIRST[name])
    assert put(session, replace(FIRST[name], detail={"raw": 2})) == 0


def test_another_reason_is_another_fact(session: Session) -> None:
    """Why nothing is known is shown to people, so it is recorded when it changes, and only then."""
    put(session, missing(RAM, Reason.NO_AGENT, AT))
    assert put(session, missing(RAM, Reason.NO_AGENT, AT)) == 0
    assert put(session, missing(RAM, Reason.NO_DATA, AT)) == 1
    assert put(session, Found(RAM, 8e9, AT)) == 1
    assert [row["missing"] for row in stored(session)] == ["no_agent", "no_data", ""]


def test_the_same_declaration_beside_makes_no_row(session: Session) -> None:
    """What was declared beside a measurement counts when it changes or goes, not while it stands."""
    put(session, replace(FIRST[RAM], detail={"declared": 4e9, "raw": 1}))
    assert put(session, replace(FIRST[RAM], detail={"declared": 4e9, "raw": 2})) == 0
    assert put(session, replace(FIRST[RAM], detail={"raw": 2})) == 1


@pytest.mark.parametrize(("name", "fresh"), [(RAM, MONTH), (LINK, WEEK)])
def test_a_row_is_renewed_after_half_of_its_freshness(session: Session, name: str, fresh: float) -> None:
    """A value that is measured again and again never becomes stale, with few rows."""
    put(session, FIRST[name])
    assert put(session, replace(FIRST[name], at=AT + fresh / 2)) == 0
    assert put(session, replace(FIRST[name], at=AT + fresh / 2 + 1)) == 1
    assert put(session, replace(FIRST[name], at=AT + fresh + 1)) == 0, "half counts from the new row on"


def test_what_every_evaluation_computes_is_never_renewed(session: Session) -> None:
    """The run row confirms such a fact, however old its own row is."""
    put(session, FIRST[HEARD])
    assert put(session, replace(FIRST[HEARD], at=AT + 365 * 86400)) == 0


def test_a_value_without_detail_can_be_current(session: Session) -> None:
    """A fact whose detail was not kept is the same as one that has none."""
    current: Facts = {PC: {HEARD: FactValue(7, HEARD, 1.0, "", AT, "derived")}}
    assert put(session, Found(HEARD, 1.0, AT), current=current) == 0
    assert put(session, Found(HEARD, 1.0, AT, detail={"declared": 0.0}), current=current) == 1


# -- pointers and bystanders ------------------------------------------------------------------------------------------


def test_only_the_pointers_of_what_was_written_move(session: Session) -> None:
    """Another fact, another subject, and a subject of another kind with the same id keep their rows."""
    room: Subject = ("room", "pc-1")
    other: Subject = ("device", "pc-2")
    everybody = {subject: [Found(RAM, 8e9, AT), Found(HEARD, 1.0, AT)] for subject in (PC, room, other)}
    homes = {PC: "th", room: "th", other: "cs"}
    assert write(session, everybody, homes, AT, {}) == 6
    before = pointers(session)
    assert sorted(before.values()) == [("cs", 5), ("cs", 6), ("th", 1), ("th", 2), ("th", 3), ("th", 4)]
    current = read_current(session, ["th", "cs"])
    changed = {PC: [Found(RAM, 4e9, AT), Found(HEARD, 1.0, AT), Found(LINK, 1e9, AT)], other: [Found(HEARD, 0.0, AT)]}
    assert write(session, changed, homes, AT, current) == 3
    assert pointers(session) == before | {
        ("device", "pc-1", RAM): ("th", 7), ("device", "pc-1", LINK): ("th", 8), ("device", "pc-2", HEARD): ("cs", 9),
    }  # fmt: skip
    assert values(current) == values(read_current(session, ["th", "cs"]))
    assert values(current)[PC] == {RAM: 4e9, HEARD: 1.0, LINK: 1e9}
    assert {name: fact.id for name, fact in current[PC].items()} == {RAM: 7, HEARD: 2, LINK: 8}
    assert {name: fact.id for name, fact in current[other].items()} == {RAM: 5, HEARD: 9}
    assert values(read_past(session, "th", 99)) == values(read_current(session, ["th"])), "kinds stay apart"


def test_nothing_found_writes_nothing(session: Session) -> None:
    """An evaluation that finds nothing new leaves the register alone and says so."""
    current: Facts = {}
    assert write(session, {}, {}, AT, current) == 0
    assert write(session, {PC: []}, {PC: "th"}, AT, current) == 0
    assert (stored(session), pointers(session), current) == ([], {}, {PC: {}})


# -- reading ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 399, 400, 401, 800, 801])
def test_current_rows_of_however_many_units(session: Session, count: int) -> None:
    """Each unit's subjects are there once, also beyond what one statement asks for; those of no other are."""
    units = [f"u{number:03}" for number in range(count)]
    homes: dict[Subject, str] = {("school", unit): unit for unit in [*units, "not-asked"]}
    write(session, {subject: [Found("students", float(n), AT)] for n, subject in enumerate(homes)}, homes, AT, {})
    said: list[str] = []
    event.listen(session.get_bind(), "before_cursor_execute", lambda *told: said.append(told[2]))
    assert values(read_current(session, units)) == {
        ("school", unit): {"students": float(number)} for number, unit in enumerate(units)
    }
    assert sum("current_fact" in one for one in said) == -(-count // 400), "no row is asked for twice"


@pytest.fixture
def house(session: Session) -> Session:
    """A school of two devices and a room with two facts each, and a school with one; some rows are old (1, 3, 9)."""
    room: Subject = ("room", "r")
    put(session, Found(RAM, 1.0, AT), Found(HEARD, 1.0, AT))
    put(session, Found(RAM, 2.0, AT), Found(HEARD, 2.0, AT), subject=("device", "pc-2"))
    put(session, Found(RAM, 3.0, AT), Found(HEARD, 3.0, AT), subject=room)
    put(session, Found(RAM, 4.0, AT), subject=("device", "pc-9"), unit="cs")
    put(session, Found(RAM, 5.0, AT + 100), at=AT + 100)
    put(session, Found(RAM, 6.0, AT + 50), subject=("device", "pc-2"), at=AT + 200)
    put(session, Found(RAM, 7.0, AT + 300), subject=("device", "pc-2"), at=AT + 300)
    return session


def test_reading_all_that_is_current(house: Session) -> None:
    """A row that was replaced is not read."""
    assert ids(read_current(house, ["th"])) == {"pc-1": [2, 8], "pc-2": [4, 10], "r": [5, 6]}
    assert ids(read_current(house, ["cs"])) == {"pc-9": [7]}
    assert values(read_current(house, ["th"]))["room", "r"] == {RAM: 3.0, HEARD: 3.0}


@pytest.mark.parametrize(
    ("subjects", "names", "wanted"),
    [
        (["pc-1"], [], {"pc-1": [2, 8]}),
        ([], [HEARD], {"pc-1": [2], "pc-2": [4], "r": [6]}),
        (["r", "pc-9"], [RAM], {"pc-1": [8], "pc-2": [10], "r": [5, 6]}),
        ([], [], {}),
    ],
)
def test_reading_some_subjects_and_some_names(
    house: Session, subjects: list[str], names: list[str], wanted: dict[str, list[int]]
) -> None:
    """Chosen subjects come whole, the others with the chosen names only, and no other unit's come at all."""
    assert ids(read_some(house, "th", subjects, names)) == wanted


@pytest.mark.parametrize(
    ("newest", "wanted"),
    [
        (0, {}),
        (1, {"pc-1": [1]}),
        (7, {"pc-1": [1, 2], "pc-2": [3, 4], "r": [5, 6]}),
        (8, {"pc-1": [2, 8], "pc-2": [3, 4], "r": [5, 6]}),
        (9, {"pc-1": [2, 8], "pc-2": [4, 9], "r": [5, 6]}),
        (99, {"pc-1": [2, 8], "pc-2": [4, 10], "r": [5, 6]}),
    ],
)
def test_reading_what_was_current(house: Session, newest: int, wanted: dict[str, list[int]]) -> None:
    """As of a row, each fact is the newest up to it and with it, of this unit only."""
    assert ids(read_past(house, "th", newest)) == wanted


@pytest.mark.parametrize(
    ("valid", "known", "wanted"),
    [
        (-1, 999, {}),
        (999, -1, {}),
        (0, 0, {"pc-1": [1, 2], "pc-2": [3, 4], "r": [5, 6]}),
        (0, 999, {"pc-1": [1, 2], "pc-2": [3, 4], "r": [5, 6]}),
        (49, 200, {"pc-1": [1, 2], "pc-2": [3, 4], "r": [5, 6]}),
        (50, 199, {"pc-1": [1, 2], "pc-2": [3, 4], "r": [5, 6]}),
        (50, 200, {"pc-1": [1, 2], "pc-2": [4, 9], "r": [5, 6]}),
        (999, 100, {"pc-1": [2, 8], "pc-2": [3, 4], "r": [5, 6]}),
        (999, 999, {"pc-1": [2, 8], "pc-2": [4, 10], "r": [5, 6]}),
    ],
)
def test_reading_what_was_known_about_an_instant(
    house: Session, valid: int, known: int, wanted: dict[str, list[int]]
) -> None:
    """What is about later and what was recorded later are both left out; both limits belong to it."""
    moments = [datetime.fromtimestamp(AT + seconds, UTC) for seconds in (valid, known)]
    assert ids(read_known(house, "th", moments[0], moments[1])) == wanted


def test_known_about_an_instant_is_the_newest_truth_not_the_newest_row(session: Session) -> None:
    """What is told afterwards of an earlier time hides nothing later; about one instant the later row holds."""
    moment = datetime.fromtimestamp(AT + 999, UTC)
    for value, at in ((1.0, AT + 100), (2.0, AT + 50)):
        put(session, Found(RAM, value, at))
    assert values(read_known(session, "th", moment, moment)) == {PC: {RAM: 1.0}}
    put(session, Found(RAM, 3.0, AT + 100))
    assert values(read_known(session, "th", moment, moment)) == {PC: {RAM: 3.0}}
    assert values(read_past(session, "th", 99)) == values(read_current(session, ["th"])) == {PC: {RAM: 3.0}}


def test_of_one_instant_the_row_of_the_higher_number_holds(session: Session) -> None:
    """In whatever order rows lie in the table: what was written last about one instant is what was known."""
    moment = datetime.fromtimestamp(AT, UTC)
    common = {"unit_id": "th", "subject_kind": PC[0], "subject_id": PC[1], "name": RAM, "unit": "B", "source": "x",
              "sources": [], "detail": {}, "valid_at": moment, "recorded_at": moment}  # fmt: skip
    for number in (9, 3, 7, 1, 8):
        session.add(Fact(id=number, number=float(number), **common))
        session.flush()
    assert values(read_known(session, "th", moment, moment)) == {PC: {RAM: 9.0}}


def test_times_are_kept_in_whole_microseconds() -> None:
    """The finest time that the register keeps is the finest time that a rule sees."""
    assert records._stored(AT + 0.1234564) == datetime.fromtimestamp(AT, UTC).replace(microsecond=123456)
    assert records._stored(AT).tzinfo is UTC
