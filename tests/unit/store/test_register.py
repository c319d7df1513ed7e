"""The register's ground: history never overwritten, timetables, the organisation tree, enrolment, migrations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import Session

from phongmay_contract import keys
from phongmay_store.errors import StoreError
from phongmay_store.register import metadata, timetable
from phongmay_store.register.base import new_id, utc_now
from phongmay_store.register.device import Credential, Device, EnrolmentToken
from phongmay_store.register.engine import migrate, open_register, require_current
from phongmay_store.register.enrolment import EnrolmentError, broker_hash_matches, enrol, make_token
from phongmay_store.register.organisation import Unit, ancestors, subtree
from phongmay_store.register.place import Room

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def day(number: int) -> datetime:
    """Give a day of the test's calendar."""
    return T0 + timedelta(days=number)


def room(session: Session, since: datetime = T0) -> Room:
    """Register a room that exists since then."""
    made = Room(
        id="room-a", valid_from=since, school_id="s", name="A", kind="computer_room", class_size=30, timetable=""
    )
    session.add(made)
    session.flush()
    return made


def current(session: Session, at: datetime, known_at: datetime | None = None) -> Room | None:
    """Give the one room that holds at an instant; two at once would be an error."""
    return session.scalars(Room.at(at, known_at)).one_or_none()


def test_both_questions_stay_answerable(register: Session) -> None:
    """After a revision: how it was then (valid time), and what we believed then (recorded time)."""
    room(register)
    register.commit()
    believed = utc_now()
    register.scalars(Room.at()).one().revise(register, {"class_size": 40}, since=day(10))
    register.commit()
    sizes = [
        (current(register, at, known) or Room(class_size=None)).class_size
        for at, known in ((day(9), None), (day(10), None), (day(10), believed))
    ]
    assert sizes == [30, 40, 30]


def test_a_revision_without_difference_writes_nothing(register: Session) -> None:
    """Saying what is known already makes no version."""
    assert room(register).revise(register, {"class_size": 30, "name": "A"}) is None
    assert len(register.scalars(select(Room)).all()) == 1


def test_a_correction_of_the_past_reaches_the_later_versions(register: Session) -> None:
    """A change since an earlier day than the newest version applies to every version from that day on."""
    room(register).revise(register, {"class_size": 40}, since=day(10))
    newest = register.scalars(Room.at()).one()
    newest.revise(register, {"name": "B"}, since=day(5))
    seen = [(r.name, r.class_size) for at in (4, 5, 9, 10) if (r := current(register, day(at))) is not None]
    assert seen == [("A", 30), ("B", 30), ("B", 30), ("B", 40)]


def test_a_thing_known_too_late_is_taken_back(register: Session) -> None:
    """A change since a day before the thing was registered says that it existed then."""
    room(register, day(10)).revise(register, {"class_size": 40}, since=day(5))
    assert current(register, day(4)) is None
    found = current(register, day(5))
    assert found is not None
    assert found.class_size == 40


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.integers(0, 30), st.integers(20, 25)), min_size=1, max_size=8))
def test_no_instant_ever_has_two_versions(register: Session, steps: list[tuple[int, int]]) -> None:
    """Whatever is revised in whatever order, at most one version holds at an instant, and the newest word wins."""
    register.rollback()  # what the example before did
    room(register)
    for since, size in steps:
        register.scalars(Room.at()).one().revise(register, {"class_size": size}, since=day(since))
    for at in range(32):
        found = register.scalars(Room.at(day(at))).all()
        assert len(found) == 1
    last = steps[-1][1]
    assert current(register, utc_now()).class_size == last  # type: ignore[union-attr] # found above


def test_naive_times_are_refused(register: Session) -> None:
    """A time without a zone cannot get into the register."""
    with pytest.raises(StatementError, match="naive time"):
        room(register, datetime(2026, 1, 1))  # noqa: DTZ001 that is what must be refused


def test_ids_can_be_read_out_and_be_topics() -> None:
    """Ids hold no letter that sounds or looks like another and are valid device ids."""
    made = {new_id("pc") for _ in range(200)}
    assert len(made) == 200
    assert not set("il01ou") & set("".join(made).replace("pc-", ""))


# -- timetable --------------------------------------------------------------------------------------------------------


def local(hour: int, minute: int = 0, on: int = 5) -> float:
    """Give a true time on January 2026 in Asia/Ho_Chi_Minh (5 = a Monday)."""
    return datetime(2026, 1, on, hour, minute, tzinfo=timetable.LOCAL).timestamp()


def test_a_timetable_counts_local_school_hours() -> None:
    """Hours are those of Asia/Ho_Chi_Minh; nights, breaks and Sundays count nothing."""
    table = timetable.parse("Mon-Fri 07:00-11:30 13:00-16:30; Sat 07:00-11:30")
    assert table.expected_seconds(local(0), local(0, on=6)) == 8 * 3600
    assert table.expected_seconds(local(11, 0), local(13, 30)) == 3600
    assert table.expected_seconds(local(0, on=10), local(0, on=12)) == 4.5 * 3600
    assert list(table.intervals(local(6), local(8))) == [(local(7), local(8))]


def test_minute_masks_hold_exactly_the_expected_minutes() -> None:
    """Bit n of an hour is minute n: 07:15-07:45 gives bits 15 to 44."""
    mask = timetable.parse("Mon 07:15-07:45").minute_mask(local(7))
    assert mask == sum(1 << minute for minute in range(15, 45))
    assert timetable.ALWAYS.minute_mask(local(7)) == (1 << 60) - 1
    assert timetable.NEVER.minute_mask(local(7)) == 0


def test_an_empty_timetable_is_the_default() -> None:
    """No text means the district's default, not "never"."""
    assert timetable.parse("") == timetable.parse(timetable.DEFAULT)
    assert timetable.parse("Mon 22:00-24:00").expected_seconds(local(0), local(0, on=6)) == 2 * 3600


@pytest.mark.parametrize(
    ("given", "piece"),
    [
        ("Mon", "no hours"),
        ("Thu2 07:00-08:00", "Thu2"),
        ("Fri-Mon 07:00-08:00", "backwards"),
        ("Mon 7:00-8:00", "7:00-8:00"),
        ("Mon 09:00-08:00", "ends before"),
        ("Mon 07:00-09:00 08:00-10:00", "overlap"),
    ],
)
def test_a_wrong_timetable_names_the_piece(given: str, piece: str) -> None:
    """A text that cannot be read says which piece, so that a person can mend it."""
    with pytest.raises(timetable.TimetableError, match=piece):
        timetable.parse(given)


@given(st.integers(0, 7 * 24 * 60), st.integers(1, 3 * 24 * 60))
def test_intervals_and_masks_agree(start: int, length: int) -> None:
    """Counting by intervals and by minute masks gives the same time, wherever one cuts."""
    table = timetable.parse("Mon-Fri 07:00-11:30 13:00-16:30; Sat 07:10-11:33")
    begin = local(0) + start * 60
    hours = range(int(begin // 3600) * 3600, int((begin + length * 60) // 3600 + 1) * 3600, 3600)
    minutes = {
        hour + bit * 60
        for hour in hours
        for bit in range(60)
        if table.minute_mask(hour) >> bit & 1 and begin <= hour + bit * 60 < begin + length * 60
    }
    assert table.expected_seconds(begin, begin + length * 60) == len(minutes) * 60
    assert all(a[1] <= b[0] for a, b in pairwise(table.intervals(begin, begin + length * 60)))


# -- organisation -----------------------------------------------------------------------------------------------------


def unit(session: Session, name: str, parent: str | None, since: datetime = T0) -> Unit:
    """Register a unit whose id is its name."""
    made = Unit(id=name, valid_from=since, parent_id=parent, kind="ward", name=name, level="", is_sample=False)
    session.add(made)
    session.flush()
    return made


def test_a_subtree_holds_the_unit_and_all_below(register: Session) -> None:
    """Children and grandchildren, parents first; neither siblings nor parents; nothing for an unknown unit."""
    for name, parent in (("city", None), ("d1", "city"), ("d2", "city"), ("s1", "d1"), ("s2", "d2")):
        unit(register, name, parent)
    assert [u.id for u in subtree(register, "city")] == ["city", "d1", "s1", "d2", "s2"]
    assert [u.id for u in subtree(register, "d1")] == ["d1", "s1"]
    assert subtree(register, "nowhere") == []
    assert [u.id for u in ancestors(register, "s1")] == ["d1", "city"]


def test_the_tree_is_asked_as_it_was(register: Session) -> None:
    """A school that moved to another district stands in the old one before that day."""
    for name, parent in (("d1", None), ("d2", None), ("s", "d1")):
        unit(register, name, parent)
    register.scalars(Unit.at().where(Unit.id == "s")).one().revise(register, {"parent_id": "d2"}, since=day(100))
    assert [u.id for u in subtree(register, "d1", day(99))] == ["d1", "s"]
    assert [u.id for u in subtree(register, "d1", day(100))] == ["d1"]
    assert [u.id for u in subtree(register, "d2", day(100))] == ["d2", "s"]


def test_a_circle_in_the_tree_ends(register: Session) -> None:
    """Broken data (two units above each other) must not hang a page."""
    unit(register, "a", "b")
    unit(register, "b", "a")
    assert [u.id for u in subtree(register, "a")] == ["a", "b"]
    assert len(ancestors(register, "a")) <= 16


# -- enrolment --------------------------------------------------------------------------------------------------------


def registered(session: Session, code: str, school: str = "s") -> Device:
    """Register a PC without an agent."""
    made = Device(id=new_id("pc"), valid_from=T0, school_id=school, code=code, kind="pc", state="in_service")
    session.add(made)
    session.flush()
    return made


def test_enrolling_gives_a_secret_whose_password_opens_the_broker(register: Session) -> None:
    """The register keeps a hash that fits the password derived from the secret, and neither of them."""
    device = registered(register, "PC-1")
    identity = enrol(register, make_token(register, "s"), code="PC-1", fingerprint="f")
    assert identity.device_id == device.id
    kept = register.get_one(Credential, identity.device_id)
    assert broker_hash_matches(keys.mqtt_password(identity.secret), kept.broker_hash)
    assert not broker_hash_matches(keys.mqtt_password(keys.new_secret()), kept.broker_hash)
    assert identity.secret not in kept.broker_hash
    assert register.scalars(Device.at().where(Device.code == "PC-1")).one().agent_since is not None


def test_a_new_machine_becomes_a_device_of_the_tokens_school_and_room(register: Session) -> None:
    """Without an inventory code, a PC is registered where the token says."""
    identity = enrol(register, make_token(register, "s", room_id="r"))
    device = register.scalars(Device.at().where(Device.id == identity.device_id)).one()
    assert (device.school_id, device.room_id, device.kind) == ("s", "r", "pc")


@pytest.mark.parametrize("case", ["bad_token", "expired_token", "used_token", "unknown_code", "already_enrolled"])
def test_enrolment_is_refused_with_a_fixed_code(register: Session, case: str) -> None:
    """A wrong, expired or used-up token, another school's code and a taken identity give nothing."""
    registered(register, "PC-1")
    registered(register, "OTHER", school="elsewhere")
    token = make_token(
        register, "s", uses=0 if case == "used_token" else 2, valid=timedelta(days=-1 if case == "expired_token" else 1)
    )
    register.flush()
    if case == "already_enrolled":
        enrol(register, token, code="PC-1")
    given_token = "pm-guess" if case == "bad_token" else token
    with pytest.raises(EnrolmentError) as refused:
        enrol(register, given_token, code="OTHER" if case == "unknown_code" else "PC-1")
    assert refused.value.code == case


def test_a_token_is_counted_and_stored_nowhere(register: Session) -> None:
    """Each enrolment takes one use away; the table holds only a hash of the token."""
    token = make_token(register, "s", uses=2)
    register.flush()
    enrol(register, token)
    row = register.scalars(select(EnrolmentToken)).one()
    assert row.uses_left == 1
    assert token not in row.token_hash


# -- migrations -------------------------------------------------------------------------------------------------------


def test_migrations_make_exactly_the_tables_of_the_models(register_engine: Engine) -> None:
    """What Alembic builds and what the models say never drift apart."""
    with register_engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    require_current(register_engine)


def test_an_unmigrated_register_says_which_command_helps(tmp_path: Path) -> None:
    """Opening an empty database names 'phongmay register migrate'; a newer one asks for a newer program."""
    engine = open_register(f"sqlite:///{tmp_path / 'r.db'}")
    with pytest.raises(StoreError, match="phongmay register migrate"):
        require_current(engine)
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="upgrade the program"):
        migrate(engine)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("sqlite:////nowhere/at/all/r.db", "does not exist"),
        ("nonsense", "cannot be used"),
        ("x+y://z", "cannot be used"),
    ],
)
def test_a_wrong_register_url_is_one_sentence(url: str, told: str) -> None:
    """A malformed URL, an unknown database and a missing directory are told, not thrown."""
    with pytest.raises(StoreError, match=told):
        open_register(url)


def test_what_schools_handed_in_stays_when_units_may(tmp_path: Path) -> None:
    """Migration 0007 gives the column another name; the papers of before are still those of their school."""
    engine = open_register(f"sqlite:///{tmp_path}/register.db")
    migrate(engine, "0006")
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO attachment (school_id, sha256, media_type, size, recorded_at) "
            "VALUES ('school-1', 'ab', 'image/png', 3, '2026-01-01 00:00:00')"
        )
    migrate(engine)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT unit_id, sha256 FROM attachment").all() == [("school-1", "ab")]
    engine.dispose()
