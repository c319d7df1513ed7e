"""Facts about whether a machine still speaks: presence and hours go in, heard, silence and reported come out.

Silence counts only in time in use, so a PC that is switched off after class is silent for zero seconds. It is
rounded DOWN (`quantised`), so that a healthy machine writes no fact and a silent one only a few an hour.
"""

from __future__ import annotations

import math

from phongmay_rules.facts.catalogue import DAY, SPAN_S, Found, Span
from phongmay_store.register.calendar_hours import ageing_of
from phongmay_store.register.timetable import Hours
from phongmay_store.series.interface import Presence, Row

DEFAULT_INTERVAL_S = 60.0
REPORTED_S = SPAN_S[Span.WEEK]
"""Of age by the room's hours: after Tết a PC is not held to have vanished."""
SILENCE_MAX_S = 60 * DAY
"""Silence is not looked at further back than this: it is long enough for every limit."""
STEPS_PER_DOUBLING = 8


def interval_of(row: Row | None) -> float:
    """Give the seconds between the rounds of an agent, as it last told them."""
    interval = row.values.get("interval_s") if row else None
    return interval if isinstance(interval, float) and interval > 0 else DEFAULT_INTERVAL_S


def quantised(seconds: float, interval: float) -> float:
    """Round silence down: below two intervals to 0, else to a whole interval or an eighth of its power of two.

    Args:
        seconds: silence in time in use.
        interval: seconds between rounds.

    Returns:
        At most `seconds`, and at least 7/8 of it less one interval; never falls when `seconds` grows.
    """
    if seconds < 2 * interval:
        return 0.0
    step = max(interval, 2.0 ** math.floor(math.log2(seconds)) / STEPS_PER_DOUBLING)
    return math.floor(seconds / step) * step


def presence_facts(presence: Presence | None, hours: Hours, since: float, interval: float, at: float) -> list[Found]:
    """Give heard, silent_expected_s and reported_7d.

    Args:
        presence: what is known of its sessions; None = never heard.
        hours: when its room is in use.
        since: since when the agent is expected to report.
        interval: seconds between its rounds.
        at: time of the evaluation.
    """
    start = max(since, at - SILENCE_MAX_S, presence.last_seen if presence else since)
    # Nearly every machine spoke just now; the hours are only asked about the others.
    is_quiet = at - start >= 2 * interval
    silence = hours.expected_seconds(start, at) if is_quiet else 0.0
    sources: tuple[str, ...] = (f"series:presence/{presence.device}/{presence.session}",) if presence else ()
    sources += hours.sources(start, at) if is_quiet else ()
    detail = {"last_seen": presence.last_seen, "state": presence.state} if presence else {"expected_since": since}
    reported = has_reported(presence, hours, at)
    return [
        Found("heard", 1 if presence else 0, at, None, sources, detail),
        Found("silent_expected_s", quantised(silence, interval), at, None, sources, detail),
        Found("reported_7d", 1 if reported else 0, at, None, sources, detail),
    ]


def has_reported(presence: Presence | None, hours: Hours, at: float) -> bool:
    """Tell whether a device reported within the last week of use."""
    if presence is None:
        return False
    return not ageing_of(hours).is_older(presence.last_seen, at, REPORTED_S)
