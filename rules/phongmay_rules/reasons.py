"""The closed list of reasons for a state or for a missing fact, with the sentence for each in both languages."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a verdict has its state, or why a fact has no value."""

    # states that a check reaches
    MET = "met"
    BELOW = "below"
    ABOVE = "above"
    NOT_LISTED = "not_listed"
    SILENT = "silent"
    NEVER_HEARD = "never_heard"
    NOT_HEARD_YET = "not_heard_yet"
    TOO_FEW = "too_few"
    COVERAGE = "coverage"
    UNDECIDED = "undecided"
    NO_MEMBERS = "no_members"
    # not applicable
    NOT_THIS_LEVEL = "not_this_level"
    IN_REPAIR = "in_repair"
    NO_MEMBER_APPLIES = "no_member_applies"
    NOT_DEMANDED = "not_demanded"
    # no value
    NO_DATA = "no_data"
    STALE = "stale"
    NO_AGENT = "no_agent"
    IDENTITY_CONFLICT = "identity_conflict"
    SIZE_NOT_TOLD = "size_not_told"
    NO_SYSTEM_DISK = "no_system_disk"
    WIDTH_NOT_TOLD = "width_not_told"
    NOT_IN_TABLE = "not_in_table"
    TABLE_EXPIRED = "table_expired"
    NO_DEFAULT_ROUTE = "no_default_route"
    LINK_DOWN = "link_down"
    WIRELESS = "wireless"
    MEDIUM_NOT_TOLD = "medium_not_told"
    SPEED_NOT_TOLD = "speed_not_told"
    NO_EXPECTED_TIME = "no_expected_time"
    BAD_TIMETABLE = "bad_timetable"
    CALENDAR_EXPIRED = "calendar_expired"
    NOT_DECLARED = "not_declared"
    CONTRADICTORY = "contradictory"
    NOT_ENTERED = "not_entered"
    NOT_MEASURED_YET = "not_measured_yet"
    NO_RUN_YET = "no_run_yet"
    NO_CAPACITY_RUN = "no_capacity_run"
    CONTRACT_CHANGED = "contract_changed"
    LINES_NOT_TOLD = "lines_not_told"
    NOT_ALL_TESTED = "not_all_tested"
    FAILED_ONCE = "failed_once"
    FLOOR_RAISED = "floor_raised"
    LOAD_NOT_REACHED = "load_not_reached"
    # the engine itself
    BAD_PARAMETER = "bad_parameter"
    ENGINE_STOPPED = "engine_stopped"
    GONE = "gone"
    # people
    WAIVED = "waived"


TEXTS: dict[Reason, tuple[str, str]] = {
    Reason.MET: ("đạt yêu cầu", "meets the requirement"),
    Reason.BELOW: ("thấp hơn mức yêu cầu", "below the requirement"),
    Reason.ABOVE: ("cao hơn mức cho phép", "above the limit"),
    Reason.NOT_LISTED: ("không thuộc các giá trị được chấp nhận", "not one of the accepted values"),
    Reason.SILENT: ("không còn gửi dữ liệu trong giờ sử dụng", "sends nothing although the room is in use"),
    Reason.NEVER_HEARD: ("chưa từng gửi dữ liệu", "was never heard"),
    Reason.NOT_HEARD_YET: ("mới đăng ký, chưa đến lúc kết luận", "newly registered, too early to tell"),
    Reason.TOO_FEW: ("thời gian có số liệu còn quá ít", "too little time is known"),
    Reason.COVERAGE: ("số liệu chưa phủ đủ giờ sử dụng", "too much of the time in use is not known"),
    Reason.UNDECIDED: ("phần chưa rõ có thể làm thay đổi kết luận", "what is not known could tip the result"),
    Reason.NO_MEMBERS: ("không có đối tượng nào được đăng ký để xét", "nothing is registered that could be counted"),
    Reason.NOT_THIS_LEVEL: ("không áp dụng cho cấp học này", "does not apply to this school level"),
    Reason.IN_REPAIR: ("máy đang sửa chữa", "the device is in repair"),
    Reason.NOT_DEMANDED: ("đơn vị không yêu cầu", "not demanded by the unit's settings"),
    Reason.NO_MEMBER_APPLIES: ("không đối tượng nào thuộc diện áp dụng", "it applies to none of the members"),
    Reason.NO_DATA: ("chưa có số liệu", "no data"),
    Reason.STALE: ("số liệu đã quá cũ", "the data are too old"),
    Reason.NO_AGENT: ("máy chưa cài tác tử nên không đo được", "no agent on the device, so nothing is measured"),
    Reason.IDENTITY_CONFLICT: (
        "hai máy cùng dùng một danh tính, chờ kỹ thuật viên xử lý",
        "two machines use one identity; a technician must decide",
    ),
    Reason.SIZE_NOT_TOLD: ("máy không cho biết dung lượng", "the machine does not tell the size"),
    Reason.NO_SYSTEM_DISK: ("không xác định được ổ đĩa hệ thống", "the system disk could not be told"),
    Reason.WIDTH_NOT_TOLD: ("không rõ bộ xử lý 32 hay 64 bit", "it is not known whether the processor has 64 bits"),
    Reason.NOT_IN_TABLE: (
        "hệ điều hành không có trong bảng thời hạn hỗ trợ",
        "the operating system is not in the table of support dates",
    ),
    Reason.TABLE_EXPIRED: ("bảng thời hạn hỗ trợ đã quá hạn cập nhật", "the table of support dates is out of date"),
    Reason.NO_DEFAULT_ROUTE: ("không rõ cổng mạng nào ra Internet", "no interface leads to the Internet"),
    Reason.LINK_DOWN: ("cổng mạng không có kết nối", "the interface has no link"),
    Reason.WIRELESS: ("máy nối mạng không dây, không có tốc độ cổng", "wireless: there is no port speed"),
    Reason.MEDIUM_NOT_TOLD: ("không rõ cổng có dây hay không dây", "wired or wireless is not known"),
    Reason.SPEED_NOT_TOLD: ("cổng mạng không cho biết tốc độ", "the interface does not tell its speed"),
    Reason.NO_EXPECTED_TIME: ("chưa có giờ sử dụng nào để xét", "there was no time in use to look at"),
    Reason.BAD_TIMETABLE: ("thời khóa biểu của phòng không đọc được", "the room's timetable cannot be read"),
    Reason.CALENDAR_EXPIRED: (
        "lịch năm học hoặc bảng ngày nghỉ lễ đã hết hạn, cần nhập lịch mới",
        "the school calendar or the table of public holidays has run out; the new one must be entered",
    ),
    Reason.NOT_DECLARED: ("nhà trường chưa khai báo", "the school has not declared it"),
    Reason.CONTRADICTORY: ("các giá trị khai báo mâu thuẫn với nhau", "the declared values contradict each other"),
    Reason.NOT_ENTERED: (
        "chưa ghi ngày gửi báo cáo của quý",
        "the day on which the quarter's report was sent has not been entered",
    ),
    Reason.NOT_MEASURED_YET: ("hệ thống chưa đo được số liệu này", "this system does not measure it yet"),
    Reason.NO_RUN_YET: (
        "quý này chưa có lượt đo đồng thời nào hợp lệ",
        "there was no valid concurrent test this quarter",
    ),
    Reason.NO_CAPACITY_RUN: (
        "quý này chưa có lượt đo dung lượng đường truyền nào hợp lệ",
        "there was no valid capacity test of the line this quarter",
    ),
    Reason.CONTRACT_CHANGED: (
        "hợp đồng đã thay đổi sau lượt đo gần nhất, cần đo lại",
        "the contract has changed since the newest test; it must be run again",
    ),
    Reason.LINES_NOT_TOLD: (
        "không rõ lượt đo đi qua đường truyền nào trong các đường của trường",
        "it is not known which of the school's lines the tests went over",
    ),
    Reason.NOT_ALL_TESTED: (
        "một số máy chưa dự lượt đo nào hợp lệ trong quý, hoặc mới không đạt một lần",
        "some PCs took part in no valid test this quarter yet, or failed only once",
    ),
    Reason.FAILED_ONCE: (
        "mới không đạt một lượt đo; cần thêm một lượt vào ngày khác để kết luận",
        "one test failed; another one on a different day is needed to tell",
    ),
    Reason.FLOOR_RAISED: (
        "mức yêu cầu đã nâng sau lượt đo gần nhất, cần đo lại theo mức mới",
        "the floor was raised after the newest test; it must be run again",
    ),
    Reason.LOAD_NOT_REACHED: (
        "một phòng hoặc vài máy chậm nên tải chưa dồn đủ lên đường truyền; cần khắc phục rồi đo lại",
        "a slow room or slow PCs kept the load from reaching the line; mend them and test again",
    ),
    Reason.BAD_PARAMETER: ("tham số đặt ngoài giới hạn cho phép", "a parameter is set outside its bounds"),
    Reason.ENGINE_STOPPED: ("hệ thống đánh giá đã ngừng", "the evaluation has stopped"),
    Reason.WAIVED: ("được miễn theo quyết định của quận", "lifted by a decision of the district"),
    Reason.GONE: ("không còn thuộc đơn vị này", "no longer belongs to this unit"),
}


def reason_text(reason: str, language: str) -> str:
    """Give the sentence of a reason code in 'vi' or 'en'; a code of a later version stands for itself."""
    try:
        vi, en = TEXTS[Reason(reason)]
    except ValueError:
        return reason
    return en if language == "en" else vi
