"""The board of a device: what it is, whether it speaks, and how it fared."""
# ruff: noqa: E501, S608 - a query is easier read and copied on one line; its pieces are constants of this package

from __future__ import annotations

from phongmay_dashboards.conditions import (
    CONDITIONS,
    LAST_SEEN,
    SEEN_RATIO,
    YES_NO,
    device_variable,
    newest,
    school_variable,
)
from phongmay_dashboards.query import KEPT, InfluxQuery
from phongmay_dashboards.school import OUTCOMES
from phongmay_dashboards.specification import GREEN, GREY, ORANGE, RED, YELLOW, Board, Column, Kind, Link, Panel
from phongmay_dashboards.wording import Words

_ONE = "\"device\" = '$device'"
_DEVICE = f"$timeFilter AND {_ONE}"
_EVERY = "GROUP BY time($__interval) fill(null)"
_HARDWARE = (
    "cpu_model",
    "cpu_threads",
    "memory_bytes",
    "memory_installed_bytes",
    "os_name",
    "os_build",
    "machine_vendor",
    "machine_model",
)

_NOW = Panel(
    Words("Máy lúc này", "The device now"),
    Words(
        "Tình trạng, lần cuối nhận dữ liệu và thời gian im lặng tính trong giờ sử dụng. Không có số liệu trong 5 phút qua: chưa rõ.",
        "Condition, last sign of life, silence in time in use. Nothing within the last 5 minutes: unknown.",
    ),
    Kind.STAT,
    (InfluxQuery(f'SELECT {newest(("condition", "last_seen_s", "silent_s", "lesson_seen_ratio", "spool_envelopes", "clock_doubtful", "identity_conflict"))} FROM "device_status" WHERE {_DEVICE}', is_table=True),),
    [
        Column("condition", Words("Tình trạng", "Condition"), words=CONDITIONS),
        Column("last_seen", LAST_SEEN, "dateTimeFromNow"),
        Column("silent_s", Words("Im lặng trong giờ sử dụng", "Silent in time in use"), "s", ((0, GREEN), (900, YELLOW), (4 * 3600, RED))),
        Column("lesson_seen_ratio", Words("Có mặt trong giờ học hôm nay", "Present in today's lessons"), "percentunit", SEEN_RATIO),
        Column("spool_envelopes", Words("Bản ghi chờ", "Records waiting"), steps=((0, GREY), (60, ORANGE))),
        Column("clock_doubtful", Words("Đồng hồ đáng ngờ", "Doubtful clock"), words=YES_NO),
        Column("identity_conflict", Words("Trùng định danh", "Duplicated identity"), words=YES_NO),
    ],
    height=5,
    now=True,
)  # fmt: skip
_MACHINE = Panel(
    Words("Cấu hình máy", "The machine"),
    Words("Bản ghi phần cứng mới nhất, bất kể khoảng thời gian đã chọn.", "The newest hardware record, whatever time is chosen."),
    Kind.TABLE,
    (InfluxQuery("SELECT " + ", ".join(f'"{name}"' for name in _HARDWARE) + f' FROM "hardware" WHERE {_ONE} ORDER BY time DESC LIMIT 1', KEPT, is_table=True),),
    [
        Column("cpu_model", Words("Bộ xử lý", "Processor")),
        Column("cpu_threads", Words("Luồng xử lý", "Threads")),
        Column("memory_bytes", Words("RAM dùng được", "Usable memory"), "bytes"),
        Column("memory_installed_bytes", Words("RAM lắp đặt", "Installed memory"), "bytes"),
        Column("os_name", Words("Hệ điều hành", "Operating system")),
        Column("os_build", Words("Bản dựng", "Build")),
        Column("machine_vendor", Words("Hãng", "Maker")),
        Column("machine_model", Words("Kiểu máy", "Model")),
    ],
    height=4,
)  # fmt: skip
_DISKS = Panel(
    Words("Ổ đĩa", "Disks"),
    Words("Các ổ vật lý trong bản ghi mới nhất.", "The physical disks of the newest record."),
    Kind.TABLE,
    (InfluxQuery(f'SELECT "size_bytes", "disk_kind", "bus", "is_system" FROM "disk" WHERE {_ONE} GROUP BY "part" ORDER BY time DESC LIMIT 1', KEPT, is_table=True),),
    [
        Column("part", Words("Ổ", "Disk")),
        Column("size_bytes", Words("Dung lượng", "Size"), "decbytes"),
        Column("disk_kind", Words("Loại", "Kind")),
        Column("bus", Words("Giao tiếp", "Bus")),
        Column("is_system", Words("Ổ hệ thống", "System disk")),
    ],
    width=12,
    height=5,
)  # fmt: skip
_ROUNDS = Panel(
    Words("Lượt đo nhận được", "Rounds received"),
    Words(
        "Số lượt đo của máy đã vào kho. Số 0: máy tắt, hoặc bản ghi còn nằm ở máy và sẽ được gửi sau.",
        "Rounds of the device that are stored. 0: it was off, or its records still lie on it and will come later.",
    ),
    Kind.GRAPH,
    (
        InfluxQuery(
            f'SELECT count("interval_s") AS "rounds" FROM "agent" WHERE {_DEVICE} GROUP BY time($__interval) fill(0)',
            alias="$col",
        ),
    ),
    [Column("rounds", Words("Lượt đo", "Rounds"))],
    width=12,
    height=5,
    low=0,
)


def _graph(
    title: Words, about: Words, measurement: str, fields: dict[str, Words], unit: str, high: float | None = None
) -> Panel:
    """Make a graph of means."""
    asked = ", ".join(f'mean("{name}") AS "{name}"' for name in fields)
    return Panel(
        title,
        about,
        Kind.GRAPH,
        (InfluxQuery(f'SELECT {asked} FROM "{measurement}" WHERE {_DEVICE} {_EVERY}', alias="$col"),),
        [Column(name, words) for name, words in fields.items()],
        width=12,
        unit=unit,
        low=0,
        high=high,
    )


_CPU = _graph(
    Words("Bộ xử lý bận", "Processor busy"),
    Words("Phần thời gian bộ xử lý bận. Luôn gần 100%: phần mềm chạy ngầm, mã độc hoặc máy quá yếu.",
          "Share of busy time. Always near 100 %: software in the background, malware, or a machine too weak."),
    "usage", {"cpu_busy_ratio": Words("Bận", "Busy")}, "percentunit", 1,
)  # fmt: skip
_MEMORY = _graph(
    Words("RAM", "Memory"),
    Words("RAM đang dùng và còn dùng được.", "Memory in use and still available."),
    "usage",
    {"memory_used_bytes": Words("Đang dùng", "Used"), "memory_available_bytes": Words("Còn dùng được", "Available")},
    "bytes",
)
_VOLUME = _graph(
    Words("Ổ hệ thống", "System volume"),
    Words("Dung lượng còn trống của ổ hệ thống. Dưới 10%: Windows không cập nhật được.",
          "Free space of the system volume. Below 10 %: Windows cannot update."),
    "usage",
    {"system_volume_free_bytes": Words("Còn trống", "Free"), "system_volume_bytes": Words("Dung lượng", "Size")},
    "bytes",
)  # fmt: skip
_REACH = Panel(
    Words("Thời gian trả lời của các đích", "Time until targets answer"),
    Words(
        "Cổng mạng, DNS, máy chủ của quận, Internet. Đích không trả lời thì không có điểm: khoảng trống là không truy cập được hoặc máy tắt.",
        "Gateway, DNS, the district's server, the Internet. A target that does not answer has no point: a gap is no access, or the PC is off.",
    ),
    Kind.GRAPH,
    (InfluxQuery(f'SELECT mean("took_s") AS "took_s" FROM "reach" WHERE {_DEVICE} GROUP BY time($__interval), "part" fill(null)', alias="$tag_part"),),
    width=12,
    unit="s",
    low=0,
)  # fmt: skip
_TRAFFIC = Panel(
    Words("Lưu lượng mạng", "Network traffic"),
    Words("Tốc độ nhận (↓) và gửi (↑) trên từng cổng; chỉ đếm byte, không biết đi đâu.",
          "Rates received (↓) and sent (↑) on each interface; bytes only, never where to."),
    Kind.GRAPH,
    (
        InfluxQuery(f'SELECT non_negative_derivative(max("received_bytes"), 1s) * 8 AS "in" FROM "traffic" WHERE {_DEVICE} GROUP BY time($__interval), "part" fill(none)', alias="$tag_part ↓"),
        InfluxQuery(f'SELECT non_negative_derivative(max("sent_bytes"), 1s) * 8 AS "out" FROM "traffic" WHERE {_DEVICE} GROUP BY time($__interval), "part" fill(none)', alias="$tag_part ↑", ref_id="B"),
    ),
    width=12,
    unit="bps",
    low=0,
)  # fmt: skip
_LINK = Panel(
    Words("Tốc độ cổng mạng", "Speed of the interface"),
    Words("Tốc độ thương lượng. Tụt từ 1 Gbit/s xuống 100 hoặc 10 Mbit/s: kiểm tra dây và đầu bấm.",
          "Negotiated speed. A fall from 1 Gbit/s to 100 or 10 Mbit/s: look at cable and plug."),
    Kind.GRAPH,
    (InfluxQuery(f'SELECT min("speed_bps") AS "speed_bps" FROM "link" WHERE {_DEVICE} GROUP BY time($__interval), "part" fill(null)', alias="$tag_part"),),
    width=12,
    unit="bps",
    low=0,
)  # fmt: skip
_UPTIME = Panel(
    Words("Thời gian từ khi bật máy", "Time since the machine started"),
    Words("Về 0 nhiều lần trong một buổi học: máy tự khởi động lại, xem nguồn và nhiệt độ.",
          "Back to 0 several times in one lesson: the machine restarts by itself; look at power and heat."),
    Kind.GRAPH,
    (InfluxQuery(f'SELECT last("uptime_s") AS "uptime_s" FROM "agent" WHERE {_DEVICE} {_EVERY}', alias="$col"),),
    [Column("uptime_s", Words("Từ khi bật", "Since start"))],
    width=12,
    unit="s",
    low=0,
)  # fmt: skip
_TESTS = Panel(
    Words("Đo băng thông đồng thời", "Concurrent bandwidth tests"),
    Words("Kết quả của máy trong các lần đo thuộc khoảng thời gian đã chọn.", "The device's results within the chosen time."),
    Kind.TABLE,
    (InfluxQuery(f'SELECT "outcome", "down_bps", "up_bps", "idle_rtt_p50_s", "loaded_rtt_p95_s", "ping_loss_ratio" FROM "campaign" WHERE {_DEVICE} ORDER BY time DESC LIMIT 50', KEPT, is_table=True),),
    [
        Column("outcome", Words("Kết quả", "Outcome"), words=OUTCOMES),
        Column("down_bps", Words("Tải xuống", "Down"), "bps"),
        Column("up_bps", Words("Tải lên", "Up"), "bps"),
        Column("idle_rtt_p50_s", Words("Độ trễ khi rảnh", "Idle latency"), "s"),
        Column("loaded_rtt_p95_s", Words("Độ trễ khi tải (p95)", "Latency under load (p95)"), "s"),
        Column("ping_loss_ratio", Words("Mất gói", "Loss"), "percentunit", ((0, GREEN), (0.01, ORANGE), (0.05, RED))),
    ],
    shows_time=True,
)  # fmt: skip

DEVICE = Board(
    "device",
    Words("Phòng Máy · Máy", "Phòng Máy · Device"),
    Words("Máy là gì, có gửi dữ liệu không, chạy ra sao.", "What the device is, whether it speaks, how it fared."),
    (school_variable(several=False), device_variable(several=False)),
    (_NOW, _MACHINE, _DISKS, _ROUNDS, _CPU, _MEMORY, _VOLUME, _REACH, _TRAFFIC, _LINK, _UPTIME, _TESTS),
    links=(
        Link(Words("Bảng của trường", "Board of the school"), "/d/phongmay-school-{lang}?var-school=${{school}}"),
        Link(Words("Giải thích kết quả đối chiếu", "Verdicts, explained"),
             "{pages}/schools/${{school}}?subject=device:${{device}}&lang={lang}"),
    ),
)  # fmt: skip
