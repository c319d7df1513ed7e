"""Who can supply data that are missing: one entry for every fact, and one for every reason that is not the fact's own.

Nothing is computed here. A fact or reason without an entry is found by a test, so that no page ever says "unknown"
without saying who can change that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from phongmay_rules.facts.catalogue import FACTS
from phongmay_rules.reasons import Reason


class Supplier(StrEnum):
    """Who supplies data."""

    SCHOOL_IT = "school_it"
    SCHOOL = "school"
    DISTRICT = "district"
    ISP = "isp"
    CAMPAIGN = "campaign"
    OPERATOR = "operator"


NAMES: Mapping[Supplier, tuple[str, str]] = {
    Supplier.SCHOOL_IT: ("cán bộ công nghệ thông tin của trường", "the school's IT person"),
    Supplier.SCHOOL: ("nhà trường", "the school"),
    Supplier.DISTRICT: ("đơn vị quản lý", "the district"),
    Supplier.ISP: ("nhà cung cấp đường truyền", "the Internet provider"),
    Supplier.CAMPAIGN: ("đơn vị tổ chức đợt đo", "who organises the test campaign"),
    Supplier.OPERATOR: ("người vận hành hệ thống", "who runs this system"),
}


@dataclass(frozen=True, slots=True)
class Supply:
    """One way to the data: who, and what to do, as the end of a sentence that begins with who."""

    who: Supplier
    vi: str
    en: str


_RECORD = Supply(
    Supplier.SCHOOL_IT,
    "cài tác tử và để máy gửi bản ghi phần cứng",
    "install the agent and let the computer send its hardware record",
)
_ALIVE = Supply(
    Supplier.SCHOOL_IT,
    "cài tác tử và để máy bật trong giờ sử dụng",
    "install the agent and keep the computer on while the room is in use",
)
_REACH = Supply(
    Supplier.SCHOOL_IT,
    "để máy có tác tử chạy đủ lâu trong giờ sử dụng để thử truy cập Internet",
    "keep the computer with its agent on long enough in time in use to try the Internet",
)
_COMPONENT = Supply(
    Supplier.SCHOOL,
    "khai báo thành phần này của phòng ở mục khai báo hoặc bằng tệp",
    "declare this part of the room on the declaration page or by file",
)
_SCREEN = Supply(
    Supplier.SCHOOL, "khai báo độ phân giải màn hình của máy", "declare the screen resolution of the computer"
)
_CONCURRENT = Supply(
    Supplier.CAMPAIGN,
    "tổ chức đợt đo đồng thời của phòng",
    "run the concurrent test of the room",
)
_SWITCH = Supply(
    Supplier.SCHOOL_IT,
    "cho máy cổng của trường đọc bộ chuyển mạch khi hệ thống có phép đo này",
    "let the school's gateway read the switch once this system has that probe",
)
_LINE = Supply(
    Supplier.CAMPAIGN,
    "đo đường truyền từ máy cổng của trường khi hệ thống có phép đo này",
    "test the line from the school's gateway once this system has that probe",
)
_WHOLE_SCHOOL = Supply(
    Supplier.CAMPAIGN,
    "tổ chức đợt đo đồng thời toàn trường",
    "run the concurrent test of the whole school",
)
_CAPACITY = Supply(
    Supplier.CAMPAIGN,
    "tổ chức đợt đo dung lượng đường truyền của trường",
    "run the capacity test of the school's line",
)
_PUPILS_LINE = Supply(
    Supplier.CAMPAIGN,
    "tổ chức đợt đo dung lượng đường truyền; nhà trường khai báo số học sinh",
    "run the capacity test of the line; the school declares the number of pupils",
)
_CONTRACT = Supply(
    Supplier.ISP,
    "cung cấp tốc độ trong hợp đồng để nhà trường khai báo",
    "give the contracted rate, for the school to declare",
)
_LINES = Supply(
    Supplier.SCHOOL,
    "khai báo các đường truyền, loại đường truyền và nhà mạng theo hợp đồng",
    "declare the lines with their kind and provider as in the contract",
)
_MONTH = Supply(
    Supplier.SCHOOL_IT,
    "để máy có tác tử gửi dữ liệu trong giờ sử dụng của 30 ngày",
    "let the computers with agents report in time in use of 30 days",
)
_LISTENING = Supply(
    Supplier.OPERATOR,
    "để máy chủ thu nhận và trung chuyển dữ liệu hoạt động trong giờ sử dụng của các phòng",
    "keep collector and broker running while rooms are in use",
)

_TRYING = Supply(
    Supplier.SCHOOL_IT,
    "để ít nhất một máy có tác tử bật suốt giờ sử dụng để thử truy cập Internet từng phút",
    "keep at least one computer with an agent on throughout time in use, so that it tries the Internet each minute",
)

BY_FACT: Mapping[str, Supply] = {
    "ram_marketed_bytes": _RECORD,
    "cpu_bits": _RECORD,
    "cpu_threads": _RECORD,
    "system_disk_marketed_bytes": _RECORD,
    "os_support_days_left": _RECORD,
    "link_speed_bps": _RECORD,
    "internet_reach_ratio": _REACH,
    "internet_known_s": _REACH,
    "internet_coverage_ratio": _REACH,
    "heard": _ALIVE,
    "silent_expected_s": _ALIVE,
    "reported_7d": _ALIVE,
    "works_7d": _ALIVE,
    "system_volume_free_ratio": _ALIVE,
    "system_volume_free_bytes": _ALIVE,
    "screen_width_px": _SCREEN,
    "screen_height_px": _SCREEN,
    "availability_30d_ratio": _MONTH,
    "availability_30d_known_s": _MONTH,
    "availability_30d_coverage_ratio": _LISTENING,
    "record_fields_missing": Supply(
        Supplier.SCHOOL,
        "bổ sung hồ sơ của thiết bị: phòng, số máy, năm mua",
        "complete the record of the device: room, serial number, year of purchase",
    ),
    "class_size": Supply(
        Supplier.SCHOOL, "khai báo sĩ số lớp đông nhất học tại phòng", "declare the largest class taught in the room"
    ),
    "area_m2": Supply(Supplier.SCHOOL, "khai báo diện tích phòng", "declare the area of the room"),
    "area_per_student_m2": Supply(
        Supplier.SCHOOL, "khai báo diện tích phòng và sĩ số lớp", "declare the area of the room and the class size"
    ),
    "has_display": _COMPONENT,
    "has_teacher_pc": _COMPONENT,
    "has_internet": _COMPONENT,
    "has_audio": _COMPONENT,
    "has_camera": _COMPONENT,
    "has_signal_equipment": _COMPONENT,
    "concurrent_pass_ratio": _CONCURRENT,
    "concurrent_p10_bps": _CONCURRENT,
    "uplink_speed_bps": _SWITCH,
    "uplink_busy_p95_ratio": _SWITCH,
    "room_availability_30d_ratio": _MONTH,
    "room_availability_30d_known_s": _MONTH,
    "room_availability_30d_coverage_ratio": _LISTENING,
    "computer_rooms": Supply(
        Supplier.SCHOOL, "đăng ký các phòng Tin học của trường", "register the school's computer rooms"
    ),
    "students": Supply(Supplier.SCHOOL, "khai báo số học sinh", "declare the number of pupils"),
    "students_per_pc": Supply(
        Supplier.SCHOOL,
        "khai báo số học sinh và đăng ký các máy tính dạy học",
        "declare the number of pupils and register the teaching PCs",
    ),
    "modern_labs": Supply(
        Supplier.SCHOOL,
        "khai báo số phòng thí nghiệm thực hành hiện đại",
        "declare the number of modern practice laboratories",
    ),
    "fibre_lines": _LINES,
    "distinct_isps": _LINES,
    "equipped_classrooms_ratio": Supply(
        Supplier.SCHOOL,
        "khai báo số phòng học và số phòng đã có thiết bị trình chiếu, Internet",
        "declare the classrooms, and those with display and Internet",
    ),
    "download_p50_bps": _CAPACITY,
    "upload_p50_bps": _CAPACITY,
    "download_per_student_bps": _PUPILS_LINE,
    "download_per_pc_bps": _WHOLE_SCHOOL,
    "download_contract_ratio": _CONTRACT,
    "upload_contract_ratio": _CONTRACT,
    "rtt_mean_s": _WHOLE_SCHOOL,
    "loss_ratio": _WHOLE_SCHOOL,
    "line_availability_month_ratio": _TRYING,
    "line_availability_month_known_s": _TRYING,
    "line_availability_month_coverage_ratio": _TRYING,
    "line_busy_p95_ratio": _LINE,
    "report_days_before_20": Supply(
        Supplier.SCHOOL,
        "ghi ngày đã nộp báo cáo quý ở mục khai báo, kèm giấy tiếp nhận nếu có; đơn vị quản lý cũng ghi được",
        "enter the day on which the report was handed in on the declaration page, with its receipt if there is one; "
        "the district can do so too",
    ),
    "report_days_before_25": Supply(
        Supplier.DISTRICT,
        "ghi ngày đã gửi báo cáo quý về Sở ở mục khai báo của đơn vị, kèm giấy tiếp nhận nếu có",
        "enter the day on which the report was sent to the Department on the unit's declaration page, with its receipt "
        "if there is one",
    ),
}
"""Supplier of every fact of the catalogue."""

THE_FACTS_OWN = frozenset(
    {
        Reason.NO_DATA, Reason.NOT_DECLARED, Reason.NOT_ENTERED, Reason.NOT_MEASURED_YET, Reason.NO_RUN_YET,
        Reason.NOT_ALL_TESTED, Reason.FAILED_ONCE, Reason.FLOOR_RAISED, Reason.LOAD_NOT_REACHED,
    }
)  # fmt: skip
"""Reasons that say nothing more than that the fact is not there: its own supplier is asked."""

SETTLED = frozenset(
    {
        Reason.MET, Reason.BELOW, Reason.ABOVE, Reason.NOT_LISTED, Reason.SILENT, Reason.NEVER_HEARD,
        Reason.NOT_THIS_LEVEL, Reason.IN_REPAIR, Reason.NO_MEMBER_APPLIES, Reason.NOT_DEMANDED, Reason.GONE,
        Reason.WAIVED,
    }
)  # fmt: skip
"""Reasons of a state that is not unknown: nothing is missing."""

OF_MEMBERS = frozenset({Reason.UNDECIDED})
"""Reasons that lead to the members, whose own data are missing."""

BY_REASON: Mapping[Reason, Supply] = {
    Reason.NOT_HEARD_YET: Supply(
        Supplier.SCHOOL_IT,
        "bật máy trong giờ sử dụng để tác tử gửi số liệu đầu tiên",
        "switch the computer on in time in use so that its agent sends first data",
    ),
    Reason.TOO_FEW: _REACH,
    Reason.COVERAGE: _REACH,
    Reason.NO_MEMBERS: Supply(
        Supplier.SCHOOL,
        "đăng ký phòng và thiết bị đang có vào hệ thống",
        "register the rooms and devices that are there",
    ),
    Reason.STALE: Supply(
        Supplier.SCHOOL_IT,
        "bật máy và kiểm tra tác tử để máy gửi lại số liệu",
        "switch the computer on and look after its agent, so that it sends data again",
    ),
    Reason.NO_AGENT: Supply(
        Supplier.SCHOOL_IT,
        "cài tác tử trên máy, hoặc nhà trường khai báo cấu hình máy",
        "install the agent on the computer, or the school declares its configuration",
    ),
    Reason.IDENTITY_CONFLICT: Supply(
        Supplier.SCHOOL_IT,
        "xác định máy nào đúng và đăng ký lại máy kia",
        "decide which machine is the right one and enrol the other anew",
    ),
    Reason.SIZE_NOT_TOLD: Supply(
        Supplier.SCHOOL_IT,
        "xem dung lượng trong máy, cập nhật tác tử; hệ thống chỉ tin số đo",
        "look at the size in the machine and update the agent; only what is measured is believed",
    ),
    Reason.NO_SYSTEM_DISK: Supply(
        Supplier.SCHOOL_IT,
        "kiểm tra ổ đĩa khởi động của máy và cập nhật tác tử",
        "look at the computer's boot disk and update the agent",
    ),
    Reason.WIDTH_NOT_TOLD: Supply(
        Supplier.SCHOOL_IT, "cập nhật tác tử trên máy", "update the agent on the computer"
    ),
    Reason.NOT_IN_TABLE: Supply(
        Supplier.OPERATOR,
        "bổ sung hệ điều hành này vào bảng thời hạn hỗ trợ",
        "add this operating system to the table of support dates",
    ),
    Reason.TABLE_EXPIRED: Supply(
        Supplier.OPERATOR, "cập nhật bảng thời hạn hỗ trợ", "renew the table of support dates"
    ),
    Reason.NO_DEFAULT_ROUTE: Supply(
        Supplier.SCHOOL_IT, "kiểm tra cấu hình mạng của máy", "look at the network settings of the computer"
    ),
    Reason.LINK_DOWN: Supply(
        Supplier.SCHOOL_IT, "cắm dây mạng và kiểm tra cổng mạng", "plug the network cable in and look at the port"
    ),
    Reason.WIRELESS: Supply(
        Supplier.SCHOOL_IT,
        "nối máy bằng dây mạng; mạng không dây không có tốc độ cổng để xét",
        "connect the computer by cable; a wireless network has no port speed to judge",
    ),
    Reason.MEDIUM_NOT_TOLD: Supply(
        Supplier.SCHOOL_IT, "cập nhật tác tử trên máy", "update the agent on the computer"
    ),
    Reason.SPEED_NOT_TOLD: Supply(
        Supplier.SCHOOL_IT,
        "cập nhật trình điều khiển của cổng mạng và tác tử",
        "update the driver of the network port and the agent",
    ),
    Reason.NO_EXPECTED_TIME: Supply(
        Supplier.SCHOOL,
        "nhập thời khóa biểu của phòng, hoặc chờ đến giờ sử dụng đầu tiên",
        "enter the room's timetable, or wait for the first time in use",
    ),
    Reason.CALENDAR_EXPIRED: Supply(
        Supplier.DISTRICT,
        "nhập lịch năm học mới và ngày nghỉ lễ để tính được giờ sử dụng",
        "enter the new school calendar and public holidays, so that time in use can be told",
    ),
    Reason.BAD_TIMETABLE: Supply(
        Supplier.SCHOOL, "nhập lại thời khóa biểu của phòng", "enter the room's timetable anew"
    ),
    Reason.CONTRADICTORY: Supply(
        Supplier.SCHOOL, "sửa lại các giá trị đã khai báo", "correct the declared values"
    ),
    Reason.NO_CAPACITY_RUN: _CAPACITY,
    Reason.CONTRACT_CHANGED: _CAPACITY,
    Reason.LINES_NOT_TOLD: Supply(
        Supplier.SCHOOL_IT,
        "khai báo địa chỉ Internet công cộng của từng đường truyền, rồi đo lại",
        "declare the public addresses of each line, then run the test again",
    ),
    Reason.BAD_PARAMETER: Supply(
        Supplier.DISTRICT,
        "đặt lại tham số của tiêu chí trong giới hạn cho phép",
        "set the rule's parameter within its bounds",
    ),
    Reason.ENGINE_STOPPED: Supply(
        Supplier.OPERATOR, "khởi động lại bộ đánh giá", "start the evaluation again"
    ),
}  # fmt: skip
"""Reasons for which someone else than the fact's own supplier is asked."""

NO_SCHOOLS = Supply(Supplier.DISTRICT, "đăng ký các trường của đơn vị vào hệ thống", "register the schools of the unit")
"""In place of what `NO_MEMBERS` says of rooms and devices."""
_OF_A_MONTH = {Reason.TOO_FEW: _MONTH, Reason.COVERAGE: _LISTENING}
"""Of facts over 30 days: too little time because the agents are new, too small a part because nobody listened."""
TOO_LITTLE = frozenset(_OF_A_MONTH)
"""Reasons of a rule that does not believe the fact which it looked at: the way to more depends on that fact."""


def supply(reason: str, fact: str = "") -> Supply | None:
    """Give who can supply what is missing; None when neither reason nor fact tells (a code of a later version).

    Args:
        reason: why it is missing.
        fact: what is missing; "" = no single fact.
    """
    try:
        known = Reason(reason)
    except ValueError:
        return BY_FACT.get(fact)
    if known is Reason.NO_AGENT and fact in FACTS and BY_FACT[fact] in (_ALIVE, _MONTH, _LISTENING):
        return _ALIVE  # nobody can declare that a computer is, or was, alive
    if BY_FACT.get(fact) is _TRYING and known in (Reason.NO_AGENT, *_OF_A_MONTH):
        return _ALIVE if known is Reason.NO_AGENT else _TRYING
    if known in _OF_A_MONTH and BY_FACT.get(fact) in (_MONTH, _LISTENING):
        return _OF_A_MONTH[known]
    return BY_REASON.get(known) or BY_FACT.get(fact)
