"""Questions that are kept, and many rows at once: what is seen, what is stored, what is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import bindparam, event, select
from sqlalchemy.orm import Session

from phongmay_store.errors import UnstorableTextError
from phongmay_store.register import bulk
from phongmay_store.register.asking import ask
from phongmay_store.register.chain import ChainLink, LinkKind
from phongmay_store.register.compliance import CurrentFact, Fact
from phongmay_store.register.organisation import Unit

AT = datetime(2026, 11, 23, 3, 0, 0, 123456, tzinfo=UTC)
NUL = "\0"
NAMES = select(Unit.id).where(Unit.id.in_(bindparam("only", expanding=True))).order_by(Unit.id)
POINTER: dict[str, list[Any]] = {
    "subject_kind": ["device", "device"], "subject_id": ["a", "b"], "name": ["heard", "heard"], "unit_id": ["th", "th"],
    "fact_id": [1, 2],
}  # fmt: skip


def fact(number: int, **more: Any) -> dict[str, Any]:
    """Give a row of facts."""
    return {
        "id": number, "unit_id": "th", "subject_kind": "device", "subject_id": "pc", "name": "heard", "number": 1.0,
        "text": None, "unit": "", "missing": "", "source": "derived", "sources": ("a", "b"), "detail": {"raw": 1},
        "valid_at": AT, "recorded_at": AT, **more,
    }  # fmt: skip


def test_an_answer_sees_what_the_session_holds(register: Session) -> None:
    """Law: what was added to a session and not written yet is in the answer, and values that the statement does not
    have do no harm; the same statement is asked again with other values."""
    for name in ("u-1", "u-2", "u-3"):
        register.add(Unit(id=name, valid_from=AT, kind="school", name=name, level=""))
    assert ask(register, NAMES, only=["u-1", "u-3"], known_at=AT) == [("u-1",), ("u-3",)]
    assert ask(register, NAMES, only=["u-2"]) == [("u-2",)]
    assert ask(register, NAMES, only=[]) == []


def test_ids_follow_the_greatest_and_none_are_taken_for_nothing(register: Session) -> None:
    """Law: taken ids are free and in order; to take none asks nothing."""
    assert bulk.newest(register, Fact) == 0
    ids = bulk.reserve(register, Fact, 2)
    assert len(set(ids)) == 2
    bulk.append(register, Fact, [fact(number) for number in ids])
    assert bulk.newest(register, Fact) == max(ids)
    assert not set(bulk.reserve(register, Fact, 3)) & set(ids)
    asked: list[str] = []
    event.listen(register.get_bind(), "before_cursor_execute", lambda *words: asked.append(words[2]))
    assert list(bulk.reserve(register, Fact, 0)) == []
    assert asked == []


def test_rows_come_back_as_they_were_given(register: Session) -> None:
    """Law: rows by row and rows by column are stored alike, and a tuple as the list that JSON knows."""
    bulk.append(register, Fact, [fact(1)])
    bulk.append_columns(register, Fact, {name: [value] for name, value in fact(2).items()} | {"other": ["x"]})
    one, two = register.scalars(select(Fact).order_by(Fact.id)).all()
    for name, value in fact(1, sources=["a", "b"]).items():
        assert getattr(one, name) == value
        assert name == "id" or getattr(two, name) == value


def test_nothing_is_nothing(register: Session) -> None:
    """Law: no rows are no statement, given either way."""
    bulk.append(register, CurrentFact, [])
    bulk.append_columns(register, CurrentFact, {name: [] for name in POINTER})
    assert register.scalars(select(CurrentFact)).all() == []


def test_a_column_that_is_missing_is_named(register: Session) -> None:
    """Law: a row that lacks a column, and columns of different lengths, are refused and nothing is stored."""
    with pytest.raises(KeyError, match="fact_id"):
        bulk.append_columns(register, CurrentFact, {name: of for name, of in POINTER.items() if name != "fact_id"})
    with pytest.raises(KeyError, match="fact_id"):
        bulk.append(register, CurrentFact, [{name: of[0] for name, of in POINTER.items() if name != "fact_id"}])
    with pytest.raises(ValueError, match="assign sequence of size 1"):
        bulk.append_columns(register, CurrentFact, POINTER | {"fact_id": [1]})
    assert register.scalars(select(CurrentFact)).all() == []


def test_words_of_an_enumeration_are_plain_texts(register: Session) -> None:
    """Law: what is stored of an enumeration is its value, also beside plain texts and nothing."""
    columns = {"unit_id": ["u"] * 2, "sequence": [1, 2], "kind": [LinkKind.RUN, "verdict"], "row_id": [1, 2],
               "hash": [b"a", b"\0"]}  # fmt: skip
    bulk.append_columns(register, ChainLink, columns)
    assert register.scalars(select(ChainLink.kind).order_by(ChainLink.sequence)).all() == ["run", "verdict"]


@pytest.mark.parametrize("count", [bulk.TOGETHER - 1, bulk.TOGETHER, 2 * bulk.TOGETHER + 3])
@pytest.mark.parametrize("told", [(), (0,), (5, 40)])
def test_many_rows_come_back_as_they_were_given(register: Session, count: int, told: tuple[int, ...]) -> None:
    """Law: however many rows are stored in one statement, and whether a column says something of any of them or of
    none, each row holds its own values; JSON that several rows share stands in each."""
    shared = {"raw": [1, "ế"]}
    rows = [
        fact(number, subject_id=f"pc-{number}", detail=shared if number % 3 else {"own": number})
        | ({"number": None, "text": "word"} if number in told else {"number": number / 2})
        for number in range(1, count + 1)
    ]
    bulk.append(register, Fact, rows)
    stored = register.scalars(select(Fact).order_by(Fact.id)).all()
    assert [{name: getattr(one, name) for name in rows[0]} for one in stored] == [
        row | {"sources": ["a", "b"]} for row in rows
    ]


def test_new_rows_take_the_place_of_the_current_ones(register: Session) -> None:
    """Law: a pointer shows the newest row of its unit, subject and name; pointers of others stay as they are."""
    bulk.append(register, Fact, [fact(1), fact(2, subject_id="other"), fact(3, unit_id="cs")])
    bulk.point(register, CurrentFact, Fact, [1, 2, 3])
    bulk.append(register, Fact, [fact(4), fact(5, name="silent_expected_s")])
    bulk.point(register, CurrentFact, Fact, [5, 4])
    bulk.point(register, CurrentFact, Fact, [])
    names = ("unit_id", "subject_id", "name", "fact_id")
    shown = register.execute(select(*(getattr(CurrentFact, name) for name in names)).order_by(CurrentFact.fact_id))
    assert [tuple(row) for row in shown] == [
        ("th", "other", "heard", 2), ("cs", "pc", "heard", 3), ("th", "pc", "heard", 4),
        ("th", "pc", "silent_expected_s", 5),
    ]  # fmt: skip


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("name", ["subject_id", "unit_id", "name"])
def test_no_text_with_nul_gets_in(register: Session, name: str, place: int) -> None:
    """Law: many rows are held against U+0000 as single ones are, whichever column and row it is in."""
    texts = list(POINTER[name])
    texts[place] += NUL + "x"
    with pytest.raises(UnstorableTextError, match=rf"'{POINTER[name][place]}\u2400x' holds the character NUL"):
        bulk.append_columns(register, CurrentFact, POINTER | {name: texts})
    with pytest.raises(UnstorableTextError):
        bulk.append(register, Fact, [fact(1), fact(2, **{name: NUL})])


def test_only_what_was_checked_is_not_checked_again(register: Session) -> None:
    """Law: a statement without the mark is still held against U+0000."""
    bulk.append_columns(register, CurrentFact, POINTER)
    with pytest.raises(UnstorableTextError):
        register.connection().exec_driver_sql("SELECT 1 WHERE 'a' = " + _mark(register), (NUL,))


def _mark(session: Session) -> str:
    return "?" if session.get_bind().dialect.name == "sqlite" else "%s"
