"""Made-up concurrent tests for the tests of their facts: one school, one room of four PCs, one line."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from phongmay_rules.facts.campaigns import line_facts, room_facts
from phongmay_rules.facts.catalogue import DAY, Found
from phongmay_rules.places import DevicePlace, LinePlace, RoomPlace, SchoolPlace
from phongmay_rules.runs import LineRun, RoomOutcome
from phongmay_store.register.timetable import LOCAL

AT = datetime(2026, 11, 23, 10, tzinfo=LOCAL).timestamp()
FLOOR = 1e6
ROOM = RoomPlace("r1", "th", "computer_room", 40, "", "room:r1")
PCS = [DevicePlace(name, "th", "r1", "pc", "in_service", 0.0, False, "", f"device:{name}") for name in "abcd"]
LINES = [LinePlace("VNPT", "fibre", "line:1", 100_000_000, 50_000_000, "l1")]
PUPILS = Found("students", 500, AT, None, ("declared:1",))


def run(
    days_ago: float, verdict: str = "pass", *, failed: str = "", absent: str = "", line: str = "", **more: object
) -> LineRun:
    """Make a floor run of the whole school with one room of four PCs."""
    took = [pc for pc in "abcd" if pc not in absent]
    passed = frozenset(pc for pc in took if pc not in failed)
    p10 = 0.4e6 if failed else FLOOR
    made = LineRun(
        id=f"run-{days_ago:g}", kind="floor", at=AT - days_ago * DAY, verdict=verdict, line_verdict=line or verdict,
        is_usable=verdict in ("pass", "fail"), whole_school=True, floor_bps=FLOOR, pace_bps=FLOOR, registered=4,
        emulated=len(absent), goodput_dl=3.99e6 if verdict == "pass" else 2e6, ip_dl=4.1e6, ip_ul=4.1e6, p10_bps=p10,
        idle_s=0.01, contracted_dl=100_000_000, contracted_ul=50_000_000,
        below=frozenset({"down"} if failed else ()),
        rooms={"r1": RoomOutcome(passed, frozenset(failed), p10)},
    )  # fmt: skip
    return replace(made, **more)  # type: ignore[arg-type] # fields of the dataclass


def capacity(days_ago: float, down: float, up: float) -> LineRun:
    """Make a capacity run."""
    return run(days_ago, kind="capacity", floor_bps=0.0, pace_bps=0.0, ip_dl=down, ip_ul=up, rooms={})


def of_room(*runs: LineRun, needed: float = FLOOR, pcs: list[DevicePlace] = PCS) -> dict[str, Found]:
    """Give the facts of the room."""
    return {found.name: found for found in room_facts(ROOM, pcs, runs, needed, AT)}


def of_line(
    *runs: LineRun, needed: float = FLOOR, lines: list[LinePlace] = LINES, pupils: Found = PUPILS
) -> dict[str, Found]:
    """Give the facts of the school's lines."""
    school = SchoolPlace("th", "Trường", "thcs", rooms=[ROOM], devices=PCS, lines=lines, runs=runs)
    return {found.name: found for found in line_facts(school, pupils, needed, AT)}
