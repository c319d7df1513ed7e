"""A school's Internet over 30 days: what its machines found minute by minute goes in, three facts come out.

A minute counts when it was expected that some room with an agent is in use. It is known when any machine of the school
tried the Internet target in it, and up when any machine reached it: a machine that fails beside one that gets through
tells of itself, not of the line. A machine that does so often (`SET_ASIDE`) makes no minute known when it is alone
either. Of minutes in which nobody tried nothing follows, whether the machines were off or nobody could hear them; what
spools bring later counts. Nothing can go wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from re import finditer
from struct import unpack

from phongmay_rules.facts.availability import Month, Tally, following, found, steps_of
from phongmay_rules.facts.catalogue import Found
from phongmay_rules.places import DevicePlace
from phongmay_store.series.interface import Strips
from phongmay_store.series.strips import PLACES, hours_between

NAMES = (
    "line_availability_month_ratio", "line_availability_month_known_s", "line_availability_month_coverage_ratio",
)  # fmt: skip
RATIO_STEPS = 1000
"""The share is rounded DOWN to thousandths: what is demanded is 99.5 %."""
SET_ASIDE = 0.1
"""A machine that failed in more than this share of its tries while the school was online is not believed when it fails
alone; unless more than half of the machines do, for then it is not the machines."""
_QUIET_HOUR = "0" * 60


@dataclass(frozen=True, slots=True)
class LineTally(Tally):
    """Minutes of a school's Internet.

    Attributes:
        machines: tried at all.
        set_aside: of these, were not believed.
        outage: begin and end of the longest stretch of minutes that are known to be down; None = there is none.
    """

    machines: int
    set_aside: int
    outage: tuple[float, float] | None


def count(
    devices: Iterable[DevicePlace],
    strips: Mapping[str, Strips],
    month_of: Callable[[str], Month | None],
    interval_of: Callable[[str], float],
) -> LineTally | None:
    """Count the minutes of a school's Internet; None = there is no machine with an agent and readable hours.

    Args:
        devices: the machines of the school.
        strips: their minutes in the window.
        month_of: the month of a timetable; None = it cannot be read, or its calendar has run out.
        interval_of: seconds between the rounds of a device.
    """
    able = [device for device in devices if device.agent_since is not None and not device.in_conflict]
    since: dict[str, float] = {}
    for device in able:
        since[device.timetable] = min(device.agent_since or 0.0, since.get(device.timetable, float("inf")))
    months = [(month, moment) for text, moment in since.items() if (month := month_of(text)) is not None]
    if not months:
        return None
    expected = reduce(or_, (month.expected_from(moment) for month, moment in months))
    tried = [own for device in able if (own := strips.get(device.id)) and (own.reachable or own.unreachable)]
    reached = reduce(or_, (own.reachable for own in tried), 0)
    believed = _believed(tried, reached & expected, expected)
    heard = reduce(or_, (own.unreachable for own in believed), 0)
    heard |= reached if believed is tried else reduce(or_, (own.reachable for own in believed), 0)
    interval = min((interval_of(device.id) for device in able if device.id in strips), default=60.0)
    known, up = _filled(heard & expected, reached & heard & expected, steps_of(interval))
    known, up = known & expected, up & expected
    start, end = months[0][0].start, months[0][0].end
    begin = max(start, min(moment for _, moment in months))
    return LineTally(
        begin, end, expected.bit_count(), known.bit_count(), up.bit_count(), len(tried), len(tried) - len(believed),
        _longest(known ^ up, start, end),
    )  # fmt: skip


def facts(counted: LineTally, calendar: Sequence[str], at: float) -> list[Found]:
    """Give share, known time and coverage of a school's Internet.

    Args:
        counted: the minutes.
        calendar: entries that had a say in what was expected.
        at: time of the evaluation.
    """
    more: dict[str, float] = {"machines": counted.machines, "machines_set_aside": counted.set_aside}
    if counted.outage is not None:
        more |= {"longest_outage_from": counted.outage[0], "longest_outage_to": counted.outage[1]}
    return found(NAMES, counted, calendar, at, RATIO_STEPS, more)


def _believed(tried: Sequence[Strips], online: int, expected: int) -> Sequence[Strips]:
    """Leave out the machines that fail by themselves, while others of the school get through."""
    odd = set()
    for number, own in enumerate(tried):
        failed = (own.unreachable & ~own.reachable & online).bit_count() if own.unreachable else 0
        if failed > SET_ASIDE * (failed + (own.reachable & expected).bit_count() if failed else 0):
            odd.add(number)
    if not odd or 2 * len(odd) > len(tried):
        return tried
    return [own for number, own in enumerate(tried) if number not in odd]


def _filled(known: int, up: int, times: int) -> tuple[int, int]:
    """Let each known minute speak for the unknown ones behind it until the next round is due (see `vouched`)."""
    for _ in range(times):
        up |= following(up) & ~known
        known |= following(known)
    return known, up


def _longest(down: int, start: float, end: float) -> tuple[float, float] | None:
    """Give begin and end of the longest stretch; the earliest of equal ones."""
    if not down:
        return None
    hours = hours_between(start, end)
    cells = unpack(f"<{hours}Q", down.to_bytes(hours * PLACES // 8, "little"))
    minutes = "".join(f"{cell:060b}"[::-1] if cell else _QUIET_HOUR for cell in cells)
    longest = max(finditer("1+", minutes), key=lambda run: run.end() - run.start())
    return start + 60 * longest.start(), start + 60 * longest.end()
