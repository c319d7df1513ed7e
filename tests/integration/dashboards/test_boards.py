"""Every panel of every board, asked on a real InfluxDB with all variables filled in, gives the API's number.

Long because each panel has its own derivation from the API's answers here, independent of the panel's query.
"""

from __future__ import annotations

import json
import math
import re
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from phongmay_dashboards.asking import Answer, answers, values, window_of
from phongmay_dashboards.interpolation import Value, Window, interval_for, milliseconds
from phongmay_dashboards.provisioning import BOARDS
from phongmay_store.register.compliance import State
from phongmay_store.series import readers

pytestmark = [pytest.mark.integration, pytest.mark.timeout(280)]
FAULTS = ("no_fingerprint", "shared_fingerprint", "refused_messages", "out_of_range")
PANELS = [(board.key, panel.title.en) for board in BOARDS for panel in board.panels]
Cells = dict[tuple[Any, ...], Any]
"""Values by tags, time (of graphs) and column."""


# ---- what a board was answered --------------------------------------------------------------------------------------


class Asked:
    """One board with its variables filled in, and the answers to its queries by panel."""

    def __init__(self, lab: Any, key: str, chosen: dict[str, str]) -> None:
        self.board = next(board for board in BOARDS if board.key == key)
        self.values = values(lab.server, self.board, chosen, lab.window)
        self.answers: dict[str, list[Answer]] = defaultdict(list)
        for answer in answers(lab.server, self.board, self.values, lab.window):
            self.answers[answer.panel.title.en].append(answer)

    def cells(self, title: str, *tags: str, timed: bool = False) -> Cells:
        """Give all values of a panel."""
        found: Cells = {}
        for answer in self.answers[title]:
            for series in answer.series:
                for row in series.rows():
                    key = (*(series.tags[tag] for tag in tags), *((row.pop("time") // 10**6,) if timed else ()))
                    row.pop("time", None)
                    for column, value in row.items():
                        if value is not None:
                            assert (*key, column) not in found, "one value for each cell"
                            found[(*key, column)] = value
        return found

    def window(self, lab: Any, title: str) -> tuple[Window, int]:
        """Give what a panel looks at, and its interval in ms."""
        panel = self.answers[title][0].panel
        own = window_of(panel, lab.window)
        return own, milliseconds(interval_for(own, least=panel.interval))


@pytest.fixture(scope="session")
def asked(lab: Any) -> SimpleNamespace:
    """The three boards: of all schools, of one, and of one PC of it that is online."""
    school = min(one["unit_id"] for one in lab.now["overview"]["schools"])
    pcs = [one for one in lab.now["conditions"] if one["unit_id"] == school and one["kind"] == "pc"]
    device = next(one["device_id"] for one in pcs if one["condition"] == "online" and one["memory_bytes"])
    return SimpleNamespace(
        school_id=school,
        device_id=device,
        district=Asked(lab, "district", {}),
        school=Asked(lab, "school", {"school": school}),
        device=Asked(lab, "device", {"school": school, "device": device}),
    )


def same(found: Cells, wanted: Cells) -> None:
    """Compare: the same cells, numbers equal but for rounding; and there is something to compare."""
    assert wanted
    assert found.keys() == wanted.keys(), (sorted(found.keys() ^ wanted.keys(), key=repr))[:6]
    for key, value in wanted.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            assert math.isclose(found[key], value, rel_tol=1e-9, abs_tol=1e-9), (key, found[key], value)
        else:
            assert found[key] == value, key


# ---- what the API says ----------------------------------------------------------------------------------------------


def milli(text: str | None) -> float | None:
    """Give a time of the API in milliseconds."""
    return None if text is None else datetime.fromisoformat(text).timestamp() * 1000


def present(fields: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is not known."""
    return {name: value for name, value in fields.items() if value is not None}


def lessons(today: dict[str, int]) -> dict[str, Any]:
    """Give availability as a board does."""
    return {"lesson_seen_ratio": today["seen"] / today["known"] if today["known"] else None}


def sums(found: dict[str, Any]) -> dict[str, Any]:
    """Give what a board may show of sums over devices."""
    return {
        "devices": found["devices"],
        **found["conditions"],
        "clock_doubtful": found["clock_doubtful"],
        "identity_conflicts": found["identity_conflicts"],
        "waiting": found["waiting"],
        "last_seen": milli(found["last_seen"]),
        **lessons(found["today"]),
    }


def schools(lab: Any) -> dict[str, dict[str, Any]]:
    """Give everything about each school under the boards' names."""
    compliance = {one["unit_id"]: one["shares"] for one in lab.now["compliance"]["below"]}
    clean = {
        one["unit_id"]: next(score["faults"] for score in one["scores"] if score["score"] == "sach")
        for one in lab.now["quality"]["schools"]
    }
    found = {}
    for one in lab.now["overview"]["schools"]:
        test = one["last_test"] or {}
        found[one["unit_id"]] = present(
            {
                **sums(one["sums"]),
                **{f"verdict_{state.value}": compliance[one["unit_id"]][state.value] for state in State},
                **{fault: clean[one["unit_id"]].get(fault, 0) for fault in FAULTS},
                "line_tested": milli(test.get("at")),
                "line_verdict": test.get("verdict"),
                "line_down_bps": test.get("down_bps"),
                "line_up_bps": test.get("up_bps"),
                "line_contracted_down_bps": test.get("contracted_down_bps"),
                "line_contracted_up_bps": test.get("contracted_up_bps"),
            }
        )
    return found


def chosen_of(rows: dict[Any, dict[str, Any]], columns: set[str]) -> Cells:
    """Give the wanted columns of rows as cells."""
    return {
        (*(key if isinstance(key, tuple) else (key,)), column): value
        for key, row in rows.items()
        for column, value in row.items()
        if column in columns
    }


def columns_of(found: Cells) -> set[str]:
    """Give the columns that occur."""
    return {key[-1] for key in found}


def rows_of(lab: Any, devices: Sequence[str], measurement: str, window: Window) -> Iterator[dict[str, Any]]:
    """Give the API's rows of devices in a window whose end belongs to it: time in ms, values plain."""
    start, end = (datetime.fromtimestamp(at / 1000, UTC).isoformat() for at in (window.start_ms, window.end_ms + 1))
    for device in devices:
        for row in lab.every(f"/devices/{device}/measurements/{measurement}", start=start, end=end):
            plain = {name: one["value"] for name, one in row["values"].items()}
            yield {"device": device, "part": row["part"], "at": milli(row["at"]), **plain}


def binned(
    rows: Iterator[dict[str, Any]], by: Sequence[str], field: str, step: int, how: Callable[[list[Any]], Any], name: str
) -> Cells:
    """Aggregate the values of each bin of time."""
    bins: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row["at"]):
        if field in row:
            bins[(*(row[key] for key in by), int(row["at"] // step) * step)].append(row[field])
    return {(*key, name): how(found) for key, found in bins.items()}


def mean(found: list[float]) -> float:
    """Give the mean."""
    return sum(found) / len(found)


def rates(bins: Cells, name: str) -> Cells:
    """Give bit/s between the greatest counters of neighbouring bins; a counter that fell gives none."""
    series: dict[tuple[Any, ...], list[tuple[int, float]]] = defaultdict(list)
    for (*tags, at, _), value in bins.items():
        series[tuple(tags)].append((at, value))
    out: Cells = {}
    for tags, points in series.items():
        points.sort()
        for (first, low), (second, high) in pairwise(points):
            if high >= low:
                out[(*tags, second, name)] = 8 * (high - low) / ((second - first) / 1000)
    return out


def devices_of(lab: Any, school: str) -> list[str]:
    """Give the devices of a school."""
    return [one["device_id"] for one in lab.now["conditions"] if one["unit_id"] == school]


# ---- laws -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "title"), PANELS, ids=lambda text: text)
def test_every_query_of_every_panel_gives_data(asked: SimpleNamespace, key: str, title: str) -> None:
    """No query is refused, and none comes back empty, with every variable filled in by Grafana's rules."""
    found = getattr(asked, key).answers[title]
    assert found
    for answer in found:
        assert not re.search(r"\$\w", answer.asked)
        assert answer.rows, answer.asked


def test_every_panel_is_held_against_the_api() -> None:
    """No panel is without its proof below, and no proof is of a panel that is gone."""
    assert {*BY_API} == {*PANELS}


@pytest.mark.parametrize(("key", "title"), PANELS, ids=lambda text: text)
def test_a_panel_shows_the_number_of_the_api(lab: Any, asked: SimpleNamespace, key: str, title: str) -> None:
    """Board and API give the same numbers for the same window."""
    BY_API[key, title](lab, asked, title)


def _district_sums(lab: Any, asked: Any, title: str) -> None:
    found = asked.district.cells(title)
    every = schools(lab).values()
    same(found, {(name,): sum(one.get(name, 0) for one in every) for name in columns_of(found)})


def _district_schools(lab: Any, asked: Any, title: str) -> None:
    found = asked.district.cells(title, "school")
    asked_for = {column.name for column in asked.district.answers[title][0].panel.columns} - {"school", "name"}
    same(found, chosen_of(schools(lab), asked_for))


def _last_of_each(lab: Any, asked: Any, title: str) -> None:
    found = asked.district.cells(title, "school", timed=True)
    newest = {(school, name): value for (school, _, name), value in sorted(found.items(), key=lambda one: one[0][1])}
    same(newest, chosen_of(schools(lab), columns_of(found)))


def _heard(lab: Any, asked: Any, title: str) -> None:
    same(asked.district.cells(title), {("heard_minutes",): lab.now["overview"]["heard_minutes"]})


def _all_rounds(lab: Any, asked: Any, title: str) -> None:
    window, step = asked.district.window(lab, title)
    everything = [one["device_id"] for one in lab.now["conditions"]]
    wanted = binned(rows_of(lab, everything, "agent", window), (), "interval_s", step, len, "rounds")
    found = {key: value for key, value in asked.district.cells(title, timed=True).items() if value}
    same(found, wanted)


def _waiting(lab: Any, asked: Any, title: str) -> None:
    found = asked.district.cells(title, timed=True)
    _, newest = max(found.items())
    same({("waiting",): newest}, {("waiting",): sum(one["waiting"] for one in schools(lab).values())})


def _school_sums(lab: Any, asked: Any, title: str) -> None:
    found = asked.school.cells(title)
    same(found, {(name,): schools(lab)[asked.school_id][name] for name in columns_of(found)})


def _rooms(lab: Any, asked: Any, title: str) -> None:
    found = asked.school.cells(title, "room")
    rooms = next(one["rooms"] for one in lab.now["overview"]["schools"] if one["unit_id"] == asked.school_id)
    rows = {(room["room_id"] or "-"): present({"name": room["name"] or "-", **sums(room["sums"])}) for room in rooms}
    asked_for = {column.name for column in asked.school.answers[title][0].panel.columns} - {"room"}
    same(found, chosen_of(rows, asked_for))


def _device_fields(one: dict[str, Any]) -> dict[str, Any]:
    return present(
        {
            "condition": one["condition"],
            "last_seen": milli(one["last_seen"]),
            "memory_bytes": one["memory_bytes"],
            "disk_free_ratio": one["disk_free_ratio"],
            "spool_envelopes": one["spool_envelopes"],
            "clock_doubtful": None if one["clock_doubtful"] is None else int(one["clock_doubtful"]),
            "identity_conflict": int(one["identity_conflict"]),
            **lessons(one["today"]),
        }
    )


def _devices(lab: Any, asked: Any, title: str) -> None:
    found = {key: value for key, value in asked.school.cells(title, "device").items() if key[-1] != "silent_s"}
    mine = {one["device_id"]: _device_fields(one) for one in lab.now["conditions"] if one["unit_id"] == asked.school_id}
    same(found, chosen_of(mine, columns_of(found)))
    silent = {key[0]: value for key, value in asked.school.cells(title, "device").items() if key[-1] == "silent_s"}
    later = {
        one["device_id"]: one["silent_s"] for one in lab.every(f"/organisation-units/{asked.school_id}/conditions")
    }
    for device, value in silent.items():  # grows by itself, at most as fast as time
        assert value <= later[device] <= value + 600


def _states(lab: Any, asked: Any, title: str) -> None:
    found = asked.school.cells(title, "device", timed=True)
    newest = {(device, name): value for (device, _, name), value in sorted(found.items(), key=lambda one: one[0][1])}
    mine = {one["device_id"]: _device_fields(one) for one in lab.now["conditions"] if one["unit_id"] == asked.school_id}
    same(newest, chosen_of(mine, {"condition"}))


def _hourly(quantity: str, value: str) -> Callable[[Any, Any, str], None]:
    def compare(lab: Any, asked: Any, title: str) -> None:
        found = asked.school.cells(title, timed=True)
        start, end = (
            datetime.fromtimestamp(at / 1000, UTC).isoformat() for at in (lab.window.start_ms, lab.window.end_ms)
        )
        hours = lab.get(f"/organisation-units/{asked.school_id}/hours/usage/{quantity}", start=start, end=end)["hours"]
        wanted = {int(milli(one["hour"]) or 0): one[value] for one in hours}
        rolled = {at: one for (at, _), one in found.items()}
        first, open_from = -(-lab.window.start_ms // 3_600_000) * 3_600_000, lab.window.end_ms - 2 * 3_600_000
        whole = {at: one for at, one in wanted.items() if first <= at < open_from}
        same({(at,): rolled[at] for at in rolled if first <= at < open_from}, {(at,): one for at, one in whole.items()})

    return compare


def _internet(lab: Any, asked: Any, title: str) -> None:
    found = asked.school.cells(title, timed=True)
    good, tried = defaultdict(int), defaultdict(int)
    with readers(lab.settings.store)() as series:
        for row in series.minutes(
            lab.window.start_ms / 1000, lab.window.end_ms / 1000, devices_of(lab, asked.school_id)
        ):
            if row.hour * 1000 >= lab.window.start_ms:
                good[row.hour * 1000] += row.reachable.bit_count()
                tried[row.hour * 1000] += row.reachable.bit_count() + row.unreachable.bit_count()
    written = {key[0] for key in found}
    same(found, {(at, "reached"): good[at] / count for at, count in tried.items() if count and at in written})
    assert {at for at, count in tried.items() if count and at < lab.window.end_ms - 2 * 3_600_000} <= written


def _traffic(board: str, measurement: str, by: tuple[str, ...]) -> Callable[[Any, Any, str], None]:
    def compare(lab: Any, asked: Any, title: str) -> None:
        own: Asked = getattr(asked, board)
        window, step = own.window(lab, title)
        devices = devices_of(lab, asked.school_id) if board == "school" else [asked.device_id]
        earlier = Window(window.start_ms - step, window.end_ms)  # the server looks one bin back for the first rate
        wanted: Cells = {}
        for counter, name in (("received_bytes", "in"), ("sent_bytes", "out")):
            rows = rows_of(lab, devices, measurement, earlier)
            wanted |= rates(binned(rows, by, counter, step, max, name), name)
        found = own.cells(title, *by, timed=True)
        edge = window.start_ms + step
        same(
            {key: value for key, value in found.items() if key[-2] >= edge},
            {key: value for key, value in wanted.items() if key[-2] >= edge},
        )

    return compare


def _cards(lab: Any, asked: Any, title: str) -> None:
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows_of(lab, devices_of(lab, asked.school_id), "link", lab.window):
        if row.get("is_default_route"):
            known = rows.setdefault((row["device"], row["part"]), {})
            known |= {name: row[name] for name in ("speed_bps", "medium", "duplex") if name in row}
    same(asked.school.cells(title, "device", "part"), chosen_of(rows, {"speed_bps", "medium", "duplex"}))


def _tests(board: str) -> Callable[[Any, Any, str], None]:
    def compare(lab: Any, asked: Any, title: str) -> None:
        own: Asked = getattr(asked, board)
        devices = devices_of(lab, asked.school_id) if board == "school" else [asked.device_id]
        columns = [column.name for column in own.answers[title][0].panel.columns if column.name != "device"]
        limit = 20 if board == "school" else 50
        wanted: Cells = {}
        for device in devices:
            newest = sorted(rows_of(lab, [device], "campaign", lab.window), key=lambda row: -row["at"])[:limit]
            wanted |= {
                (device, round(row["at"] * 1000) // 1000, name): row[name]
                for row in newest
                for name in columns
                if name in row
            }
        tags = ("device",) if board == "school" else ()
        found = own.cells(title, *tags, timed=True)
        same(found if tags else {(asked.device_id, *key): value for key, value in found.items()}, wanted)

    return compare


def _device_now(lab: Any, asked: Any, title: str) -> None:
    found = {key: value for key, value in asked.device.cells(title).items() if key != ("silent_s",)}
    mine = next(one for one in lab.now["conditions"] if one["device_id"] == asked.device_id)
    same(found, {(name,): value for name, value in _device_fields(mine).items() if name in columns_of(found)})


def _newest_record(measurement: str, *tags: str) -> Callable[[Any, Any, str], None]:
    def compare(lab: Any, asked: Any, title: str) -> None:
        rows = lab.get(f"/devices/{asked.device_id}/measurements/latest")["items"]
        asked_for = {column.name for column in asked.device.answers[title][0].panel.columns}
        wanted = {
            (*((row["part"],) if tags else ()), name): one["value"]
            for row in rows
            if row["measurement"] == measurement
            for name, one in row["values"].items()
            if name in asked_for
        }
        same(asked.device.cells(title, *tags), wanted)

    return compare


def _graph(
    measurement: str, how: Callable[[list[Any]], Any], *fields: str, by: tuple[str, ...] = (), name: str = ""
) -> Callable[[Any, Any, str], None]:
    def compare(lab: Any, asked: Any, title: str) -> None:
        window, step = asked.device.window(lab, title)
        wanted: Cells = {}
        for one in fields:
            rows = rows_of(lab, [asked.device_id], measurement, window)
            wanted |= binned(rows, by, one, step, how, name or one)
        found = asked.device.cells(title, *by, timed=True)
        same({key: value for key, value in found.items() if value or how is not len}, wanted)

    return compare


BY_API: dict[tuple[str, str], Callable[[Any, Any, str], None]] = {
    ("district", "Computers now"): _district_sums,
    ("district", "Which schools need somebody"): _district_schools,
    ("district", "Computers online by school"): _last_of_each,
    ("district", "Silent computers by school"): _last_of_each,
    ("district", "Verdicts against the standards"): _district_schools,
    ("district", "Data not to be trusted"): _district_sums,
    ("district", "Lines: newest concurrent test"): _district_schools,
    ("district", "Collector heard (minutes of the last 60)"): _heard,
    ("district", "Rounds stored"): _all_rounds,
    ("district", "Records waiting on the PCs"): _waiting,
    ("school", "Devices of the school now"): _school_sums,
    ("school", "Rooms"): _rooms,
    ("school", "Devices"): _devices,
    ("school", "The school's data not to be trusted"): _school_sums,
    ("school", "Condition of each device through time"): _states,
    ("school", "Processor use (hourly mean)"): _hourly("cpu_busy_ratio", "mean"),
    ("school", "Available memory: lowest device by hour"): _hourly("memory_available_bytes", "low"),
    ("school", "Internet reached (by hour)"): _internet,
    ("school", "Load of the line (by the router)"): _traffic("school", "router", ("device", "part")),
    ("school", "Network interfaces to the Internet"): _cards,
    ("school", "Concurrent bandwidth tests: each device"): _tests("school"),
    ("device", "The device now"): _device_now,
    ("device", "The machine"): _newest_record("hardware"),
    ("device", "Disks"): _newest_record("disk", "part"),
    ("device", "Rounds received"): _graph("agent", len, "interval_s", name="rounds"),
    ("device", "Processor busy"): _graph("usage", mean, "cpu_busy_ratio"),
    ("device", "Memory"): _graph("usage", mean, "memory_used_bytes", "memory_available_bytes"),
    ("device", "System volume"): _graph("usage", mean, "system_volume_free_bytes", "system_volume_bytes"),
    ("device", "Time until targets answer"): _graph("reach", mean, "took_s", by=("part",)),
    ("device", "Network traffic"): _traffic("device", "traffic", ("part",)),
    ("device", "Speed of the interface"): _graph("link", min, "speed_bps", by=("part",)),
    ("device", "Time since the machine started"): _graph("agent", lambda found: found[-1], "uptime_s"),
    ("device", "Concurrent bandwidth tests"): _tests("device"),
}
"""For each panel, what holds it against the API (or, for minutes, the store's reader)."""


def test_what_grafana_reads_is_what_was_asked_here(lab: Any, built: SimpleNamespace, asked: SimpleNamespace) -> None:
    """The written JSON holds exactly the queries that these tests asked, in both languages."""
    for language in ("vi", "en"):
        for board in BOARDS:
            written = built.boards[language, board.key]
            found = [[target["query"] for target in panel["targets"]] for panel in written["panels"]]
            assert found == [[query.query for query in panel.queries] for panel in board.panels]


def test_one_room_and_one_school_narrow_the_boards(lab: Any, asked: SimpleNamespace) -> None:
    """A choice of one school or room asks for that one only, also where several may be chosen."""
    one = Asked(lab, "district", {"school": asked.school_id})
    assert one.values["school"] == Value((asked.school_id,), multi=True)
    assert {key[0] for key in one.cells("Which schools need somebody", "school")} == {asked.school_id}
    room = next(value for value in asked.school.values["room"].chosen if value != "-")
    narrow = Asked(lab, "school", {"school": asked.school_id, "room": room})
    inside = {one["device_id"] for one in lab.now["conditions"] if one["room_id"] == room}
    assert {key[0] for key in narrow.cells("Devices", "device")} == inside


def test_time_without_data_is_a_gap(lab: Any, asked: SimpleNamespace) -> None:
    """Graphs and timelines get a null where there was nothing: yesterday's night is not drawn as its evening."""
    answers_of = {**asked.district.answers, **asked.school.answers, **asked.device.answers}
    for title in ("Condition of each device through time", "Computers online by school", "Processor busy"):
        (answer,) = answers_of[title]
        for series in answer.series:
            values = [cells[1] for cells in series.values]
            assert None in values
            assert len(values) > 500


def test_a_feed_that_stopped_shows_as_no_data(lab: Any, asked: SimpleNamespace) -> None:
    """Ten minutes after the last feed, panels of the present are empty: unknown, not the last good state."""
    later = Window(lab.window.start_ms, lab.window.end_ms + 600_000)
    for board in (asked.district, asked.school, asked.device):
        found = [one for one in answers(lab.server, board.board, board.values, later) if one.panel.now]
        assert found
        assert [one.panel.title.en for one in found if one.rows] == []


def test_the_command_checks_every_panel(lab: Any) -> None:
    """`phongmay dashboards check` asks the same questions and finds none empty."""
    said = lab.run("dashboards", "check", "--hours", "72", "--device", _an_online_pc(lab))
    assert "every query gives data" in said
    assert len(said.splitlines()) > len(PANELS)
    done = subprocess.run(
        lab.command("dashboards", "check", "--hours", "0.001"), capture_output=True, text=True, check=False
    )
    assert (done.returncode, "queries without data" in done.stdout) == (1, True), done.stderr


def _an_online_pc(lab: Any) -> str:
    school = json.loads(json.dumps(lab.now["overview"]["schools"]))
    first = min(school, key=lambda one: (one["name"], one["unit_id"]))["unit_id"]
    found = (one for one in lab.now["conditions"] if one["unit_id"] == first and one["kind"] == "pc")
    return str(next(one["device_id"] for one in found if one["condition"] == "online" and one["memory_bytes"]))
