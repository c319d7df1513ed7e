"""The board of a school: which rooms and PCs need somebody, and how the school's machines and line fared."""
# ruff: noqa: E501, S608 - a query is easier read and copied on one line; its pieces are constants of this package

from __future__ import annotations

from phongmay_dashboards.conditions import (
    CONDITIONS,
    LAST_SEEN,
    ROOM,
    SEEN_RATIO,
    TO_DEVICE,
    TO_DEVICE_PAGE,
    YES_NO,
    condition_columns,
    device_variable,
    newest,
    room_variable,
    school_variable,
)
from phongmay_dashboards.query import KEPT, InfluxQuery
from phongmay_dashboards.specification import (
    GOOD_ZERO,
    GREEN,
    GREY,
    ORANGE,
    RED,
    YELLOW,
    Board,
    Column,
    Kind,
    Link,
    Panel,
)
from phongmay_dashboards.wording import Words
from phongmay_rules.overview import Condition

_GIB = 2**30
_SCHOOL = "$timeFilter AND \"school\" = '$school'"
_DEVICES = '$timeFilter AND "device" =~ /^$device$/'
_HIDDEN = (Column("school", ROOM, hidden=True), Column("device", ROOM, hidden=True))
_PC = Column("label", Words("Máy", "Device"), links=(TO_DEVICE, TO_DEVICE_PAGE), width=200)
OUTCOMES = {
    "ok": (Words("✓ Đo được", "✓ Measured"), GREEN),
    "absent": (Words("? Vắng", "? Absent"), GREY),
    "late": (Words("? Đến muộn", "? Late"), GREY),
    "busy": (Words("? Máy đang bận", "? Busy"), GREY),
    "aborted": (Words("! Bị ngắt", "! Aborted"), ORANGE),
    "error": (Words("! Lỗi", "! Error"), RED),
}

_NOW = Panel(
    Words("Thiết bị của trường lúc này", "Devices of the school now"),
    Words(
        "Số thiết bị ở từng tình trạng. Máy tắt sau giờ học là «Đang tắt», không phải lỗi; «Chưa rõ» nghĩa là không kết luận được.",
        "Devices in each condition. A PC switched off after class is off, which is no fault; unknown means that nothing can be said.",
    ),
    Kind.STAT,
    (InfluxQuery(f'SELECT {newest(tuple(Condition))} FROM "school_status" WHERE {_SCHOOL}', is_table=True),),
    condition_columns(),
    height=5,
    now=True,
)
_ROOMS = Panel(
    Words("Phòng", "Rooms"),
    Words(
        "Cả phòng im lặng cùng lúc: xem điện, bộ chuyển mạch và dây mạng của phòng trước khi xem từng máy.",
        "A whole room silent at once: look at power, switch and cable of the room before you look at single PCs.",
    ),
    Kind.TABLE,
    (
        InfluxQuery(
            f'SELECT {newest(("name", "silent", "never", "online", "off", "unknown", "devices", "lesson_seen_ratio", "last_seen_s"))} FROM "room_status" WHERE {_SCHOOL} AND "room" =~ /^$room$/ GROUP BY "room"',
            is_table=True,
        ),
    ),
    [
        Column("name", ROOM, width=200),
        Column("room", ROOM, hidden=True),
        *(column for column in condition_columns() if column.name in ("silent", "never", "online", "off", "unknown")),
        Column("devices", Words("Tổng số", "In all")),
        Column(
            "lesson_seen_ratio",
            Words("Có mặt trong giờ học hôm nay", "Present in today's lessons"),
            "percentunit",
            SEEN_RATIO,
        ),
        Column("last_seen", LAST_SEEN, "dateTimeFromNow"),
    ],
    now=True,
)
_PCS = Panel(
    Words("Từng máy", "Devices"),
    Words(
        "Máy im lặng lâu nhất trong giờ sử dụng đứng đầu. Bấm tên máy để mở bảng của máy hoặc lời giải thích kết quả đối chiếu. Màu của "
        "RAM và ổ đĩa chỉ để nhìn nhanh; đạt hay không do tiêu chí trong trang kết quả quyết định. Ô trống: chưa biết.",
        "The longest silence in time in use comes first. The name leads to the device's board or to its verdicts, explained. Colours of "
        "memory and disk are for looking only; the rules decide on the page of verdicts. An empty cell is unknown.",
    ),
    Kind.TABLE,
    (
        InfluxQuery(
            f'SELECT {newest(("condition", "silent_s", "last_seen_s", "lesson_seen_ratio", "memory_bytes", "disk_free_ratio", "spool_envelopes", "clock_doubtful", "identity_conflict"))} FROM "device_status" WHERE {_SCHOOL} AND "device" =~ /^$device$/ GROUP BY "school", "device", "label"',
            is_table=True,
        ),
    ),
    [
        _PC,
        *_HIDDEN,
        Column("condition", Words("Tình trạng", "Condition"), words=CONDITIONS, width=180),
        Column(
            "silent_s",
            Words("Im lặng trong giờ sử dụng", "Silent in time in use"),
            "s",
            ((0, GREEN), (900, YELLOW), (4 * 3600, RED)),
        ),
        Column("last_seen", LAST_SEEN, "dateTimeFromNow"),
        Column(
            "lesson_seen_ratio",
            Words("Có mặt trong giờ học hôm nay", "Present in today's lessons"),
            "percentunit",
            SEEN_RATIO,
        ),
        Column("memory_bytes", Words("RAM dùng được", "Usable memory"), "bytes", ((0, RED), (3.4 * _GIB, GREEN))),
        Column(
            "disk_free_ratio",
            Words("Ổ hệ thống còn trống", "System disk free"),
            "percentunit",
            ((0, RED), (0.1, ORANGE), (0.2, GREEN)),
        ),
        Column("spool_envelopes", Words("Bản ghi chờ", "Records waiting"), steps=((0, GREY), (60, ORANGE))),
        Column("clock_doubtful", Words("Đồng hồ đáng ngờ", "Doubtful clock"), words=YES_NO),
        Column("identity_conflict", Words("Trùng định danh", "Duplicated identity"), words=YES_NO),
    ],
    height=14,
    now=True,
)
_STATES = Panel(
    Words("Tình trạng từng máy theo thời gian", "Condition of each device through time"),
    Words(
        "Mỗi dòng một máy. Nhiều dòng đổi màu cùng lúc: một nguyên nhân chung. Khoảng trống: không có số liệu.",
        "A line a device. Many lines that change together have one cause. A gap is no data.",
    ),
    Kind.STATES,
    (
        InfluxQuery(
            f'SELECT last("condition") AS "condition" FROM "device_status" WHERE {_SCHOOL} AND "device" =~ /^$device$/ GROUP BY time($__interval), "device", "label" fill(null)',
            alias="$tag_label",
        ),
    ),
    words=CONDITIONS,
    height=12,
    interval="2m",
)
_CPU = Panel(
    Words("Mức bận của bộ xử lý (trung bình theo giờ)", "Processor use (hourly mean)"),
    Words(
        "Trung bình của mọi máy đã chọn, tính theo từng lượt đo. Giờ chưa khép lại chưa có trong hình. Cùng số với API /hours.",
        "Mean over all chosen devices, by rounds. An hour that is not over is not in it yet. The same numbers as the API's /hours.",
    ),
    Kind.GRAPH,
    (
        InfluxQuery(
            f'SELECT sum("total") / sum("samples") AS "busy" FROM (SELECT "cpu_busy_ratio_mean" * "cpu_busy_ratio_samples" AS "total", "cpu_busy_ratio_samples" AS "samples" FROM "hourly_usage" WHERE {_DEVICES}) WHERE $timeFilter GROUP BY time(1h) fill(null)',
            KEPT,
            alias="$col",
        ),
    ),
    [Column("busy", Words("Bộ xử lý bận", "Processor busy"))],
    width=12,
    interval="1h",
    unit="percentunit",
    low=0,
    high=1,
)
_MEMORY = Panel(
    Words("RAM còn dùng được: máy thấp nhất theo giờ", "Available memory: lowest device by hour"),
    Words(
        "Giá trị thấp nhất trong giờ của mọi máy đã chọn. Gần 0: có máy không đủ RAM cho bài đang học.",
        "Lowest value within the hour over all chosen devices. Near 0: a PC has too little memory for the lesson.",
    ),
    Kind.GRAPH,
    (
        InfluxQuery(
            f'SELECT min("memory_available_bytes_low") AS "lowest" FROM "hourly_usage" WHERE {_DEVICES} GROUP BY time(1h) fill(null)',
            KEPT,
            alias="$col",
        ),
    ),
    [Column("lowest", Words("Thấp nhất", "Lowest"))],
    width=12,
    interval="1h",
    unit="bytes",
    low=0,
)
_INTERNET = Panel(
    Words("Truy cập được Internet (theo giờ)", "Internet reached (by hour)"),
    Words(
        "Số phút truy cập được trên số phút có thử, mọi máy đã chọn. Giờ không máy nào thử thì để trống: chưa rõ.",
        "Minutes in which the Internet was reached over minutes in which it was tried. Hours without a try are empty: unknown.",
    ),
    Kind.GRAPH,
    (
        InfluxQuery(
            f'SELECT sum("reachable_minutes") / (sum("reachable_minutes") + sum("unreachable_minutes")) AS "reached" FROM "minutes" WHERE {_DEVICES} AND ("reachable_minutes" > 0 OR "unreachable_minutes" > 0) GROUP BY time(1h) fill(null)',
            KEPT,
            alias="$col",
        ),
    ),
    [Column("reached", Words("Truy cập được", "Reached"), steps=((0, RED), (0.9, ORANGE), (0.99, GREEN)))],
    width=12,
    interval="1h",
    unit="percentunit",
    low=0,
    high=1,
)
_LOAD = Panel(
    Words("Tải của đường truyền (theo bộ định tuyến)", "Load of the line (by the router)"),
    Words(
        "Tốc độ vào và ra trên từng cổng của bộ định tuyến, do máy cổng của trường đọc. Trường không có máy cổng: chưa rõ.",
        "Rates in and out on each port of the router, read by the school's gateway. Without a gateway: unknown.",
    ),
    Kind.GRAPH,
    (
        InfluxQuery(f'SELECT non_negative_derivative(max("received_bytes"), 1s) * 8 AS "in" FROM "router" WHERE {_DEVICES} GROUP BY time($__interval), "device", "part" fill(none)', alias="$tag_part ↓"),
        InfluxQuery(f'SELECT non_negative_derivative(max("sent_bytes"), 1s) * 8 AS "out" FROM "router" WHERE {_DEVICES} GROUP BY time($__interval), "device", "part" fill(none)', alias="$tag_part ↑", ref_id="B"),
    ),
    width=12,
    unit="bps",
    low=0,
)  # fmt: skip
_CARDS = Panel(
    Words("Cổng mạng ra Internet", "Network interfaces to the Internet"),
    Words(
        "Tốc độ thương lượng của cổng mạng. 100 Mbit/s ở máy có cổng 1 Gbit/s thường là dây hỏng hoặc đầu bấm lỗi. Ô trống: hệ thống không cho biết.",
        "Negotiated speed. 100 Mbit/s on a 1 Gbit/s port is usually a bad cable or plug. An empty cell: the system does not tell.",
    ),
    Kind.TABLE,
    (
        InfluxQuery(
            f'SELECT last("speed_bps") AS "speed_bps", last("medium") AS "medium", last("duplex") AS "duplex" FROM "link" WHERE {_DEVICES} AND "is_default_route" = true GROUP BY "device", "part"',
            is_table=True,
        ),
    ),
    [
        Column("device", Words("Mã máy", "Device id")),
        Column("part", Words("Cổng", "Interface")),
        Column("speed_bps", Words("Tốc độ", "Speed"), "bps", ((0, RED), (100e6, ORANGE), (1e9, GREEN))),
        Column("medium", Words("Loại", "Medium")),
        Column("duplex", Words("Song công", "Duplex")),
    ],
    width=12,
)
_TESTS = Panel(
    Words("Đo băng thông đồng thời: kết quả từng máy", "Concurrent bandwidth tests: each device"),
    Words(
        "Kết quả các máy trong khoảng thời gian đã chọn. Kết luận về đường truyền nằm ở bảng toàn quận và trang của đợt đo.",
        "Results of the devices within the chosen time. The verdict on the line stands on the district's board and the run's page.",
    ),
    Kind.TABLE,
    (
        InfluxQuery(
            f'SELECT "outcome", "down_bps", "up_bps", "loaded_rtt_p95_s" FROM "campaign" WHERE {_DEVICES} GROUP BY "device" ORDER BY time DESC LIMIT 20',
            KEPT,
            is_table=True,
        ),
    ),
    [
        Column("device", Words("Mã máy", "Device id")),
        Column("outcome", Words("Kết quả", "Outcome"), words=OUTCOMES),
        Column("down_bps", Words("Tải xuống", "Down"), "bps"),
        Column("up_bps", Words("Tải lên", "Up"), "bps"),
        Column("loaded_rtt_p95_s", Words("Độ trễ khi tải (p95)", "Latency under load (p95)"), "s"),
    ],
    shows_time=True,
)
_FAULTS = Panel(
    Words("Dữ liệu không đáng tin của trường", "The school's data not to be trusted"),
    Words(
        "Trùng định danh thường do sao chép ổ đĩa cả phòng: ghi danh lại từng máy. Đồng hồ đáng ngờ: thay pin CMOS.",
        "Duplicated identities come from cloned disks: enrol each PC again. Doubtful clock: replace the CMOS battery.",
    ),
    Kind.STAT,
    (InfluxQuery(f'SELECT {newest(("identity_conflicts", "clock_doubtful", "shared_fingerprint", "refused_messages"))} FROM "school_status" WHERE {_SCHOOL}', is_table=True),),
    [
        Column("identity_conflicts", Words("Trùng định danh", "Duplicated identities"), steps=GOOD_ZERO),
        Column("clock_doubtful", Words("Đồng hồ đáng ngờ", "Doubtful clocks"), steps=GOOD_ZERO),
        Column("shared_fingerprint", Words("Trùng dấu vân tay phần cứng", "Shared fingerprints"), steps=GOOD_ZERO),
        Column("refused_messages", Words("Có bản tin bị từ chối", "Refused messages"), steps=GOOD_ZERO),
    ],
    height=5,
    now=True,
)  # fmt: skip

SCHOOL = Board(
    "school",
    Words("Phòng Máy · Trường", "Phòng Máy · School"),
    Words("Phòng nào, máy nào của trường cần người đến.", "Which rooms and PCs of the school need somebody."),
    (school_variable(several=False), room_variable(), device_variable(several=True)),
    (_NOW, _ROOMS, _PCS, _FAULTS, _STATES, _CPU, _MEMORY, _INTERNET, _LOAD, _CARDS, _TESTS),
    links=(
        Link(Words("Toàn quận", "District"), "/d/phongmay-district-{lang}"),
        Link(Words("Trang kết quả của trường", "The school's verdicts"), "{pages}/schools/${{school}}?lang={lang}"),
    ),
)
