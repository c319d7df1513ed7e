"""The words of runs in Vietnamese and English: steps, verdicts, reasons, causes, states of PCs, headings, units.

A code without words stands for itself; a test sees to it that every code of the house has both.
"""

from __future__ import annotations

from collections.abc import Mapping

Pair = tuple[str, str]

STEPS: Mapping[str, Pair] = {
    "planned": ("đã lên lịch", "planned"),
    "waking": ("đang đánh thức máy", "waking PCs"),
    "ordered": ("đang đo", "measuring"),
    "measured": ("đang nhận kết quả", "collecting results"),
    "done": ("đã kết thúc", "done"),
    "postponed": ("đã hoãn", "postponed"),
    "stopped": ("đã dừng", "stopped"),
    "lost": ("không thực hiện được", "lost"),
}
END_REASONS: Mapping[str, Pair] = {
    "calendar": (
        "ngoài khung giờ được đo (đang học, ngày thi hoặc ngày nghỉ)",
        "outside the hours for tests (lesson, exam or day off)",
    ),
    "nobody_on": ("không có máy nào đang bật", "no PC is on"),
    "too_few_on": ("số máy đang bật chưa đủ", "too few PCs are on"),
    "not_idle": ("máy đang bận", "the PCs are busy"),
    "router_busy": ("đường truyền đang có tải khác quá 10%", "the router carries other traffic above 10 %"),
    "no_command_key": (
        "máy chưa có khóa lệnh, cần đăng ký lại tác tử",
        "no PC has a command key; enrol the agents anew",
    ),
    "nobody_drove_it": ("tiến trình điều phối không chạy vào giờ đó", "no coordinator ran at its time"),
    "school_or_server_is_gone": (
        "trường hoặc máy chủ đo không còn trong sổ",
        "school or server is no longer registered",
    ),
    "stopped_by_a_person": ("người phụ trách đã dừng", "stopped by a person"),
    "no_report": ("máy chủ đo không gửi báo cáo", "the bandwidth server gave no report"),
}
VERDICTS: Mapping[str, Pair] = {
    "pass": ("ĐẠT", "PASS"),
    "fail": ("KHÔNG ĐẠT", "FAIL"),
    "insufficient": ("CHƯA ĐỦ CĂN CỨ", "INSUFFICIENT"),
    "invalid": ("KHÔNG HỢP LỆ", "INVALID"),
}
REASONS: Mapping[str, Pair] = {
    "server_limited": ("máy chủ đo là điểm nghẽn", "the bandwidth server itself was the limit"),
    "too_many_disagree_with_server": (
        "quá 10% máy có số liệu lệch với máy chủ đo",
        "more than 10 % of the PCs disagree with the server",
    ),
    "starts_too_far_apart": ("các máy bắt đầu không cùng lúc", "the PCs did not start together"),
    "too_few_took_part": ("dưới 80% số máy tham gia", "fewer than 80 % of the PCs took part"),
    "line_was_not_fully_loaded": (
        "các máy còn lại chưa tải đủ đường truyền",
        "the PCs that were left did not load the line fully",
    ),
    "cross_traffic": ("có tải khác quá 10% đường truyền", "other traffic took more than 10 % of the line"),
    "aborted": ("lượt đo bị dừng giữa chừng", "the test was aborted"),
    "too_many_pcs_were_busy": (
        "quá 10% máy đang bận (có người dùng, tải dữ liệu khác hoặc chạy pin)",
        "more than 10 % of the PCs were busy (in use, moving other data, or on battery)",
    ),
    "not_finished": ("lượt đo chưa kết thúc ở máy chủ", "the run had not finished at the server"),
    "participants_below_floor": ("có máy không đạt mức sàn", "some PCs did not reach the floor"),
    "sum_below_what_was_ordered": ("tổng băng thông thấp hơn mức đã đặt", "the sum stayed below what was ordered"),
    "below_contracted_rate": ("thấp hơn tốc độ hợp đồng", "below the contracted rate"),
    "no_contracted_rate_to_hold_it_against": ("chưa khai báo tốc độ hợp đồng", "the contracted rate is not declared"),
    "absent_pcs_were_emulated": (
        "máy vắng được mô phỏng bằng cách tăng tải các máy có mặt",
        "absent PCs were emulated by the present ones",
    ),
    "more_than_one_line_carried_it": (
        "lưu lượng vẫn đi qua hơn một đường truyền, đường chính chưa được rút",
        "more than one line carried it: the main line was still on",
    ),
    "it_went_over_the_usual_line": (
        "lượt đo đi qua đúng đường truyền thường ngày: đường chính chưa được rút, chưa kiểm chứng được đường dự phòng",
        "it went over the line that usually carries everything: the main line was not pulled out, so nothing is shown "
        "of the other one",
    ),
    "no_earlier_run_tells_the_usual_line": (
        "chưa biết đường nào là đường chính: cần khai báo địa chỉ IP công cộng của từng đường và đo một lượt thường "
        "trước",
        "which line is the main one is not known: declare the public addresses of each line, and run an ordinary test "
        "first",
    ),
    "source_address_of_no_known_line": (
        "địa chỉ nguồn không thuộc đường truyền nào đã khai báo",
        "a source address belongs to no known line",
    ),
}
CAUSES: Mapping[str, Pair] = {
    "": ("", ""),
    "slow_pc": ("máy chậm", "slow PC"),
    "slow_room": ("phòng chậm", "slow room"),
    "line": ("đường truyền", "the line"),
    "server": ("máy chủ đo", "the bandwidth server"),
}
STATUSES: Mapping[str, Pair] = {
    "ok": ("hợp lệ", "ok"),
    "absent": ("vắng", "absent"),
    "late": ("trễ", "late"),
    "busy": ("máy bận", "PC was busy"),
    "aborted": ("bị dừng", "aborted"),
    "error": ("lỗi", "error"),
    "excluded": ("loại vì lệch số liệu", "excluded: figures disagree"),
}
PC_REASONS: Mapping[str, Pair] = {
    "not_ordered": ("không nhận lệnh đo", "was not ordered"),
    "did_not_come": ("không kết nối tới máy chủ đo", "did not come to the server"),
    "one_direction_only": ("chỉ đo được một chiều", "one direction only"),
    "started_late": ("bắt đầu muộn", "started late"),
    "no_own_figures": ("không gửi số liệu riêng", "sent no figures of its own"),
    "disagrees_with_server": ("số liệu lệch với máy chủ đo", "disagrees with the server"),
    "order_expired": ("lệnh đo đã hết hạn", "the order had expired"),
    "no_time": ("không xác định được giờ", "the time could not be told"),
    "not_ready_in_time": ("không kịp sẵn sàng", "not ready in time"),
    "connection_lost": ("mất kết nối", "the connection was lost"),
    "no_answer": ("máy chủ đo không trả lời", "the server did not answer"),
    "foreign_traffic": ("máy đang tải dữ liệu khác", "other traffic of the PC"),
    "input": ("có người đang dùng máy", "somebody uses the PC"),
    "battery": ("máy chạy bằng pin", "on battery"),
    "ordered": ("dừng theo lệnh", "stopped by order"),
    "others_busy": ("dừng vì quá 10% máy bận", "stopped, since more than 10 % of the PCs were busy"),
    "busy": ("máy đang dự lượt đo khác", "takes part in another run"),
    "switched_off": ("tác tử không được phép dự đo", "the agent may take no part"),
    "bad_order": ("lệnh đo không đúng dạng", "the order could not be read"),
    "agent_stopped": ("tác tử đã dừng", "the agent was stopped"),
}
KINDS: Mapping[str, Pair] = {
    "floor": ("mức sàn", "floor"),
    "capacity": ("dung lượng", "capacity"),
    "ramp": ("tăng dần số máy", "ramp"),
}
MODES: Mapping[str, Pair] = {
    "planned": ("theo lịch", "planned"),
    "opportunistic": ("khi phòng rảnh", "when idle"),
    "teacher": ("giáo viên bắt đầu", "started by a teacher"),
    "now": ("đo ngay", "now"),
}
CAMPAIGN_STATES: Mapping[str, Pair] = {
    "active": ("đang thực hiện", "active"),
    "stopped": ("đã dừng", "stopped"),
    "done": ("đã xong", "done"),
}
TEXTS: Mapping[str, Pair] = {
    "title": ("Biên bản đo băng thông đồng thời", "Record of a concurrent bandwidth test"),
    "school": ("Trường", "School"),
    "room": ("Phòng", "Room"),
    "all_rooms": ("tất cả phòng Tin học", "all computer rooms"),
    "run": ("Mã lượt đo", "Run"),
    "kind": ("Loại đo", "Kind"),
    "mode": ("Cách tổ chức", "Mode"),
    "failover": ("Đo đường dự phòng", "Failover"),
    "failover_run": (
        "đường chính phải được rút trong lúc đo",
        "the main line was to be pulled out during the run",
    ),
    "start": ("Bắt đầu", "Start"),
    "isp": ("Nhà mạng", "Provider"),
    "contract": ("Tốc độ hợp đồng (xuống/lên)", "Contracted rate (down/up)"),
    "floor": ("Mức sàn mỗi máy (xuống/lên)", "Floor of each PC (down/up)"),
    "pcs": ("Máy: đăng ký / tham gia / hợp lệ / mô phỏng", "PCs: registered / started / valid / emulated"),
    "measured_ip": ("Tổng đo được ở lớp IP (xuống/lên)", "Sum measured at the IP layer (down/up)"),
    "measured": ("Tổng tải hữu ích (xuống/lên)", "Sum of goodput (down/up)"),
    "per_pc": ("Mỗi máy, xuống: thấp nhất / phân vị 10 / trung vị", "Each PC, down: least / 10th percentile / median"),
    "latency": ("Độ trễ trung vị khi rỗi / khi tải", "Median latency idle / loaded"),
    "loss": ("Mất gói khi tải", "Loss under load"),
    "resent": ("Truyền lại", "Sent again"),
    "router": ("Bộ định tuyến đếm được (xuống/lên)", "Counted by the router (down/up)"),
    "cross": ("Tải khác trên đường truyền", "Other traffic on the line"),
    "server": ("Máy chủ đo: điều khiển tắc nghẽn / tải", "Server: congestion control / load"),
    "bytes": ("Dữ liệu đã truyền", "Data moved"),
    "verdict": ("Kết luận của lượt đo", "Verdict of the run"),
    "reasons": ("Lý do", "Reasons"),
    "cause": ("Nguyên nhân", "Cause"),
    "unknown": ("chưa rõ", "unknown"),
    "chart_down": ("Tải xuống: tổng của tất cả máy theo giây", "Download: all PCs together, second by second"),
    "chart_up": ("Tải lên: tổng của tất cả máy theo giây", "Upload: all PCs together, second by second"),
    "chart_pcs": ("Băng thông của từng máy", "Each PC"),
    "contracted": ("hợp đồng", "contract"),
    "needed": ("mức cần", "needed"),
    "seconds": ("giây", "s"),
    "by_line": ("Theo đường truyền (địa chỉ nguồn)", "By line (source address)"),
    "absent": ("Máy vắng", "Absent PCs"),
    "busy_pcs": ("Máy bận, không tính", "Busy PCs, left out"),
    "excluded_pcs": ("Máy lệch số liệu, không tính", "PCs that disagree, left out"),
    "pc": ("Máy", "PC"),
    "status": ("Trạng thái", "Status"),
    "down": ("Xuống", "Down"),
    "up": ("Lên", "Up"),
    "idle": ("Trễ khi rỗi", "Idle latency"),
    "loaded": ("Trễ khi tải", "Loaded latency"),
    "passed": ("Đạt mức sàn", "Reached the floor"),
    "yes": ("đạt", "yes"),
    "no": ("không đạt", "no"),
    "rules_note": (
        "Kết luận của một lượt đo không phải là kết luận về trường: chỉ kết luận không đạt khi 2 trong 3 lượt hợp lệ "
        "gần nhất, vào các ngày khác nhau, không đạt.",
        "The verdict of one run is not the school's: a line fails only when 2 of its last 3 valid runs, on different "
        "days, failed.",
    ),
    "layer_note": (
        "Tốc độ lớp IP = tải hữu ích × 1500/1448. Máy chủ đo là căn cứ; số liệu của từng máy dùng để đối chiếu.",
        "IP layer = goodput × 1500/1448. The server is the authority; the PCs' own figures are a cross-check.",
    ),
    "of": ("Lập lúc", "Made at"),
    "rule_version": ("Phiên bản bộ tiêu chí", "Version of the rules"),
}
TABLES = (STEPS, END_REASONS, VERDICTS, REASONS, CAUSES, STATUSES, PC_REASONS, KINDS, MODES, CAMPAIGN_STATES, TEXTS)


def word(table: Mapping[str, Pair], code: str, language: str) -> str:
    """Give the words of a code; one of a later version stands for itself."""
    pair = table.get(code)
    return code if pair is None else pair[1 if language == "en" else 0]


def text(key: str, language: str) -> str:
    """Give a heading or sentence."""
    return word(TEXTS, key, language)


def end_reason(reason: str, language: str) -> str:
    """Give why a run ended without a result; what follows a colon is a detail and stays."""
    code, _, rest = reason.partition(": ")
    return word(END_REASONS, code, language) + (f" ({rest})" if rest else "")


def rate(bps: float | None, language: str) -> str:
    """Write a rate as it is sold."""
    if bps is None:
        return text("unknown", language)
    return _number(f"{bps / 1e6:.{2 if bps < 10e6 else 1}f}", language) + " Mbit/s"


def milliseconds(seconds: float | None, language: str) -> str:
    """Write a latency."""
    return text("unknown", language) if seconds is None else _number(f"{seconds * 1000:.1f}", language) + " ms"


def percent(share: float | None, language: str) -> str:
    """Write a share."""
    return text("unknown", language) if share is None else _number(f"{share * 100:.1f}", language) + " %"


def megabytes(count: float, language: str) -> str:
    """Write an amount of data."""
    return _number(f"{count / 1e6:.1f}", language) + " MB"


def _number(figures: str, language: str) -> str:
    return figures if language == "en" else figures.replace(".", ",")
