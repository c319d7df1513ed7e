"""Every fact that a rule may read: name, unit, subject, window, freshness, coverage, source and a sentence.

Nothing else is a fact. Long because all of them stand in one table. `Found` is what the domain functions give: a value,
or the reason why there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from phongmay_bandwidth.analysis import LEAST_PARTICIPATION
from phongmay_contract.units import Unit
from phongmay_rules.reasons import Reason
from phongmay_store.register.compliance import SubjectKind

DAY = 86400.0


class Source(StrEnum):
    """Where a fact comes from."""

    MEASURED = "measured"
    DECLARED = "declared"
    DERIVED = "derived"


class Span(StrEnum):
    """Which time a value is about."""

    NOW = "now"
    LAST_DAY = "last_school_day"
    SINCE_HEARD = "since_last_heard"
    WEEK = "7d"
    MONTH = "30d"
    HELD = "92d"
    QUARTER = "quarter"
    LAST_QUARTER = "last_quarter"
    NOT_DECIDED = "not_decided"


SPAN_S: Mapping[Span, float] = {Span.WEEK: 7 * DAY, Span.MONTH: 30 * DAY, Span.HELD: 92 * DAY}
"""Length of the spans that have one."""
SPANS: Mapping[Span, tuple[str, str]] = {
    Span.NOW: ("hiện tại", "now"),
    Span.LAST_DAY: ("ngày học gần nhất", "last school day"),
    Span.SINCE_HEARD: ("từ lần nhận dữ liệu cuối", "since it was last heard"),
    Span.WEEK: ("7 ngày qua", "last 7 days"),
    Span.MONTH: ("30 ngày qua", "last 30 days"),
    Span.HELD: ("92 ngày qua", "last 92 days"),
    Span.QUARTER: ("quý này", "this quarter"),
    Span.LAST_QUARTER: ("quý đã kết thúc gần nhất", "last quarter that is over"),
    Span.NOT_DECIDED: ("chưa đo nên chưa định", "not measured yet, so not decided"),
}
"""In words, Vietnamese and English."""


class Behind(StrEnum):
    """What must stand behind a value."""

    MINUTES = "expected_minutes"
    PCS = "pcs_in_service"
    LOAD = "ordered_load"


BEHIND: Mapping[Behind, tuple[str, str]] = {
    Behind.MINUTES: ("số phút trong giờ sử dụng", "expected minutes"),
    Behind.PCS: ("số máy đang sử dụng", "PCs in service"),
    Behind.LOAD: ("lượng tải đã đặt", "ordered load"),
}
"""In words, Vietnamese and English."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """The least share of something that must be known; with less a fact has no value. A rule may ask for more."""

    of: Behind
    least: float


@dataclass(frozen=True, slots=True)
class FactKind:
    """A declared fact.

    Attributes:
        window: time that a value is about.
        freshness_s: age at which a value is stale; a row is written anew when it is half as old. None = the fact is
            computed by every evaluation, so the run row itself confirms it and only changes are written.
        coverage: how much must stand behind a value; None = it is whole or not there.
        measurable: False = nothing in this system measures it yet, so it is always missing, with that reason.
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
    measurable: bool = True
    window: Span = Span.NOW
    coverage: Coverage | None = None


@dataclass(slots=True)
class Found:
    """What was found for one fact of one subject. Not frozen, since that doubles what each of a city's millions costs.

    Attributes:
        value: number or word; None with `missing` = why.
        at: true time that it is about.
        sources: envelope ids or register rows.
        detail: what a person needs to follow the derivation.
        source: where this value comes from, if not from where the catalogue says (a declaration that stands in).
    """

    name: str
    value: float | str | None
    at: float
    missing: Reason | None = None
    sources: tuple[str, ...] = ()
    detail: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    source: Source | None = None


_NOTHING: Mapping[str, Any] = {}
"""One for all, so that it is written into JSON once."""


def missing(name: str, reason: Reason, at: float, *, sources: tuple[str, ...] = (), **detail: Any) -> Found:
    """Say that a fact has no value, and why."""
    return Found(name, None, at, reason, sources, detail or _NOTHING)


_DEVICE, _ROOM, _SCHOOL, _DISTRICT = SubjectKind.DEVICE, SubjectKind.ROOM, SubjectKind.SCHOOL, SubjectKind.DISTRICT
_MONTH = 30 * DAY
"""Hardware seldom changes, and a school may be closed for weeks (Tết, summer)."""
_TENTH = Coverage(Behind.MINUTES, 0.1)
"""Of less nobody can say how a machine did; rules ask for half unless an organisation set another share."""

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
            window=Span.LAST_DAY, coverage=_TENTH,
        ),
        FactKind(
            "internet_known_s", Unit.SECOND, _DEVICE, Source.DERIVED, None,
            "Thời gian có số liệu truy cập Internet trong giờ sử dụng của ngày học gần nhất",
            "Time in use of the last day about which something is known",
            window=Span.LAST_DAY,
        ),
        FactKind(
            "internet_coverage_ratio", Unit.RATIO, _DEVICE, Source.DERIVED, None,
            "Tỉ lệ giờ sử dụng của ngày học gần nhất có số liệu",
            "Known part of the time in use of the last school day",
            window=Span.LAST_DAY,
        ),
        FactKind(
            "heard", Unit.NONE, _DEVICE, Source.DERIVED, None,
            "Đã từng nhận dữ liệu từ máy", "The device was heard at least once",
        ),
        FactKind(
            "silent_expected_s", Unit.SECOND, _DEVICE, Source.DERIVED, None,
            "Thời gian im lặng tính trong giờ sử dụng", "Silence, counted in time in use only",
            window=Span.SINCE_HEARD,
        ),
        FactKind(
            "reported_7d", Unit.NONE, _DEVICE, Source.DERIVED, None,
            "Máy có gửi dữ liệu trong 7 ngày qua (không tính ngày nghỉ theo lịch)",
            "The device reported within the last 7 days (days off by the calendar not counted)",
            window=Span.WEEK,
        ),
        FactKind(
            "class_size", Unit.COUNT, _ROOM, Source.DECLARED, None,
            "Sĩ số lớp đông nhất học tại phòng", "Size of the largest class taught in the room",
        ),
        FactKind(
            "computer_rooms", Unit.COUNT, _SCHOOL, Source.DECLARED, None,
            "Số phòng Tin học đã đăng ký", "Registered computer rooms",
        ),
        FactKind(
            "system_volume_free_ratio", Unit.RATIO, _DEVICE, Source.MEASURED, 7 * DAY,
            "Phần dung lượng trống của ổ hệ thống", "Free share of the system volume",
        ),
        FactKind(
            "system_volume_free_bytes", Unit.BYTE, _DEVICE, Source.MEASURED, 7 * DAY,
            "Dung lượng trống của ổ hệ thống", "Free space of the system volume",
        ),
        FactKind(
            "screen_width_px", Unit.COUNT, _DEVICE, Source.DECLARED, None,
            "Số điểm ảnh theo chiều ngang của màn hình", "Screen width in pixels",
        ),
        FactKind(
            "screen_height_px", Unit.COUNT, _DEVICE, Source.DECLARED, None,
            "Số điểm ảnh theo chiều dọc của màn hình", "Screen height in pixels",
        ),
        FactKind(
            "availability_30d_ratio", Unit.RATIO, _DEVICE, Source.DERIVED, None,
            "Tỉ lệ sẵn sàng trong giờ sử dụng của 30 ngày",
            "Share of the known time in use of 30 days in which the machine was there",
            window=Span.MONTH, coverage=_TENTH,
        ),
        FactKind(
            "availability_30d_known_s", Unit.SECOND, _DEVICE, Source.DERIVED, None,
            "Thời gian biết được máy có sẵn sàng hay không trong giờ sử dụng của 30 ngày",
            "Time in use of 30 days of which it is known whether the machine was there",
            window=Span.MONTH,
        ),
        FactKind(
            "availability_30d_coverage_ratio", Unit.RATIO, _DEVICE, Source.DERIVED, None,
            "Tỉ lệ giờ sử dụng của 30 ngày có số liệu về sự sẵn sàng của máy",
            "Known part of the time in use of 30 days",
            window=Span.MONTH,
        ),
        FactKind(
            "record_fields_missing", Unit.COUNT, _DEVICE, Source.DERIVED, None,
            "Số mục còn thiếu trong hồ sơ số của thiết bị", "Fields missing in the digital record of the device",
            detail_matters=True,
        ),
        FactKind(
            "works_7d", Unit.NONE, _DEVICE, Source.DERIVED, None,
            "Máy đang sử dụng và có gửi dữ liệu trong 7 ngày qua",
            "The device is in service and reported within the last 7 days",
            window=Span.WEEK,
        ),
        FactKind(
            "area_m2", Unit.SQUARE_METRE, _ROOM, Source.DECLARED, None,
            "Diện tích phòng", "Area of the room",
        ),
        FactKind(
            "area_per_student_m2", Unit.SQUARE_METRE, _ROOM, Source.DERIVED, None,
            "Diện tích phòng tính trên một học sinh", "Area of the room for each pupil",
        ),
        FactKind(
            "has_display", Unit.NONE, _ROOM, Source.DECLARED, None,
            "Phòng có màn hình tương tác", "The room has an interactive display",
        ),
        FactKind(
            "has_teacher_pc", Unit.NONE, _ROOM, Source.DECLARED, None,
            "Phòng có máy tính giáo viên", "The room has a teacher's computer",
        ),
        FactKind(
            "has_internet", Unit.NONE, _ROOM, Source.DECLARED, None,
            "Phòng có Internet", "The room has Internet access",
        ),
        FactKind(
            "has_audio", Unit.NONE, _ROOM, Source.DECLARED, None,
            "Phòng có thiết bị âm thanh", "The room has audio equipment",
        ),
        FactKind(
            "has_camera", Unit.NONE, _ROOM, Source.DECLARED, None,
            "Phòng có máy quay", "The room has a camera",
        ),
        FactKind(
            "has_signal_equipment", Unit.NONE, _ROOM, Source.DECLARED, None,
            "Phòng có thiết bị thu phát tín hiệu", "The room has equipment that sends and receives signals",
        ),
        FactKind(
            "concurrent_pass_ratio", Unit.RATIO, _ROOM, Source.DERIVED, None,
            "Phần máy đang sử dụng đạt phép đo đồng thời trong quý",
            "Share of PCs in service that passed the concurrent test this quarter",
            window=Span.QUARTER, coverage=Coverage(Behind.PCS, 1.0),
        ),
        FactKind(
            "concurrent_p10_bps", Unit.BIT_PER_SECOND, _ROOM, Source.DERIVED, None,
            "Băng thông mỗi máy khi cả phòng cùng dùng (phân vị 10)",
            "Throughput of a PC while the whole room is busy (10th percentile)",
            window=Span.HELD, coverage=Coverage(Behind.PCS, LEAST_PARTICIPATION),
        ),
        FactKind(
            "uplink_speed_bps", Unit.BIT_PER_SECOND, _ROOM, Source.DERIVED, None,
            "Tốc độ đường lên của bộ chuyển mạch", "Speed of the switch's uplink",
            measurable=False,
            window=Span.NOT_DECIDED,
        ),
        FactKind(
            "uplink_busy_p95_ratio", Unit.RATIO, _ROOM, Source.DERIVED, None,
            "Mức chiếm dụng đường lên của bộ chuyển mạch (phân vị 95)",
            "Utilisation of the switch's uplink (95th percentile)",
            measurable=False,
            window=Span.NOT_DECIDED,
        ),
        FactKind(
            "room_availability_30d_ratio", Unit.RATIO, _ROOM, Source.DERIVED, None,
            "Tỉ lệ sẵn sàng của phòng trong giờ sử dụng của 30 ngày, theo máy giáo viên hoặc, nếu không có, máy bất kỳ",
            "Share of the known time in use of 30 days in which the teacher's PC (or, without one, any PC) was there",
            window=Span.MONTH, coverage=_TENTH,
        ),
        FactKind(
            "room_availability_30d_known_s", Unit.SECOND, _ROOM, Source.DERIVED, None,
            "Thời gian biết được phòng có sẵn sàng hay không trong giờ sử dụng của 30 ngày",
            "Time in use of 30 days of which it is known whether the room was available",
            window=Span.MONTH,
        ),
        FactKind(
            "room_availability_30d_coverage_ratio", Unit.RATIO, _ROOM, Source.DERIVED, None,
            "Tỉ lệ giờ sử dụng của 30 ngày có số liệu về sự sẵn sàng của phòng",
            "Known part of the room's time in use of 30 days",
            window=Span.MONTH,
        ),
        FactKind(
            "students", Unit.COUNT, _SCHOOL, Source.DECLARED, None,
            "Số học sinh của trường", "Pupils of the school",
        ),
        FactKind(
            "students_per_pc", Unit.COUNT, _SCHOOL, Source.DERIVED, None,
            "Số học sinh trên một máy tính dạy học", "Pupils for each teaching PC",
        ),
        FactKind(
            "modern_labs", Unit.COUNT, _SCHOOL, Source.DECLARED, None,
            "Số phòng thí nghiệm thực hành hiện đại", "Modern practice laboratories",
        ),
        FactKind(
            "fibre_lines", Unit.COUNT, _SCHOOL, Source.DECLARED, None,
            "Số đường truyền cáp quang đã đăng ký", "Registered fibre lines",
        ),
        FactKind(
            "distinct_isps", Unit.COUNT, _SCHOOL, Source.DECLARED, None,
            "Số nhà mạng khác nhau đã đăng ký", "Different Internet providers that are registered",
        ),
        FactKind(
            "equipped_classrooms_ratio", Unit.RATIO, _SCHOOL, Source.DECLARED, None,
            "Phần phòng học có thiết bị trình chiếu và Internet", "Share of classrooms with display and Internet",
        ),
        FactKind(
            "download_p50_bps", Unit.BIT_PER_SECOND, _SCHOOL, Source.DERIVED, None,
            "Tốc độ tải xuống của trường (trung vị)", "Download rate of the school (median)",
            window=Span.HELD,
        ),
        FactKind(
            "upload_p50_bps", Unit.BIT_PER_SECOND, _SCHOOL, Source.DERIVED, None,
            "Tốc độ tải lên của trường (trung vị)", "Upload rate of the school (median)",
            window=Span.HELD,
        ),
        FactKind(
            "download_per_student_bps", Unit.BIT_PER_SECOND, _SCHOOL, Source.DERIVED, None,
            "Tốc độ tải xuống tính trên một học sinh", "Download rate for each pupil",
            window=Span.HELD,
        ),
        FactKind(
            "download_per_pc_bps", Unit.BIT_PER_SECOND, _SCHOOL, Source.DERIVED, None,
            "Tốc độ tải xuống tính trên một máy tính dạy học", "Download rate for each teaching PC",
            window=Span.HELD, coverage=Coverage(Behind.LOAD, 0.9),
        ),
        FactKind(
            "download_contract_ratio", Unit.RATIO, _SCHOOL, Source.DERIVED, None,
            "Tốc độ tải xuống trung bình so với hợp đồng", "Mean download rate against the contract",
            window=Span.HELD,
        ),
        FactKind(
            "upload_contract_ratio", Unit.RATIO, _SCHOOL, Source.DERIVED, None,
            "Tốc độ tải lên trung bình so với hợp đồng", "Mean upload rate against the contract",
            window=Span.HELD,
        ),
        FactKind(
            "rtt_mean_s", Unit.SECOND, _SCHOOL, Source.DERIVED, None,
            "Độ trễ trung bình", "Mean latency",
            window=Span.HELD,
        ),
        FactKind(
            "loss_ratio", Unit.RATIO, _SCHOOL, Source.DERIVED, None,
            "Tỉ lệ gói thăm dò bị mất khi các máy cùng dùng đường truyền",
            "Share of lost echoes while the PCs use the line together",
            window=Span.HELD,
        ),
        FactKind(
            "line_availability_month_ratio", Unit.RATIO, _SCHOOL, Source.DERIVED, None,
            "Tỉ lệ thời gian trường vào được Internet trong giờ sử dụng của 30 ngày",
            "Share of the known time in use of 30 days in which the school reached the Internet",
            window=Span.MONTH, coverage=_TENTH,
        ),
        FactKind(
            "line_availability_month_known_s", Unit.SECOND, _SCHOOL, Source.DERIVED, None,
            "Thời gian biết được trường có vào được Internet hay không trong giờ sử dụng của 30 ngày",
            "Time in use of 30 days of which it is known whether the school reached the Internet",
            window=Span.MONTH,
        ),
        FactKind(
            "line_availability_month_coverage_ratio", Unit.RATIO, _SCHOOL, Source.DERIVED, None,
            "Tỉ lệ giờ sử dụng của 30 ngày có số liệu truy cập Internet của trường",
            "Known part of the time in use of 30 days in which the school tried the Internet",
            window=Span.MONTH,
        ),
        FactKind(
            "line_busy_p95_ratio", Unit.RATIO, _SCHOOL, Source.DERIVED, None,
            "Mức chiếm dụng đường truyền trong giờ học (phân vị 95)",
            "Utilisation of the line in school hours (95th percentile)",
            measurable=False,
            window=Span.NOT_DECIDED,
        ),
        FactKind(
            "report_days_before_20", Unit.DAY, _SCHOOL, Source.DECLARED, None,
            "Số ngày nộp tự đánh giá quý trước ngày 20 tháng cuối quý",
            "Days by which the quarterly self-report came before the 20th of the quarter's last month",
            detail_matters=True,
            window=Span.LAST_QUARTER,
        ),
        FactKind(
            "report_days_before_25", Unit.DAY, _DISTRICT, Source.DECLARED, None,
            "Số ngày gửi báo cáo quý trước ngày 25 tháng cuối quý",
            "Days by which the quarterly report came before the 25th of the quarter's last month",
            detail_matters=True,
            window=Span.LAST_QUARTER,
        ),
    )
}  # fmt: skip
"""Every fact by name."""


def basis(kind: FactKind, language: str) -> str:
    """Say in words which time a value is about, and how much must be known for it."""
    vi = language == "vi"
    text = SPANS[kind.window][not vi]
    if kind.coverage is None:
        return text
    share, of = round(kind.coverage.least * 100), BEHIND[kind.coverage.of][not vi]
    return f"{text}; cần biết ít nhất {share}% {of}" if vi else f"{text}; needs at least {share} % of the {of}"


def is_covered(name: str, known: float, expected: float) -> bool:
    """Tell whether so much of so much is enough for a value of a fact; of nothing, nothing is."""
    coverage = FACTS[name].coverage
    return expected > 0 and (coverage is None or known / expected >= coverage.least)


BY_AGENT = tuple(
    name
    for name, kind in FACTS.items()
    if kind.subject is SubjectKind.DEVICE
    and kind.source is not Source.DECLARED
    and kind.measurable
    and name != "record_fields_missing"
)
"""Facts about a machine that only its own agent's data can give."""


def not_measured(subject: SubjectKind, at: float) -> list[Found]:
    """Say of everything that nothing measures yet about a kind of subject that it is missing."""
    return [missing(name, Reason.NOT_MEASURED_YET, at) for name in _NOT_MEASURED[subject]]


_NOT_MEASURED = {
    subject: tuple(name for name, kind in FACTS.items() if kind.subject is subject and not kind.measurable)
    for subject in SubjectKind
}
