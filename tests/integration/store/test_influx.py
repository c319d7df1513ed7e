"""InfluxDB when things go wrong, and its two languages against the real server: nothing ends a literal or a line.

Long because every refusal of a server, old, other or with TLS, has its own sentence and is met here by a real one.
"""

from __future__ import annotations

import datetime as dt
import json
import secrets
import signal
import socket
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from phongmay_contract.catalogue import MEASUREMENTS
from phongmay_contract.envelope import Group
from phongmay_store.errors import StoreError
from phongmay_store.series import open_writer
from phongmay_store.series.influx_server import MOST_BYTES, InfluxServer
from phongmay_store.series.influx_setup import check, set_up
from phongmay_store.series.influx_words import (
    GUESSED,
    OWN_FIELDS,
    among,
    encode,
    literal,
    name,
    tag_back,
    tag_filter,
    tag_text,
)
from phongmay_store.series.interface import TimeBasis
from phongmay_store.settings import InfluxSettings, StoreSettings
from tests.certificates import Authority

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
HOSTILE = (
    "' OR 1=1 --",
    "\\",
    "\\'",
    "a\nb",
    '"; DROP DATABASE x',
    "%27",
    "'",
    "\\\\'",
    "x=1,y=2 z",
    "#",
    "/",
    "\t",
    "ö",
)


@pytest.fixture(scope="session")
def scratch(influxd: Any) -> Iterator[InfluxServer]:
    """A database of the session's influxd for texts of any kind."""
    server = InfluxServer(InfluxSettings(version="1", url=influxd.url, database="scratch"))
    server.query("", "CREATE DATABASE scratch", change=True)
    with closing(server):
        yield server


@settings(max_examples=60, deadline=None)
@given(TEXTS)
@example("")
@example("\\")
@example("' OR 1=1 --")
@example("a\nb")
@example("/")
@example("\r")
def test_no_text_can_end_a_literal_or_a_line(scratch: InfluxServer, text: str) -> None:
    """Whatever a machine calls its disk: the point is written, found by that text, and comes back unchanged."""
    series = f"m{secrets.token_hex(6)}"
    field = text.replace("\\", "\\\\").replace('"', '\\"')
    tag = f",part={tag_text(text)}" if text else ""
    lines = [f'{series},device=a{tag} v="{field}" 1', f'{series},device=b,part=other v="other" 1']
    scratch.write("scratch", [line.encode() for line in lines])
    statement = f'SELECT v FROM {name(series)} WHERE "part" = {literal(tag_filter(text))} GROUP BY "device", "part"'
    found = scratch.query("scratch", statement)
    expected = {"a", "b"} if text == "other" else {"a"}
    assert {one.tags["device"] for one in found} == expected
    assert tag_back(found[0].tags["part"]) == text
    if "\0" in text or "\r" in text:
        with pytest.raises(StoreError, match="control characters"):
            literal(text)
        return
    by_field = scratch.query("scratch", f"SELECT v FROM {name(series)} WHERE v = {literal(text)} GROUP BY device")
    assert {one.tags["device"] for one in by_field} == expected
    assert by_field[0].values[0][1] == text


@pytest.mark.parametrize("text", HOSTILE)
def test_a_name_is_one_name(scratch: InfluxServer, text: str) -> None:
    """A name in double quotes asks for that measurement and nothing else; it cannot begin another statement."""
    found = scratch.results("scratch", f"SELECT v FROM {name(text)}; SELECT v FROM {name('none' + text)}")
    assert found == [[], []]


def test_among_finds_the_named_devices_only(scratch: InfluxServer) -> None:
    """A list of devices is no pattern: a dot is a dot, and what no contract allows finds nothing."""
    devices = ("pc-1", "pc-11", "pc.1", "pcx1", "xpc-1")
    scratch.write("scratch", [f"among,device={device} v=1i 1".encode() for device in devices])

    def found(*devices: str) -> set[str]:
        statement = f'SELECT v FROM among WHERE {among("device", devices)} GROUP BY "device"'
        return {series.tags["device"] for series in scratch.query("scratch", statement)}

    assert found("pc-1", "pc.1") == {"pc-1", "pc.1"}
    assert found("pc.1") == {"pc.1"}
    assert found("pc-1", ".*", "x)|(.*") == {"pc-1"}
    assert found(".*/") == set()


def test_every_quantity_has_one_field_type_for_ever(make: SimpleNamespace) -> None:
    """A whole float is a float and a count an integer: the first point would fix the wrong type for ever."""
    lines = encode([make.arrival(1, make.HOUR, make.usage(5, cpu=1))], 0.0).raw
    (line,) = lines
    assert b"cpu_busy_ratio=1," in line, "without i it is a float"
    assert b"memory_used_bytes=5i," in line
    assert line.startswith(b"usage,device=pc-one ")


@pytest.mark.parametrize("text", [*HOSTILE, "a,b", "x=1", '":', ',"', "null", "[1,2]"])
def test_a_text_comes_back_as_it_was_sent(influx_store: StoreSettings, make: SimpleNamespace, text: str) -> None:
    """JSON's way of writing values is that of lines only for plain texts; no other may break the line or change."""
    values = {"campaign_run": "run", "outcome": "ok", "reason": text, "down_bps": 1.5, "down_bytes": 7,
              "up_is_written": True}  # fmt: skip
    with closing(open_writer(influx_store)) as series:
        series.write([make.arrival(1, make.HOUR, Group("campaign", values))])
        assert [row.values for row in series.latest("campaign")] == [values]


def test_a_text_with_line_ends_is_never_cut_where_requests_are(
    influx_store: StoreSettings, make: SimpleNamespace
) -> None:
    """More lines than one request takes: a machine's text that looks like a line stays inside its own."""
    text = "x\nusage,device=victim memory_used_bytes=7i 1\nx" + 500 * "y"
    hostile = {"campaign_run": "run", "outcome": "ok", "reason": text}
    arrivals = [make.arrival(seq, make.HOUR, Group("campaign", hostile)) for seq in range(MOST_BYTES // 500)]
    with closing(InfluxServer(influx_store.influx)) as server:
        server.write(influx_store.influx.database, encode(arrivals, 0.0).kept)
        (found,) = server.query(influx_store.influx.database, 'SELECT "reason" FROM "campaign"')
        assert {row["reason"] for row in found.rows()} == {text}
        assert server.query(influx_store.influx.database, 'SELECT * FROM "usage"') == []


def test_no_quantity_is_called_like_a_field_or_tag_of_ours() -> None:
    """In InfluxDB tags and fields of one measurement share their names; a clash would mix two meanings."""
    ours = {*OWN_FIELDS, GUESSED, "device", "part", "time"}
    for measurement in MEASUREMENTS.values():
        assert not {quantity.name for quantity in measurement.quantities} & ours


# ---- what goes wrong -------------------------------------------------------------------------------------------------


def test_setting_up_twice_keeps_what_is_there(influx_store: StoreSettings, make: SimpleNamespace) -> None:
    """`phongmay store init` may be run again, also to change how long rounds are kept."""
    with closing(open_writer(influx_store)) as series:
        series.write([make.arrival(1, make.HOUR)])
        told = set_up(replace(influx_store, raw_days=30))
        assert [("was there" in line, "for 32 days" in line) for line in told] == [(True, True), (True, False)]
        assert len(list(series.latest("usage"))) == 1
    assert [line.split(":")[0] for line in check(influx_store)] == [
        f"database {influx_store.influx.database}",
        f"database {influx_store.influx.database}_raw",
    ]


def test_an_unknown_database_says_what_to_do(influx_store: StoreSettings, make: SimpleNamespace) -> None:
    """The error stands inside an answer with status 200 when reading, and is an error all the same."""
    settings = replace(influx_store, influx=replace(influx_store.influx, database="nosuch"))
    with closing(open_writer(settings)) as series:
        with pytest.raises(StoreError, match=r"'nosuch_raw'.*phongmay store init"):
            series.write([make.arrival(1, make.HOUR)])
        with pytest.raises(StoreError, match=r"'nosuch_raw'.*phongmay store init"):
            series.latest("usage")
        assert series.envelope_count() == 0


def test_a_type_conflict_is_named_and_nothing_is_receipted(influx_store: StoreSettings, make: SimpleNamespace) -> None:
    """Another program wrote the field with another type: the operator learns which one; nothing counts as stored."""
    server = InfluxServer(influx_store.influx)
    raw = f"{influx_store.influx.database}_raw"
    with closing(server), closing(open_writer(influx_store)) as series:
        server.write(raw, [f"usage,device=x memory_used_bytes=1.5 {make.HOUR}000000000".encode()])
        with pytest.raises(StoreError, match=r"memory_used_bytes.*another type.*|another type.*memory_used_bytes"):
            series.write([make.arrival(1, make.HOUR)])
        assert series.envelope_count() == 0


def test_a_shorter_time_of_keeping_than_ours_is_named(influx_store: StoreSettings, make: SimpleNamespace) -> None:
    """A server that would drop points on arrival must not get receipts for them."""
    server = InfluxServer(influx_store.influx)
    raw = f"{influx_store.influx.database}_raw"
    with closing(server), closing(open_writer(influx_store)) as series:
        server.query(raw, f"ALTER RETENTION POLICY rounds ON {name(raw)} DURATION 2h SHARD DURATION 1h", change=True)
        with pytest.raises(StoreError, match=r"store\.raw_days.*phongmay store init"):
            series.write([make.arrival(1, make.HOUR)])


@pytest.mark.parametrize("case", ["refused", "silent"])
def test_a_server_that_does_not_answer_is_a_store_error_in_time(
    influx_store: StoreSettings, make: SimpleNamespace, case: str
) -> None:
    """The collector keeps its batch and tries again; it must never hang."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        if case == "silent":
            listener.listen(8)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        influx = replace(influx_store.influx, url=url, timeout_s=0.3)
        with closing(open_writer(replace(influx_store, influx=influx))) as series:
            before = time.monotonic()
            with pytest.raises(StoreError, match=rf"{url} does not answer.*store\.influx\.url"):
                series.write([make.arrival(1, make.HOUR)])
            assert time.monotonic() - before < 10
            assert series.envelope_count() == 0


def test_an_answer_that_is_none_is_a_store_error(influx_store: StoreSettings, wait_until: Any) -> None:
    """A proxy's error page, or another server behind the port: one sentence, no traceback."""

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                peer, _ = listener.accept()
                with closing(peer):
                    peer.recv(65536)
                    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>")

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        influx = replace(influx_store.influx, url=f"http://127.0.0.1:{listener.getsockname()[1]}")
        with closing(InfluxServer(influx)) as server:
            with pytest.raises(StoreError, match="no answer to InfluxQL"):
                server.query("x", "SHOW DATABASES")
            with pytest.raises(StoreError, match="is it an InfluxDB"):
                server.version()
        for version in ("1", "2"):
            with pytest.raises(StoreError, match="InfluxDB"):
                set_up(replace(influx_store, influx=replace(influx, version=version)))
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="session")
def locked_influxd(influxd_program: str, tmp_path_factory: pytest.TempPathFactory, time_servers: Any) -> Iterator[str]:
    """A real influxd that asks for passwords; its administrator is admin with the word secret."""
    folder = tmp_path_factory.mktemp("locked")
    with time_servers.influxd(influxd_program, folder, auth=True) as server:
        order = {"q": "CREATE USER admin WITH PASSWORD 'secret' WITH ALL PRIVILEGES"}
        urllib.request.urlopen(f"{server.url}/query", urllib.parse.urlencode(order).encode(), timeout=5).close()
        yield server.url


def test_a_password_from_a_file_opens_and_a_wrong_one_is_told(
    locked_influxd: str, influx_store: StoreSettings, tmp_path: Path, make: SimpleNamespace
) -> None:
    """The secret lies in a file, never in the settings; a wrong one names the key, and never the secret."""
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text("admin:secret\n", "utf-8")
    bad.write_text("admin:wrong", "utf-8")
    right = replace(influx_store, influx=replace(influx_store.influx, url=locked_influxd, auth=str(good)))
    set_up(right)
    with closing(open_writer(right)) as series:
        series.write([make.arrival(1, make.HOUR)])
        assert len(list(series.latest("usage"))) == 1
    for auth in (str(bad), ""):
        wrong = replace(right, influx=replace(right.influx, auth=auth))
        with closing(open_writer(wrong)) as series:
            with pytest.raises(StoreError, match=r"refuses us \(401.*store\.influx\.auth") as told:
                series.write([make.arrival(2, make.HOUR)])
            assert "wrong" not in str(told.value)
            with pytest.raises(StoreError, match=r"store\.influx\.auth"):
                series.latest("usage")


def test_a_password_in_vietnamese_opens(locked_influxd: str, influx_store: StoreSettings, tmp_path: Path) -> None:
    """Name and password are UTF-8, as InfluxDB keeps them, also from a file of Windows with its mark in front."""
    admin = tmp_path / "admin"
    admin.write_text("admin:secret", "utf-8")
    with closing(InfluxServer(replace(influx_store.influx, url=locked_influxd, auth=str(admin)))) as server:
        server.query("", "CREATE USER \"quản trị\" WITH PASSWORD 'mật khẩu: é' WITH ALL PRIVILEGES", change=True)
    for encoding in ("utf-8", "utf-8-sig"):
        secret = tmp_path / encoding
        secret.write_text("quản trị:mật khẩu: é\n", encoding)
        with closing(InfluxServer(replace(influx_store.influx, url=locked_influxd, auth=str(secret)))) as server:
            assert server.query("", "SHOW DATABASES")


def test_a_user_without_the_right_is_told_from_a_wrong_password(
    locked_influxd: str, influx_store: StoreSettings, tmp_path: Path
) -> None:
    """403: the file is right, the right is missing; the sentence does not send anybody to look for the password."""
    admin, reader = tmp_path / "admin", tmp_path / "reader"
    admin.write_text("admin:secret", "utf-8")
    reader.write_text("reader:reader", "utf-8")
    with closing(InfluxServer(replace(influx_store.influx, url=locked_influxd, auth=str(admin)))) as server:
        server.query("", "CREATE USER reader WITH PASSWORD 'reader'", change=True)
    with pytest.raises(StoreError, match=r"403.*store\.influx\.auth lacks the right"):
        set_up(replace(influx_store, influx=replace(influx_store.influx, url=locked_influxd, auth=str(reader))))


@pytest.fixture(scope="session")
def https_influxd(influxd_program: str, tmp_path_factory: pytest.TempPathFactory, time_servers: Any) -> Iterator[Any]:
    """A real influxd that speaks TLS with a certificate of a CA that no system knows."""
    folder = tmp_path_factory.mktemp("https")
    authority = Authority(folder, "district")
    certificate, key = authority.issue(dt.datetime.now(dt.UTC) - dt.timedelta(hours=1))
    with time_servers.influxd(influxd_program, folder, tls=(certificate, key, authority.file)) as server:
        yield server


def test_tls_with_a_ca_of_its_own(
    https_influxd: Any, influx_store: StoreSettings, tmp_path: Path, make: SimpleNamespace
) -> None:
    """store.influx.ca_file is trusted by what asks and by what writes; without it, or with another, it is named."""
    influx = replace(influx_store.influx, url=https_influxd.url, ca_file=str(https_influxd.authority))
    right = replace(influx_store, influx=influx)
    set_up(right)
    with closing(open_writer(right)) as series:
        series.write([make.arrival(1, make.HOUR)])
        assert len(list(series.latest("usage"))) == 1
    for file in ("", str(Authority(tmp_path, "stranger").file)):
        with pytest.raises(StoreError, match=r"certificate.*store\.influx\.ca_file"):
            set_up(replace(right, influx=replace(influx, ca_file=file)))
    with pytest.raises(StoreError, match=r"speaks no TLS.*store\.influx\.url"):
        set_up(
            replace(
                influx_store, influx=replace(influx_store.influx, url=influx_store.influx.url.replace("http", "https"))
            )
        )


def test_the_v2_way_of_writing_trusts_the_same_ca(https_influxd: Any, influx_store: StoreSettings) -> None:
    """influxdb-client is given the CA: a server without /api/v2/write answers 404, which only a trusted one can."""
    influx = replace(influx_store.influx, url=https_influxd.url, version="2", ca_file=str(https_influxd.authority))
    with closing(InfluxServer(influx)) as server, pytest.raises(StoreError, match="knows no such address"):
        server.write("x", [b"a b=1"])
    with closing(InfluxServer(replace(influx, ca_file=""))) as server, pytest.raises(StoreError, match=r"ca_file"):
        server.write("x", [b"a b=1"])


def test_a_server_of_another_version_is_told(influx_store: StoreSettings) -> None:
    """`store init` with version 2 or 3 on an InfluxDB 1.6 names the version, not the organisation."""
    for version in ("2", "3"):
        with pytest.raises(StoreError, match=r"store\.influx\.version"):
            set_up(replace(influx_store, influx=replace(influx_store.influx, version=version)))


def test_settings_that_cannot_be_used_name_their_key(tmp_path: Path) -> None:
    """A missing or empty secret, an address that is none: known before anything is sent."""
    (tmp_path / "empty").touch()
    (tmp_path / "token").write_text("token", "utf-8")
    (tmp_path / "odd").write_text("mã", "utf-8")
    for changes, key in (
        ({"url": "127.0.0.1:8086"}, "store.influx.url"),
        ({"url": "http://admin:secret@127.0.0.1:8086"}, "store.influx.url"),
        ({"auth": str(tmp_path / "none")}, "store.influx.auth"),
        ({"auth": str(tmp_path / "empty")}, "one line"),
        ({"auth": str(tmp_path / "token"), "version": "1"}, "user:password"),
        ({"auth": str(tmp_path / "odd")}, r"store\.influx\.auth .*odd.*ASCII"),
        ({"url": "http://[::1"}, r"store\.influx\.url .*no address"),
        ({"url": "http://127.0.0.1:99999"}, r"store\.influx\.url .*no address"),
        ({"url": "http://127.0.0.1:8086?db=x"}, r"store\.influx\.url .*no address"),
        ({"database": ""}, r"store\.influx\.database"),
        ({"ca_file": str(tmp_path / "none")}, r"store\.influx\.ca_file .*none"),
        ({"ca_file": str(tmp_path / "token")}, r"store\.influx\.ca_file .*token"),
    ):
        with pytest.raises(StoreError, match=key) as told:
            InfluxServer(replace(InfluxSettings(), **changes))
        assert "secret@" not in str(told.value)


def test_a_server_that_dies_while_it_is_written_to_loses_and_doubles_nothing(
    influxd_program: str, tmp_path: Path, influx_store: StoreSettings, make: SimpleNamespace, time_servers: Any
) -> None:
    """kill -9 of influxd between and within writes: what was not promised is written again, each row once."""
    folder = tmp_path / "killed"
    with time_servers.influxd(influxd_program, folder) as server:
        settings = replace(influx_store, influx=replace(influx_store.influx, url=server.url, timeout_s=2.0))
        set_up(settings)
        with closing(open_writer(settings)) as series:
            waiting = [
                [make.arrival(seq, make.HOUR + seq, make.usage(seq)) for seq in range(start, start + 200)]
                for start in range(0, 2400, 200)
            ]
            kill = threading.Timer(0.05, server.process.send_signal, [signal.SIGKILL])
            kill.start()
            failed, tries = 0, 0
            while waiting and (tries := tries + 1) < 200:
                try:
                    series.write(waiting[0])
                    waiting.pop(0)
                except StoreError:
                    failed += 1
                    kill.join()
                    if server.process.poll() is not None:
                        server.restart()
            if not failed:  # all was written before the kill: it must still be there behind it
                kill.join()
                server.restart()
            assert not waiting
            rows = series.range(make.DEVICE, "usage", make.HOUR, make.HOUR + 3600, limit=5000)
            assert [row.values["memory_used_bytes"] for row in rows] == list(range(2400))
            assert series.envelope_count() == 2400


@pytest.mark.parametrize("basis", TimeBasis)
def test_two_collectors_with_the_same_envelopes_store_each_once(
    influx_store: StoreSettings, make: SimpleNamespace, basis: TimeBasis
) -> None:
    """A broker gives to one what another has not acknowledged: the first decides the time, and nothing doubles."""
    failed: list[Exception] = []

    def collect(number: int) -> None:
        with closing(open_writer(influx_store)) as series:
            for start in range(0, 300, 30):
                shift = 0 if basis is TimeBasis.LIVE else 500 * number
                batch = [make.arrival(seq, make.HOUR + seq + shift, make.usage(seq), basis=basis)
                         for seq in range(start, start + 30)]  # fmt: skip
                try:
                    series.write(batch)
                except StoreError as error:
                    failed.append(error)

    threads = [threading.Thread(target=collect, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with closing(open_writer(influx_store)) as series:
        rows = series.range(make.DEVICE, "usage", make.HOUR - 1, make.HOUR + 7200, limit=2000)
        assert sorted(row.values["memory_used_bytes"] for row in rows) == list(range(300))
        assert series.envelope_count() == 300


# ---- the wire of influxdb-client -------------------------------------------------------------------------------------


def test_influxdb_client_s_wire_format_reaches_a_real_server(victoria_metrics: Any, make: SimpleNamespace) -> None:
    """/api/v2/write as 2.x and 3 have it: values, times and tags arrive (victoria-metrics keeps numbers only)."""
    influx = InfluxSettings(version="2", url=victoria_metrics.url, database="phongmay", org="x")
    device = f"pc-{secrets.token_hex(4)}"
    ping = Group("reach", {"ok": True, "took_s": 0.5}, part="a b")
    arrivals = [
        make.arrival(seq, make.HOUR + 60 * seq, make.usage(100 + seq), ping, sender=device) for seq in range(30)
    ]
    with closing(InfluxServer(influx)) as server:
        server.write("phongmay_raw", encode(arrivals, 0.0).raw)

    def exported(metric: str) -> list[dict[str, Any]]:
        match = urllib.parse.quote(f'{metric}{{device="{device}"}}')
        window = f"start={make.HOUR - 60}&end={make.HOUR + 7200}"
        with urllib.request.urlopen(
            f"{victoria_metrics.url}/api/v1/export?match[]={match}&{window}", timeout=10
        ) as out:
            return [json.loads(line) for line in out.read().splitlines()]

    end = time.monotonic() + 20
    while not (found := exported("usage_memory_used_bytes")) and time.monotonic() < end:
        time.sleep(0.1)
    (memory,) = found
    assert memory["values"] == [100 + seq for seq in range(30)]
    assert [at // 1000 for at in memory["timestamps"]] == [make.HOUR + 60 * seq for seq in range(30)]
    (took,) = exported("reach_took_s")
    assert (took["metric"]["part"], took["values"]) == ("a b", [0.5] * 30)


def test_a_wrong_version_in_the_settings_is_told(influx_store: StoreSettings, make: SimpleNamespace) -> None:
    """A 1.6 has no /api/v2/write: whoever set version 2 for it learns the key."""
    settings = replace(influx_store, influx=replace(influx_store.influx, version="2"))
    with closing(open_writer(settings)) as series, pytest.raises(StoreError, match=r"store\.influx\.version"):
        series.write([make.arrival(1, make.HOUR)])
