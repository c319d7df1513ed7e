"""Four scores for a school's data, in the plan's own words: sống (alive), sạch (clean), đủ (complete), đúng (right).

In: register and series of one instant. Out: for each school and score a numerator, a denominator and what is not known;
never a bare percentage. Nothing is written and no rule reads a score. A store that cannot be read raises StoreError.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from phongmay_contract.topics import ROOT
from phongmay_rules.facts.catalogue import BY_AGENT, DAY, Source
from phongmay_rules.facts.network import Expected, last_day
from phongmay_rules.places import DevicePlace, Organisation, SchoolPlace, read_organisation
from phongmay_rules.standing import find_unit
from phongmay_rules.summary import newest_runs
from phongmay_store.register.base import utc_now
from phongmay_store.register.compliance import CurrentFact, Fact
from phongmay_store.register.device import Device, DeviceState
from phongmay_store.register.timetable import TimetableError, parse
from phongmay_store.series.interface import SeriesReader

SEEN_DAYS = 7
_LETTERS = 1000


class Score(StrEnum):
    """The four words."""

    ALIVE = "song"
    CLEAN = "sach"
    COMPLETE = "du"
    RIGHT = "dung"


@dataclass(frozen=True, slots=True)
class Definition:
    """What a score counts, in both languages."""

    word_vi: str
    word_en: str
    vi: str
    en: str


DEFINITIONS: Mapping[Score, Definition] = {
    Score.ALIVE: Definition(
        "Sống", "Alive",
        "số phút có dữ liệu / số phút phòng được sử dụng trong ngày học gần nhất, cộng theo các máy có tác tử đang sử "
        "dụng; chưa rõ: phút của máy không có tác tử hoặc có hai máy dùng chung định danh",
        "minutes with data / minutes in use of the last school day, over all devices in service with an agent; "
        "unknown: minutes of devices without an agent or with an identity conflict",
    ),
    Score.CLEAN: Definition(
        "Sạch", "Clean",
        "số máy có dữ liệu sạch / số máy đã gửi dữ liệu; không sạch: hai máy dùng chung định danh, không có dấu vân "
        "tay phần cứng (mọi mã đều là mã rác), trùng dấu vân tay với máy khác, có bản tin bị từ chối hoặc có giá "
        "trị ngoài giới hạn vật lý trong 7 ngày; chưa rõ: máy có tác tử nhưng chưa từng gửi bản ghi phần cứng",
        "devices with clean data / devices that sent a hardware record; not clean: identity conflict, no hardware "
        "fingerprint (all ids are junk), the fingerprint of another device, a refused message or a value out of "
        "physical range within 7 days; "
        "unknown: devices with an agent that never sent a hardware record",
    ),
    Score.COMPLETE: Definition(
        "Đủ", "Complete",
        "số máy gửi dữ liệu trong 7 ngày / số máy đã đăng ký có tác tử; chưa rõ: máy đã đăng ký nhưng không có tác tử",
        "devices seen within 7 days / registered devices with an agent; unknown: registered devices without an agent",
    ),
    Score.RIGHT: Definition(
        "Đúng", "Right",
        "số điều đã ghi khớp với số đo / số điều so được: trạng thái trong sổ đăng ký của từng máy và từng giá trị đã "
        "khai báo có số đo bên cạnh; không khớp: máy ghi là đang sửa, đã thanh lý hoặc không có tác tử mà vẫn gửi dữ "
        "liệu trong 7 ngày, hoặc giá trị khai báo khác số đo; chưa rõ: máy không gửi dữ liệu, giá trị khai báo chưa "
        "có số đo để so",
        "entries that agree with what was measured / entries that can be compared: the registered state of each device "
        "and each declared value with a measurement beside it; not agreeing: registered as in repair, retired or "
        "without an agent, yet seen within 7 days, or declared otherwise than measured; unknown: devices that were not "
        "seen, declared values with nothing measured beside them",
    ),
}  # fmt: skip

FAULTS: Mapping[str, tuple[str, str]] = {
    "identity_conflict": ("hai máy chung một danh tính", "two machines with one identity"),
    "no_fingerprint": ("không có dấu vân tay phần cứng", "no hardware fingerprint"),
    "shared_fingerprint": ("trùng dấu vân tay với máy khác", "the fingerprint of another device"),
    "refused_messages": ("có bản tin bị từ chối", "messages were refused"),
    "out_of_range": ("có giá trị ngoài giới hạn vật lý", "values out of physical range"),
    "not_seen": ("không gửi dữ liệu trong 7 ngày", "sent nothing within 7 days"),
    "seen_in_repair": ("ghi là đang sửa mà vẫn gửi dữ liệu", "registered as in repair, yet it sends data"),
    "seen_without_agent": (
        "ghi là không có tác tử mà vẫn gửi dữ liệu",
        "registered without an agent, yet it sends data",
    ),
    "seen_retired": ("ghi là đã thanh lý mà vẫn gửi dữ liệu", "registered as retired, yet it sends data"),
    "declared_differs": ("khai báo khác số đo", "declared otherwise than measured"),
}
"""What may be wrong with data, Vietnamese and English."""


@dataclass(slots=True)
class Share:
    """A score as counts.

    Attributes:
        good: numerator.
        total: denominator: only what is known.
        unknown: what could not be judged; it is in neither.
        faults: how often each fault was met (one device may have several).
    """

    good: int = 0
    total: int = 0
    unknown: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    @property
    def ratio(self) -> float | None:
        """Good share of what is known; None = nothing is known."""
        return self.good / self.total if self.total else None

    @property
    def unknown_ratio(self) -> float | None:
        """Unknown share of everything; None = there is nothing at all."""
        whole = self.total + self.unknown
        return self.unknown / whole if whole else None

    def count(self, faults: Iterable[str]) -> None:
        """Count one known thing with its faults; without any it is good."""
        found = list(faults)
        self.total += 1
        self.good += not found
        self.faults.update(found)

    def add(self, other: Share) -> None:
        """Add the counts of another one."""
        self.good += other.good
        self.total += other.total
        self.unknown += other.unknown
        self.faults += other.faults


@dataclass(frozen=True, slots=True)
class Quality:
    """The four scores of one school.

    Attributes:
        evaluated_at: newest evaluation of the school; None = never.
        engine_stopped: it was never evaluated, or so long ago that no verdict is vouched for (three intervals).
    """

    unit_id: str
    name: str
    scores: Mapping[Score, Share]
    evaluated_at: datetime | None = None
    engine_stopped: bool = False


def quality(
    session: Session, series: SeriesReader, unit: str | None = None, *, at: datetime | None = None
) -> list[Quality]:
    """Score every school of a unit.

    Args:
        session: the register; only read.
        series: reader of the series store.
        unit: id, or issuer:value; None = all.
        at: the present (default: now).

    Raises:
        OperatorError: there is no such unit.
    """
    moment = at or utc_now()
    organisation = read_organisation(session, moment)
    root = None if unit is None else find_unit(session, organisation, unit)
    seen = _Seen.read(series, _registered(organisation), moment.timestamp())
    retired: dict[str, list[str]] = {}
    for device in session.scalars(Device.at(moment).where(Device.state == DeviceState.RETIRED)):
        retired.setdefault(device.school_id, []).append(device.id)
    schools = [
        school for school in organisation.schools.values() if root is None or root in organisation.ancestry(school.id)
    ]
    declared = _declared(session, [school.id for school in schools])
    runs = newest_runs(session)
    found = []
    for school in schools:
        scores = _scores(school, retired.get(school.id, ()), series, seen)
        scores[Score.RIGHT].add(declared.get(school.id, Share()))
        run = runs.get(school.id)
        stopped = run is None or moment - run[0] > timedelta(seconds=run[1])
        found.append(Quality(school.id, school.name, scores, run[0] if run else None, stopped))
    return found


def clean(session: Session, series: SeriesReader, *, at: datetime | None = None) -> dict[str, Share]:
    """Give the score CLEAN of every school alone, which is far cheaper: nothing is asked school by school.

    Args:
        session: the register; only read.
        series: reader of the series store.
        at: the present (default: now).
    """
    moment = at or utc_now()
    organisation = read_organisation(session, moment)
    seen = _Seen.read(series, _registered(organisation), moment.timestamp())
    return {school.id: _clean(school, seen) for school in organisation.schools.values()}


def _registered(organisation: Organisation) -> set[str]:
    return {device.id for school in organisation.schools.values() for device in school.devices}


def _declared(session: Session, units: list[str]) -> dict[str, Share]:
    """Compare what was declared with what was measured, by school: each value that was declared counts once."""
    out: dict[str, Share] = {}
    rows = session.execute(
        select(CurrentFact.unit_id, Fact.name, Fact.source, Fact.detail)
        .join(Fact, Fact.id == CurrentFact.fact_id)
        .where(CurrentFact.unit_id.in_(units))
    )
    for unit, name, source, detail in rows:
        share = out.setdefault(unit, Share())
        if "disagrees" in detail:
            share.count(["declared_differs"] if detail["disagrees"] else [])
        elif "declared" in detail or (source == Source.DECLARED and name in BY_AGENT):
            share.unknown += 1
    return out


def total(found: Iterable[Quality]) -> dict[Score, Share]:
    """Add up schools: sums of counts, never a mean of shares."""
    sums = {score: Share() for score in Score}
    for school in found:
        for score, share in school.scores.items():
            sums[score].add(share)
    return sums


@dataclass(frozen=True)
class _Seen:
    """What the series know of all devices.

    Attributes:
        fingerprints: of every registered device that sent a hardware record; "" = it has none.
        times: how many devices have a fingerprint.
        last: newest sign of life.
        refused: devices with a dead letter within the last days.
        impossible: when a device last sent a value that is physically impossible.
    """

    at: float
    fingerprints: Mapping[str, str]
    times: Mapping[str, int]
    last: Mapping[str, float]
    refused: frozenset[str]
    impossible: Mapping[str, float]

    @classmethod
    def read(cls, series: SeriesReader, registered: Collection[str], at: float) -> _Seen:
        rows = series.latest("hardware", registered)  # a retired device may be the same machine under its old id
        fingerprints = {row.device: str(row.values.get("fingerprint") or "") for row in rows}
        last = {presence.device: presence.last_seen for presence in series.presence()}
        return cls(
            at,
            fingerprints,
            Counter(fingerprints.values()),
            last,
            frozenset(_refused(series, at)),
            series.out_of_range_devices(),
        )

    def recently(self, device: str) -> bool:
        return self.last.get(device, float("-inf")) >= self.at - SEEN_DAYS * DAY

    def faults(self, device: DevicePlace) -> list[str]:
        fingerprint = self.fingerprints[device.id]
        found = {
            "identity_conflict": device.in_conflict,
            "no_fingerprint": not fingerprint,
            "shared_fingerprint": bool(fingerprint) and self.times[fingerprint] > 1,
            "refused_messages": device.id in self.refused,
            "out_of_range": self.impossible.get(device.id, float("-inf")) >= self.at - SEEN_DAYS * DAY,
        }
        return [name for name, is_so in found.items() if is_so]


def _refused(series: SeriesReader, at: float) -> Iterable[str]:
    """Give the devices under whose topic a message was refused; the newest letters are kept only."""
    after = 0
    while letters := series.dead_letters(_LETTERS, after):
        after = letters[-1].id
        for letter in letters:
            pieces = letter.topic.removeprefix(f"{ROOT}/").split("/")
            if letter.received >= at - SEEN_DAYS * DAY and len(pieces) == 2:
                yield pieces[0]


def _scores(school: SchoolPlace, retired: Iterable[str], series: SeriesReader, seen: _Seen) -> dict[Score, Share]:
    scores = {score: Share() for score in Score}
    scores[Score.ALIVE] = _alive(school, series, seen.at)
    scores[Score.CLEAN] = _clean(school, seen)
    for device in school.devices:
        recently, has_agent = seen.recently(device.id), device.agent_since is not None
        if has_agent:
            scores[Score.COMPLETE].count([] if recently else ["not_seen"])
        else:
            scores[Score.COMPLETE].unknown += 1
        if recently:
            wrong = {"seen_in_repair": device.state == DeviceState.IN_REPAIR, "seen_without_agent": not has_agent}
            scores[Score.RIGHT].count(name for name, is_so in wrong.items() if is_so)
        else:
            scores[Score.RIGHT].unknown += 1
    for device_id in retired:
        if seen.recently(device_id):
            scores[Score.RIGHT].count(["seen_retired"])
    return scores


def _clean(school: SchoolPlace, seen: _Seen) -> Share:
    share = Share()
    for device in school.devices:
        if device.agent_since is None:
            continue
        if device.id in seen.fingerprints:
            share.count(seen.faults(device))
        else:
            share.unknown += 1
    return share


def _alive(school: SchoolPlace, series: SeriesReader, at: float) -> Share:
    share = Share()
    days: dict[str, Expected | None] = {}
    for text in {device.timetable for device in school.devices}:
        try:
            hours = school.calendar.cut(parse(text))
            days[text] = None if hours.expired(at) else last_day(hours, at)
        except TimetableError:
            days[text] = None
    due = [(d, day) for d in school.devices if d.state == DeviceState.IN_SERVICE and (day := days[d.timetable])]
    known = {device.id for device, _ in due if device.agent_since is not None and not device.in_conflict}
    masks: dict[tuple[str, int], int] = {}
    if known:
        start, end = min(day.start for _, day in due), max(day.end for _, day in due)
        masks = {(hour.device, hour.hour): hour.seen for hour in series.minutes(start, end, known)}
    for device, day in due:
        wanted = day.since(device.agent_since or day.start)
        minutes = sum(mask.bit_count() for mask in wanted.values())
        if device.id in known:
            share.total += minutes
            share.good += sum((masks.get((device.id, hour), 0) & mask).bit_count() for hour, mask in wanted.items())
        else:
            share.unknown += minutes
    return share
