"""`phongmay status`: how every process of this machine stands, and what to do about what is wrong.

In: the ports of the settings file, asked on loopback. Out: a table and sentences, Vietnamese or English; exit code 0
when all is well, 2 when something is wrong. A process that does not answer is wrong; one whose port is 0 is not asked.
"""

from __future__ import annotations

import argparse
import http.client
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import msgspec

from phongmay.commands import Commands
from phongmay.monitoring import Figure, Report, Trouble, figure_of
from phongmay.reports import port_of
from phongmay.settings import ServerSettings, load
from phongmay_store.register.timetable import LOCAL

_TIMEOUT_S = 5.0

_WORDS: Mapping[str, tuple[str, str]] = {
    "well": ("hoạt động tốt", "well"),
    "wrong": ("có vấn đề", "wrong"),
    "silent": ("không trả lời", "silent"),
    "all_well": ("Mọi thành phần đều hoạt động tốt.", "All is well."),
    "never": ("chưa bao giờ", "never"),
}
_REMEDIES: Mapping[str, tuple[str, str]] = {
    "silent": (
        "không trả lời trên cổng {detail}: xem chương trình có đang chạy không (systemctl status) và nhật ký của nó",
        "does not answer on port {detail}: see whether it runs (systemctl status) and what its log says",
    ),
    "stuck": (
        "đang chạy nhưng không tiến triển: xem nhật ký rồi khởi động lại",
        "runs but does not turn: see its log, then restart it",
    ),
    "broker_away": (
        "không kết nối được với máy chủ MQTT (người dùng {detail}): xem 'phongmay broker run', broker.host và "
        "broker.port",
        "has no session at the broker (user {detail}): see 'phongmay broker run', broker.host and broker.port",
    ),
    "store_away": (
        "kho số liệu không nhận; số thông điệp chờ trên đĩa và lý do: {detail}. Dữ liệu không mất; hãy xem kho số liệu "
        "và dung lượng đĩa",
        "the series store takes nothing; messages waiting on disk, and why: {detail}. Nothing is lost; see the store "
        "and the room on its disk",
    ),
    "series_away": (
        "không đọc được kho số liệu: {detail}; xem kho số liệu và 'phongmay store check-config'",
        "the series store cannot be read: {detail}; see the store, and 'phongmay store check-config'",
    ),
    "stores_away": (
        "không đọc hoặc ghi được một kho: {detail}; sẽ tự thử lại. Hãy xem kho số liệu và sổ đăng ký",
        "a store cannot be read or written: {detail}; it tries again by itself. See the series store and the register",
    ),
    "queue_full": (
        "cả kho số liệu lẫn hàng đợi trên đĩa đều không nhận ({detail}): giải phóng đĩa hoặc tăng collector.queue_mib",
        "neither the store nor the queue on disk takes anything ({detail}): make room, or raise collector.queue_mib",
    ),
    "register_away": (
        "sổ đăng ký không trả lời: xem store.register_url và máy chủ cơ sở dữ liệu {detail}",
        "the register does not answer: see store.register_url and its database server {detail}",
    ),
    "late": (
        "ghi chậm {detail} sau khi nhận: máy quá tải; thêm bộ thu (docs/scaling.md)",
        "stores {detail} after arrival: the machine is too busy; add a collector (docs/scaling.md)",
    ),
    "device_throttled": (
        "thiết bị gửi quá nhiều, phần vượt không được đọc: {detail}; kiểm tra máy đó hoặc thu hồi tài khoản của nó",
        "a device sends too much, what is beyond is not read: {detail}; look at that machine, or revoke its credential",
    ),
    "broker_dropped": (
        "máy chủ MQTT đã bỏ thông điệp vì hàng đợi đầy (tổng cộng {detail}); máy con sẽ gửi lại; tăng broker.queue_mib",
        "the broker dropped messages because a queue was full ({detail} in all); agents send them again; raise "
        "broker.queue_mib",
    ),
    "no_evaluation": (
        "chưa đánh giá lại trong {detail}: xem nhật ký của 'phongmay rules run'",
        "no evaluation for {detail}: see the log of 'phongmay rules run'",
    ),
}


def add(commands: Commands) -> None:
    """Declare the verb."""
    parser = commands.add_parser("status", help="how every process stands, and what to do about it")
    parser.add_argument("--lang", choices=("vi", "en"), default="vi", help="language (default: %(default)s)")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    english = args.lang == "en"
    settings = load(args.config)
    wrong = False
    for name, port in _ports(settings):
        report = _ask(port)
        troubles = _troubles(report, port)
        wrong = wrong or bool(troubles)
        word = _WORDS["silent" if report is None else "wrong" if troubles else "well"][english]
        print(f"{name:<14}{word:<18}{' · '.join(_facts(report, english))}".rstrip())
        for trouble in troubles:
            print(f"{'':<14}- {_sentence(trouble, english)}")
    if not wrong:
        print(_WORDS["all_well"][english])
    return 2 if wrong else 0


def _ports(settings: ServerSettings) -> Iterator[tuple[str, int]]:
    for number in range(1, settings.broker.collectors + 1):
        port = port_of(replace(settings.collector, number=number))
        if port:
            yield f"collector {number}", port
    for name, port in (
        ("rules", settings.rules.metrics_port),
        ("api", settings.api.metrics_port),
        ("campaigns", settings.campaigns.metrics_port),
        ("dashboards", settings.dashboards.metrics_port),
        ("bandwidth", settings.bandwidth.metrics_port),
    ):
        if port:
            yield name, port


def _ask(port: int) -> Report | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/status")
        return msgspec.json.decode(connection.getresponse().read(), type=Report)
    except (OSError, http.client.HTTPException, msgspec.MsgspecError):
        return None
    finally:
        connection.close()


def _troubles(report: Report | None, port: int) -> list[Trouble]:
    if report is None:
        return [Trouble("silent", str(port))]
    return [*([] if report.turns else [Trouble("stuck", "")]), *report.troubles]


def _sentence(trouble: Trouble, english: bool) -> str:
    words = _REMEDIES.get(trouble.code)
    return words[english].format(detail=trouble.detail) if words else f"{trouble.code}: {trouble.detail}"


def _facts(report: Report | None, english: bool) -> Iterator[str]:
    """Give the few figures that tell a person most."""
    figures: Sequence[Figure] = report.figures if report is not None else ()
    names = {figure.name for figure in figures}
    if "queue_messages" in names:
        disk = sum(one.value for one in figures if one.name == "queue_messages" and one.labels.get("where") == "disk")
        yield (f"waiting {_whole(figures, 'receipts_outstanding')}, on disk {disk:.0f}" if english else
               f"đang chờ {_whole(figures, 'receipts_outstanding')}, trên đĩa {disk:.0f}")  # fmt: skip
        yield ("lag" if english else "trễ") + f" {_seconds(figures, 'lag_seconds', english)}"
        yield (
            ("last write" if english else "ghi lần cuối")
            + " "
            + _when(figures, "last_write_timestamp_seconds", english)
        )
        yield ("dead letters" if english else "thư chết") + f" {_whole(figures, 'dead_letters')}"
        yield ("broker dropped" if english else "MQTT đã bỏ") + f" {_whole(figures, 'broker_dropped_messages')}"
    if "evaluation_seconds" in names:
        took = _seconds(figures, "evaluation_seconds", english)
        yield (
            ("last evaluation" if english else "đánh giá lần cuối")
            + " "
            + _when(figures, "last_evaluation_timestamp_seconds", english)
        )
        yield f"took {took}" if english else f"mất {took}"
    if "series_answer_seconds" in names:
        milliseconds = 1000 * figure_of(figures, "series_answer_seconds")
        yield (f"store answers in {milliseconds:.0f} ms" if english else f"kho trả lời trong {milliseconds:.0f} ms")


def _seconds(figures: Sequence[Figure], name: str, english: bool) -> str:
    text = f"{figure_of(figures, name):.1f} s"
    return text if english else text.replace(".", ",")


def _whole(figures: Sequence[Figure], name: str) -> str:
    return f"{figure_of(figures, name):.0f}"


def _when(figures: Sequence[Figure], name: str, english: bool) -> str:
    at = figure_of(figures, name)
    return datetime.fromtimestamp(at, LOCAL).strftime("%H:%M:%S") if at else _WORDS["never"][english]
