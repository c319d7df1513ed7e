"""What a day brings to the devices of a simulated school: when each is on, how it ends, and when the line is cut.

Population, seed and date go in, stretches of true time come out; the same seed gives the same day. Nothing is sent.
PCs are on in the shifts of the timetable, a little before and after; some are absent from a shift, some left on all
day, some lose their plug in the middle of class. A gateway never sleeps.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from phongmay_simulate.district import LOCAL, Role
from phongmay_simulate.population import Member, SimulatedSchool

SHIFTS = ((time(7, 15), time(11, 30)), (time(13, 30), time(16, 45)))
"""Monday to Friday both, Saturday the first; local time."""
OPENS, CLOSES = time(6, 30), time(17, 30)
"""The hours that a played day covers."""
ABSENT = 0.04
"""Chance that a PC stays off for a whole shift."""
CUT_CHANCE = 0.15
"""Chance that the Internet line of a school is cut once in a day."""
_MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time (true, seconds since 1970 UTC) in which something is so.

    Attributes:
        start: when it begins.
        end: when it ends.
        cleanly: whether a PC that was on said goodbye at its end.
    """

    start: float
    end: float
    cleanly: bool = True


def window(day: date) -> Stretch:
    """Give the hours of a day that are played."""
    return Stretch(_at(day, OPENS), _at(day, CLOSES))


def midnight(day: date) -> float:
    """Give when a local date begins."""
    return _at(day, time(0))


def shifts(day: date) -> Iterator[Stretch]:
    """Give the shifts of a day; none on Sunday."""
    count = (2, 2, 2, 2, 2, 1, 0)[day.weekday()]
    return (Stretch(_at(day, start), _at(day, end)) for start, end in SHIFTS[:count])


def stays(member: Member, seed: int, day: date, *, around_the_clock: bool = False) -> list[Stretch]:
    """Give when a device is on, in order; empty for one that never reports.

    Args:
        member: the device.
        seed: of the simulation.
        day: local date.
        around_the_clock: what never sleeps is on from midnight to midnight, not only in the played hours.
    """
    whole = Stretch(_at(day, time(0)), _at(day + timedelta(1), time(0))) if around_the_clock else window(day)
    if member.role is Role.SILENT or member.kind == "router":
        return []
    if member.kind == "gateway" or member.left_on:
        return [whole]
    chance = random.Random(f"{seed}/{member.id}/{day}")  # noqa: S311 a reproducible sample, nothing secret
    out = []
    for shift in shifts(day):
        absent, early, late, plug = (chance.random() for _ in range(4))
        if absent < ABSENT:
            continue
        start, end = shift.start - (early * 20 - 5) * _MINUTE, shift.end + late * 10 * _MINUTE
        if member.role is Role.WENT_SILENT and plug < 0.5:
            out.append(Stretch(start, start + (end - start) * (0.2 + plug), cleanly=False))
        else:
            out.append(Stretch(start, end))
    return out


def line_cuts(school: SimulatedSchool, seed: int, day: date) -> list[Stretch]:
    """Give when a school's Internet line is cut on a day: once at most, for 5 to 45 minutes."""
    chance = random.Random(f"{seed}/{school.id}/{day}")  # noqa: S311 as above
    if chance.random() >= CUT_CHANCE:
        return []
    hours = window(day)
    start = chance.uniform(hours.start + 1800, hours.end - 3600)
    return [Stretch(start, start + chance.uniform(5, 45) * _MINUTE)]


def _at(day: date, clock: time) -> float:
    return datetime.combine(day, clock, LOCAL).astimezone(UTC).timestamp()
