"""Writes seeded days of the past straight into a series store, as a collector would have: for pages, benches, replays.

A population, an open writer and days go in; rows, minute masks, offsets, presence and the minutes in which a collector
could hear come out, through the store's own interface, so that it works on every engine and roll-ups are the store's
own. Days that are `full` hold every round as an agent sends it; older ones hold what roll-ups rest on (reach each
minute, everything else each tenth). Identities are seeded: the same history written again changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from phongmay_contract.envelope import GOODBYE, LOST, ONLINE, Envelope
from phongmay_contract.topics import Kind
from phongmay_simulate import school_day
from phongmay_simulate.agent import VERSION
from phongmay_simulate.machine import Machine, watched
from phongmay_simulate.playing import BOOT_S
from phongmay_simulate.population import Member, Population
from phongmay_simulate.school_day import Stretch
from phongmay_store.series.interface import Arrival, Presence, RunOffset, SeriesWriter, TimeBasis

BATCH = 5000
"""Envelopes of one write."""
THIN = 10
"""In days that are not full, the round that holds everything is each tenth."""
_DELAY_S = 0.2
_DAY_S = 86400


@dataclass(slots=True)
class Written:
    """What was written so far."""

    days: int = 0
    envelopes: int = 0


def write(
    series: SeriesWriter,
    people: Population,
    days: Sequence[date],
    *,
    full: int,
    until: float,
    interval_s: float = 60.0,
    each_day: Callable[[Written], None] = lambda _: None,
) -> Written:
    """Write days, oldest first, each followed by the store's housekeeping as of its end.

    Args:
        series: the store, opened for writing by nobody else.
        people: whose past it is.
        days: local dates in ascending order.
        full: so many of the last ones hold every round in full.
        until: true time behind which nothing happens (now, on the last day).
        interval_s: seconds between rounds.
        each_day: called when a day is done.
    """
    done = Written()
    for number, day in enumerate(days):
        whole = number >= len(days) - full
        midnight = school_day.midnight(day)
        end = min(midnight + _DAY_S, until)
        series.listened(midnight + 60.0 * minute for minute in range(int((end - midnight) // 60)))
        arrivals: list[Arrival] = []
        offsets: list[RunOffset] = []
        presence: list[Presence] = []
        for school in people.schools:
            for member in school.speakers():
                last = None
                for boot, stay in enumerate(school_day.stays(member, people.seed, day, around_the_clock=True), 1):
                    if stay.start >= end:
                        break
                    run = _run(people.seed, member, day, boot)
                    machine = Machine(member.role, member.id, BOOT_S, stay.start)
                    offsets.append(RunOffset(member.id, run, stay.start - BOOT_S, TimeBasis.LIVE))
                    arrivals += _rounds(member, machine, run, stay, end, interval_s, whole)
                    last = (stay, run)
                if last is not None:
                    presence.append(_presence(member, *last, end))
                if len(arrivals) >= BATCH:
                    done.envelopes += _flush(series, arrivals, offsets, presence)
        done.envelopes += _flush(series, arrivals, offsets, presence)
        while series.maintain(end):
            pass
        done.days += 1
        each_day(done)
    return done


def last_days(count: int, until: date) -> list[date]:
    """Give so many local dates that end with `until`."""
    return [until - timedelta(days=ago) for ago in range(count - 1, -1, -1)]


def _flush(series: SeriesWriter, arrivals: list[Arrival], offsets: list[RunOffset], presence: list[Presence]) -> int:
    series.settle(offsets)
    for start in range(0, len(arrivals), BATCH):
        series.write(arrivals[start : start + BATCH])
    series.write((), presence=presence)
    count = len(arrivals)
    arrivals.clear()
    offsets.clear()
    presence.clear()
    return count


def _rounds(
    member: Member, machine: Machine, run: str, stay: Stretch, until: float, interval_s: float, whole: bool
) -> Iterator[Arrival]:
    inventory = Envelope(Kind.INVENTORY, member.id, run, 1, machine.instant(stay.start), VERSION, machine.inventory())
    yield Arrival(inventory, stay.start, TimeBasis.LIVE, stay.start + _DELAY_S)
    end = min(stay.end, until)
    for number in range(int((end - stay.start) // interval_s)):
        at = stay.start + number * interval_s + 1.0
        groups = machine.round(interval_s)
        if not whole and number % THIN:
            groups = tuple(group for group in groups if group.part == "internet")
        elif member.watches:
            groups = (*groups, watched(member.watches, number + 1))
        envelope = Envelope(Kind.ROUND, member.id, run, number + 2, machine.instant(at), VERSION, groups)
        yield Arrival(envelope, at, TimeBasis.LIVE, at + _DELAY_S)


def _presence(member: Member, stay: Stretch, run: str, until: float) -> Presence:
    state = ONLINE if stay.end > until else GOODBYE if stay.cleanly else LOST
    end = min(stay.end, until)
    return Presence(member.id, state, run, run, stay.start if state == ONLINE else end, end, VERSION)


def _run(seed: int, member: Member, day: date, boot: int) -> str:
    return hashlib.sha256(f"history/{seed}/{member.id}/{day}/{boot}".encode()).hexdigest()[:16]
