"""The sample district: reproducible, importable, and honest about being a sample."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from phongmay_contract import checking
from phongmay_contract.envelope import Envelope
from phongmay_contract.topics import Kind
from phongmay_simulate import district, expectation
from phongmay_simulate.district import Role
from phongmay_simulate.machine import Machine
from phongmay_store.register import timetable

NOW = datetime(2026, 11, 23, 15, 30, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 hypothesis wants naive bounds


def test_same_seed_and_moment_give_the_same_district() -> None:
    """A sample that cannot be made again proves nothing."""
    assert district.build(7, NOW) == district.build(7, NOW)
    assert district.build(7, NOW) != district.build(8, NOW)


def test_the_seed_moves_faults_but_never_changes_their_number() -> None:
    """Expected counts hold for every seed."""

    def roles(seed: int) -> list[str]:
        return sorted(seat.role for school in district.build(seed, NOW).schools for _, seat in school.seats())

    assert roles(1) == roles(2)
    assert len(roles(1)) == 90
    assert set(roles(1)) == set(Role)


@given(MOMENTS)
def test_the_class_of_the_switched_off_room_has_always_ended(now: datetime) -> None:
    """Whenever the demo runs, that room had one hour of class in the last day and none in the last hour."""
    room = next(
        room for school in district.build(1, now).schools for room in school.rooms if room.timetable != "always"
    )
    table = timetable.parse(room.timetable)
    at = now.timestamp()
    assert table.expected_seconds(at - 86400, at) == 3600
    assert table.expected_seconds(at - 3600, at + 3600) == 0
    assert table.expected_seconds(room.history_end - 3600, room.history_end) == 3600


def test_every_measured_value_keeps_to_the_catalogue() -> None:
    """The simulator must not send what a real agent could not: nothing unknown, nothing out of range."""
    for role in Role:
        machine = Machine(role, "T1", 1000.0, NOW.timestamp())
        at = machine.instant(NOW.timestamp())
        for kind, body in ((Kind.INVENTORY, machine.inventory()), (Kind.ROUND, machine.round(5.0))):
            checked = checking.check(Envelope(kind, "pc-aaa", "00112233", 1, at, "sim", body))
            assert checked.unknown == ()
            assert checked.out_of_range == ()
            assert checked.envelope.body


def test_a_dead_battery_moves_the_wall_clock_and_not_the_monotonic_one() -> None:
    """The 2009 clock must test the collector's clocks, not break the machine."""
    wrong, right = (Machine(role, "T1", 1000.0, NOW.timestamp()) for role in (Role.CLOCK_2009, Role.STANDARD))
    later = NOW.timestamp() + 60
    assert wrong.instant(later).wall < datetime(2010, 1, 1, tzinfo=UTC).timestamp()
    assert right.instant(later).wall == later
    assert wrong.instant(later).mono == right.instant(later).mono == 1060.0


def test_files_hold_every_seat_once_and_the_real_pc_only_on_request(tmp_path: Path) -> None:
    """What is imported is what is simulated."""
    sample = district.build(3, NOW)
    for with_real_pc, count in ((False, 90), (True, 91)):
        paths = {path.name: path for path in district.write_files(sample, tmp_path, with_real_pc=with_real_pc)}
        with paths["devices.csv"].open(encoding="utf-8") as file:
            codes = [row["code"] for row in csv.DictReader(file)]
        assert len(codes) == len(set(codes)) == count
        assert (district.REAL_CODE in codes) is with_real_pc


def test_expected_verdicts_cover_every_subject_and_rule_once() -> None:
    """The witness speaks to each question exactly once."""
    verdicts = expectation.expect(district.build(3, NOW))
    keys = [(v.subject_kind, v.subject, v.rule) for v in verdicts]
    assert len(keys) == len(set(keys)) == 90 * 9 + 4 * 7 + 3 * 18 + 9
    by_rule = {rule: [v.state for v in verdicts if v.rule == rule] for rule in expectation.DEVICE_RULES}
    assert all({"pass", "fail", "unknown"} == set(states) for states in by_rule.values())


def test_a_class_that_ends_at_midnight_is_written_so_that_it_can_be_read() -> None:
    """Edges of the local day: the timetable text stays valid."""
    for minutes in range(0, 1440, 7):
        now = NOW + timedelta(minutes=minutes)
        for school in district.build(1, now).schools:
            for room in school.rooms:
                timetable.parse(room.timetable)
