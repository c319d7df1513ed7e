"""The board of the district: which schools need somebody today, how the data fares, how the lines were tested."""
# ruff: noqa: E501, S608 - a query is easier read and copied on one line; its pieces are constants of this package

from __future__ import annotations

from phongmay_dashboards.conditions import (
    LAST_SEEN,
    SCHOOL,
    SEEN_RATIO,
    TO_PAGE,
    TO_SCHOOL,
    condition_columns,
    newest,
    school_variable,
)
from phongmay_dashboards.query import InfluxQuery
from phongmay_dashboards.specification import (
    GOOD_ZERO,
    GREEN,
    GREY,
    ORANGE,
    PLAIN,
    RED,
    Board,
    Column,
    Kind,
    Panel,
)
from phongmay_dashboards.wording import Words
from phongmay_rules.overview import Condition
from phongmay_store.register.compliance import State

_WHERE = '$timeFilter AND "school" =~ /^$school$/'
_FAULTS = (
    "identity_conflicts",
    "clock_doubtful",
    "shared_fingerprint",
    "no_fingerprint",
    "refused_messages",
    "out_of_range",
)
_LINE = (
    "line_tested_s",
    "line_verdict",
    "line_down_bps",
    "line_contracted_down_bps",
    "line_up_bps",
    "line_contracted_up_bps",
)
_SCHOOL_COLUMN = Column("name", SCHOOL, links=(TO_SCHOOL, TO_PAGE), width=260)
_HIDDEN = Column("school", SCHOOL, hidden=True)
_STATES = {
    State.PASS: (Words("✓ Đạt", "✓ Pass"), PLAIN),
    State.FAIL: (Words("✕ Không đạt", "✕ Fail"), GOOD_ZERO),
    State.UNKNOWN: (Words("? Chưa rõ", "? Unknown"), ((0, GREY),)),
    State.NOT_APPLICABLE: (Words("– Không áp dụng", "– Not applicable"), ((0, GREY),)),
    State.MANUAL: (Words("✎ Xét thủ công", "✎ By hand"), ((0, GREY),)),
    State.WAIVED: (Words("⊘ Được miễn", "⊘ Waived"), ((0, GREY),)),
    State.ERROR: (Words("! Lỗi", "! Error"), GOOD_ZERO),
}
LINE_VERDICTS = {
    "pass": (Words("✓ Đạt", "✓ Pass"), GREEN),
    "fail": (Words("✕ Không đạt", "✕ Fail"), RED),
    "insufficient": (Words("? Chưa đủ máy", "? Too few PCs"), GREY),
    "invalid": (Words("? Không hợp lệ", "? Invalid"), GREY),
}


def _summed(fields: tuple[str, ...]) -> str:
    sums = ", ".join(f'sum("{name}") AS "{name}"' for name in fields)
    return f'SELECT {sums} FROM (SELECT {newest(fields)} FROM "school_status" WHERE {_WHERE} GROUP BY "school") WHERE $timeFilter'


def _by_school(fields: tuple[str, ...]) -> str:
    return f'SELECT {newest(fields)} FROM "school_status" WHERE {_WHERE} GROUP BY "school", "name"'


_NOW = Panel(
    Words("Máy tính lúc này", "Computers now"),
    Words(
        "Số thiết bị ở từng tình trạng, cộng các trường đã chọn. «Im lặng»: không nhận được dữ liệu dù phòng đang trong giờ sử dụng "
        "(ngoài giờ: đã im lặng hơn 4 giờ sử dụng). Máy tắt sau giờ học là «Đang tắt», không phải lỗi. «Chưa rõ»: bộ thu không nghe "
        "được, hai máy dùng chung định danh, hoặc không biết giờ sử dụng.",
        "Devices in each condition, over the chosen schools. Silent: not heard although the room is in use (outside lessons: silent for "
        "more than 4 hours of them). A PC that was switched off after class is off, which is no fault. Unknown: no collector hears, "
        "two machines share an identity, or the hours cannot be told.",
    ),
    Kind.STAT,
    (InfluxQuery(_summed(tuple(Condition)), is_table=True),),
    condition_columns(),
    height=5,
    now=True,
)
_SCHOOLS = Panel(
    Words("Trường nào cần xử lý", "Which schools need somebody"),
    Words(
        "Mỗi dòng một trường, xếp theo số máy im lặng. «Có mặt trong giờ học hôm nay» là số phút máy có mặt trên số phút biết được; ô "
        "trống là chưa biết. Bấm tên trường để mở bảng của trường hoặc trang bằng chứng.",
        "One line a school, the one with most silent PCs first. Present in today's lessons: minutes present over known minutes; an "
        "empty cell is unknown. The school's name leads to its board or to its evidence.",
    ),
    Kind.TABLE,
    (
        InfluxQuery(
            _by_school(
                (
                    "silent",
                    "never",
                    "online",
                    "off",
                    "unknown",
                    "devices",
                    "lesson_seen_ratio",
                    "waiting",
                    "last_seen_s",
                )
            ),
            is_table=True,
        ),
    ),
    [
        _SCHOOL_COLUMN,
        _HIDDEN,
        *(column for column in condition_columns() if column.name in ("silent", "never", "online", "off", "unknown")),
        Column("devices", Words("Tổng số thiết bị", "Devices in all"), width=120),
        Column(
            "lesson_seen_ratio",
            Words("Có mặt trong giờ học hôm nay", "Present in today's lessons"),
            "percentunit",
            SEEN_RATIO,
            width=170,
        ),
        Column("waiting", Words("Bản ghi chờ ở máy con", "Records waiting on PCs"), steps=((0, GREY), (1000, ORANGE))),
        Column("last_seen", LAST_SEEN, "dateTimeFromNow"),
    ],
    height=10,
    now=True,
)
_VERDICTS = Panel(
    Words("Kết quả đối chiếu tiêu chuẩn", "Verdicts against the standards"),
    Words(
        "Số kết quả của từng trường theo mọi trạng thái; không có tỉ lệ phần trăm để không che phần chưa rõ. Khi bộ đánh giá dừng, mọi "
        "kết quả được tính là chưa rõ. Cùng số với trang quận và API /compliance.",
        "Verdicts of each school in every state; no percentage, so that none hides what is unknown. When the engine has stopped all "
        "count as unknown. The same numbers as the district's page and the API's /compliance.",
    ),
    Kind.TABLE,
    (InfluxQuery(_by_school(tuple(f"verdict_{state.value}" for state in State)), is_table=True),),
    [
        _SCHOOL_COLUMN,
        _HIDDEN,
        *(Column(f"verdict_{state.value}", words, steps=steps) for state, (words, steps) in _STATES.items()),
    ],
    now=True,
)
_DATA = Panel(
    Words("Dữ liệu không đáng tin", "Data not to be trusted"),
    Words(
        "Số thiết bị có lỗi dữ liệu: hai máy dùng chung định danh (ổ đĩa sao chép), đồng hồ không tin được, trùng hoặc không có dấu vân "
        "tay phần cứng, bản tin bị từ chối, giá trị ngoài giới hạn vật lý trong 7 ngày. Xử lý các lỗi này trước khi tin các con số khác.",
        "Devices whose data has a fault: two machines with one identity (cloned disks), a clock that cannot be believed, a hardware "
        "fingerprint that is shared or missing, refused messages, physically impossible values within 7 days. Mend these first.",
    ),
    Kind.STAT,
    (InfluxQuery(_summed(_FAULTS), is_table=True),),
    [
        Column("identity_conflicts", Words("Trùng định danh", "Duplicated identities"), steps=GOOD_ZERO),
        Column("clock_doubtful", Words("Đồng hồ đáng ngờ", "Doubtful clocks"), steps=GOOD_ZERO),
        Column("shared_fingerprint", Words("Trùng dấu vân tay phần cứng", "Shared fingerprints"), steps=GOOD_ZERO),
        Column("no_fingerprint", Words("Không có dấu vân tay", "No fingerprint"), steps=((0, GREEN), (1, ORANGE))),
        Column("refused_messages", Words("Có bản tin bị từ chối", "Refused messages"), steps=GOOD_ZERO),
        Column("out_of_range", Words("Giá trị bất thường", "Impossible values"), steps=((0, GREEN), (1, ORANGE))),
    ],
    height=5,
    now=True,
)
_LINES = Panel(
    Words("Đường truyền: lần đo đồng thời gần nhất", "Lines: newest concurrent test"),
    Words(
        "Tốc độ khi mọi máy cùng tải, so với hợp đồng. Trường không có lần đo hợp lệ trong 92 ngày để trống: chưa rõ, không phải đạt.",
        "Rate while all PCs load the line at once, beside the contract. Schools without a valid test in 92 days are empty: unknown, not good.",
    ),
    Kind.TABLE,
    (InfluxQuery(_by_school(_LINE), is_table=True),),
    [
        _SCHOOL_COLUMN,
        _HIDDEN,
        Column("line_tested", Words("Đo lúc", "Tested"), "dateTimeAsLocal"),
        Column("line_verdict", Words("Kết quả", "Verdict"), words=LINE_VERDICTS),
        Column("line_down_bps", Words("Tải xuống đo được", "Measured down"), "bps"),
        Column("line_contracted_down_bps", Words("Tải xuống theo hợp đồng", "Contracted down"), "bps"),
        Column("line_up_bps", Words("Tải lên đo được", "Measured up"), "bps"),
        Column("line_contracted_up_bps", Words("Tải lên theo hợp đồng", "Contracted up"), "bps"),
    ],
    now=True,
)
_ONLINE = Panel(
    Words("Máy đang kết nối theo trường", "Computers online by school"),
    Words("Số máy kết nối theo thời gian. Khoảng trống: không có số liệu, không phải không có máy.",
          "Computers online through time. A gap is no data, not no computers."),
    Kind.GRAPH,
    (InfluxQuery(f'SELECT max("online") AS "online" FROM "school_status" WHERE {_WHERE} GROUP BY time($__interval), "school", "name" fill(null)', alias="$tag_name"),),
    width=12,
    low=0,
)  # fmt: skip
_SILENT = Panel(
    Words("Máy im lặng theo trường", "Silent computers by school"),
    Words("Một trường mất nhiều máy cùng lúc thường là mất điện, đứt mạng hoặc hỏng thiết bị mạng, không phải hỏng từng máy.",
          "A school that loses many PCs at once has usually lost power, its line or a switch, not its PCs."),
    Kind.GRAPH,
    (InfluxQuery(f'SELECT max("silent") AS "silent" FROM "school_status" WHERE {_WHERE} GROUP BY time($__interval), "school", "name" fill(null)', alias="$tag_name"),),
    width=12,
    low=0,
)  # fmt: skip
_HEARD = Panel(
    Words("Bộ thu nghe được (phút trong 60 phút qua)", "Collector heard (minutes of the last 60)"),
    Words("Dưới 60: bộ thu, máy chủ MQTT hoặc kho số liệu đã dừng; trong các phút đó không ai kết luận được máy nào vắng. Xem «phongmay status».",
          "Below 60: collector, broker or store was down; in those minutes nobody can say which PC was missing. See 'phongmay status'."),
    Kind.STAT,
    (InfluxQuery('SELECT last("heard_minutes") AS "heard_minutes" FROM "service_status" WHERE $timeFilter', is_table=True),),
    [Column("heard_minutes", Words("Số phút nghe được", "Minutes heard"), steps=((0, RED), (50, ORANGE), (58, GREEN)))],
    width=6,
    height=7,
    now=True,
)  # fmt: skip
_ROUNDS = Panel(
    Words("Lượt đo ghi được", "Rounds stored"),
    Words("Số lượt đo của mọi thiết bị đã vào kho. Rơi về 0 trong giờ học: xem bộ thu trước, rồi mới xem các trường.",
          "Rounds of all devices that reached the store. A drop to 0 in lessons: look at the collector first, then at the schools."),
    Kind.GRAPH,
    (InfluxQuery('SELECT count("interval_s") AS "rounds" FROM "agent" WHERE $timeFilter GROUP BY time($__interval) fill(0)', alias="$col"),),
    [Column("rounds", Words("Lượt đo", "Rounds"))],
    width=9,
    height=7,
    low=0,
)  # fmt: skip
_WAITING = Panel(
    Words("Bản ghi còn chờ ở máy con", "Records waiting on the PCs"),
    Words("Máy con giữ bản ghi cho đến khi có biên nhận. Tăng mãi: bộ thu không ghi kịp hoặc không ghi được; dữ liệu chưa mất.",
          "PCs keep records until the receipt. Growing for long: the collector cannot keep up or cannot write; nothing is lost yet."),
    Kind.GRAPH,
    (InfluxQuery('SELECT sum("waiting") AS "waiting" FROM (SELECT last("waiting") AS "waiting" FROM "school_status" WHERE $timeFilter GROUP BY time($__interval), "school" fill(null)) WHERE $timeFilter GROUP BY time($__interval) fill(null)', alias="$col"),),
    [Column("waiting", Words("Bản ghi chờ", "Records waiting"))],
    width=9,
    height=7,
    low=0,
)  # fmt: skip

DISTRICT = Board(
    "district",
    Words("Phòng Máy · Toàn quận", "Phòng Máy · District"),
    Words("Trường nào cần người đến, dữ liệu có tin được không, đường truyền đo ra sao.",
          "Which schools need somebody, whether the data can be trusted, how the lines were tested."),
    (school_variable(several=True),),
    (_NOW, _SCHOOLS, _ONLINE, _SILENT, _VERDICTS, _DATA, _LINES, _HEARD, _ROUNDS, _WAITING),
)  # fmt: skip
