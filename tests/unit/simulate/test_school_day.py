"""A simulated day: the same for the same seed, on school days only, and with its mishaps."""

from __future__ import annotations

from datetime import date, timedelta

from phongmay_simulate import population, school_day
from phongmay_simulate.district import Role

FRIDAY = date(2026, 11, 27)
PEOPLE = population.build(5, 20, 60)


def test_the_same_seed_gives_the_same_schools_and_the_same_day() -> None:
    """A figure that came of a simulation can be had again."""
    assert population.build(5, 20, 60) == PEOPLE
    assert population.build(6, 20, 60) != PEOPLE
    for member in PEOPLE.speakers():
        assert school_day.stays(member, 5, FRIDAY) == school_day.stays(member, 5, FRIDAY)


def test_every_kind_of_trouble_is_there() -> None:
    """A population that lacks a fault proves nothing about it; twelve hundred PCs have all of them."""
    members = [member for school in PEOPLE.schools for member in school.members]
    assert set(population.FAULTS) <= {member.role for member in members}
    assert any(member.frozen for member in members)
    assert any(member.left_on for member in members)
    assert sum(bool(member.watches) for member in members) == 20
    assert any(school_day.line_cuts(school, 5, FRIDAY) for school in PEOPLE.schools)
    stays = [stay for member in members for stay in school_day.stays(member, 5, FRIDAY)]
    assert any(not stay.cleanly for stay in stays)
    assert len({member.id for member in members}) == len(members)


def test_a_healthy_population_has_none() -> None:
    """Benches of rate want equal devices."""
    members = list(population.build(5, 4, 50, faults=False, gateways=False).speakers())
    assert {member.role for member in members} == {Role.STANDARD}
    assert not any(member.frozen or member.left_on for member in members)


def test_nobody_is_at_school_on_sunday_but_what_never_sleeps() -> None:
    """Switch-offs follow the timetable: five whole days, Saturday morning, no Sunday."""
    pc = next(m for m in PEOPLE.speakers() if m.kind == "pc" and m.role is Role.STANDARD and not m.left_on)
    days = [FRIDAY + timedelta(days=ago) for ago in range(3)]
    most = [max(len(school_day.stays(pc, seed, day)) for seed in range(30)) for day in days]
    assert most == [2, 1, 0]
    gateway = next(m for m in PEOPLE.speakers() if m.watches)
    assert len(school_day.stays(gateway, 5, days[2])) == 1


def test_stays_lie_in_order_within_the_day() -> None:
    """A PC is never on twice at once."""
    hours = school_day.window(FRIDAY)
    for member in PEOPLE.speakers():
        stays = school_day.stays(member, 5, FRIDAY)
        edges = [edge for stay in stays for edge in (stay.start, stay.end)]
        assert edges == sorted(edges)
        assert all(hours.start <= edge <= hours.end for edge in edges)
