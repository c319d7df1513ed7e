"""Every fact that a rule may read: name, unit, subject, freshness, source and a sentence; nothing else is a fact.

`Found` is what the domain functions give: a value, or the reason why there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from phongmay_contract.units import Unit
from phongmay_rules.reasons import Reason
from phongmay_store.register.compliance import SubjectKind

DAY = 86400.0


class Source(StrEnum):
    """Where a fact comes from."""

    MEASURED = "measured"
    DECLARED = "declared"
    DERIVED = "derived"


@dataclass(frozen=True, slots=True)
class FactKind:
    """A declared fact.

    Attributes:
        freshness_s: age at which a value is stale; a row is written anew when it is half as old. None = the fact is
            computed by every evaluation, so the run row itself confirms it and only changes are written.
        detail_matters: a different detail is a different fact (not only a different value).
        vi: sentence for pages and reports.
        en: the same in English.
    """

    name: str
    unit: Unit
    subject: SubjectKind
    source: Source
    freshness_s: float | None
    vi: str
    en: str
    detail_matters: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """What was found for one fact of one subject.

    Attributes:
        value: number or word; None with `missing` = why.
        at: true time that it is about.
        sources: envelope ids or register rows.
        detail: what a person needs to follow the derivation.
    """

    name: str
    value: float | str | None
    at: float
    missing: Reason | None = None
    sources: tuple[str, ...] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)


def missing(name: str, reason: Reason, at: float, *, sources: tuple[str, ...] = (), **detail: Any) -> Found:
    """Say that a fact has no value, and why."""
    return Found(name, None, at, reason, sources, detail)


_DEVICE, _ROOM, _SCHOOL = SubjectKind.DEVICE, SubjectKind.ROOM, SubjectKind.SCHOOL
_MONTH = 30 * DAY
"""Hardware seldom changes, and a school may be closed for weeks (Tết, summer)."""

FACTS: Mapping[str, FactKind] = {
    kind.name: kind
    for kind in (
        FactKind(
            "ram_marketed_bytes", Unit.BYTE, _DEVICE, Source.MEASURED, _MONTH,
            "Dung lượng RAM theo cỡ bán trên thị trường", "Memory as marketed",
        ),
        FactKind(
            "cpu_bits", Unit.BIT, _DEVICE, Source.MEASURED, _MONTH,
            "Độ rộng thanh ghi của bộ xử lý", "Width of the processor's registers",
        ),
        FactKind(
            "cpu_threads", Unit.COUNT, _DEVICE, Source.MEASURED, _MONTH,
            "Số luồng xử lý của bộ xử lý", "Logical processors",
        ),
        FactKind(
            "system_disk_marketed_bytes", Unit.BYTE, _DEVICE, Source.MEASURED, _MONTH,
            "Dung lượng ổ đĩa hệ thống theo cỡ bán trên thị trường", "System disk as marketed",
        ),
        FactKind(
            "os_support_days_left", Unit.DAY, _DEVICE, Source.DERIVED, _MONTH,
            "Số ngày còn được hãng hỗ trợ hệ điều hành", "Days of vendor support left for the operating system",
            detail_matters=True,
        ),
        FactKind(
            "link_speed_bps", Unit.BIT_PER_SECOND, _DEVICE, Source.MEASURED, 7 * DAY,
            "Tốc độ cổng mạng có dây ra Internet", "Speed of the wired interface that leads to the Internet",
            detail_matters=True,
        ),
        FactKind(
            "internet_reach_ratio", Unit.RATIO, _DEVICE, Source.DERIVED, None,
            "Tỉ lệ thời gian truy cập được Internet trong giờ sử dụng của ngày học gần nhất",
            "Share of the known time in use of the last school day in which the Internet was reached",
        ),
        FactKind(
            "internet_known_s", Unit.SECOND, _DEVICE, Source.DERIVED, None,
            "Thời gian có số liệu truy cập Internet trong giờ sử dụng của ngày học gần nhất",
            "Time in use of the last day about which something is known",
        ),
        FactKind(
            "internet_coverage_ratio", Unit.RATIO, _DEVICE, Source.DERIVED, None,
            "Tỉ lệ giờ sử dụng của ngày học gần nhất có số liệu",
            "Known part of the time in use of the last school day",
        ),
        FactKind(
            "heard", Unit.NONE, _DEVICE, Source.DERIVED, None,
            "Đã từng nhận dữ liệu từ máy", "The device was heard at least once",
        ),
        FactKind(
            "silent_expected_s", Unit.SECOND, _DEVICE, Source.DERIVED, None,
            "Thời gian im lặng tính trong giờ sử dụng", "Silence, counted in time in use only",
        ),
        FactKind(
            "reported_7d", Unit.NONE, _DEVICE, Source.DERIVED, None,
            "Máy có gửi dữ liệu trong 7 ngày qua", "The device reported within the last 7 days",
        ),
        FactKind(
            "class_size", Unit.COUNT, _ROOM, Source.DECLARED, None,
            "Sĩ số lớp đông nhất học tại phòng", "Size of the largest class taught in the room",
        ),
        FactKind(
            "computer_rooms", Unit.COUNT, _SCHOOL, Source.DECLARED, None,
            "Số phòng Tin học đã đăng ký", "Registered computer rooms",
        ),
    )
}  # fmt: skip
"""Every fact by name."""
