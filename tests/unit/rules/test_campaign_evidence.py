"""Facts of concurrent tests to the letter: limits in time and rate, what each names as its ground, and its laws.

Long because each fact of a run has its limits told apart one by one: that is what mutation testing left alive.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phongmay_rules.facts.campaigns import HOLDS_S, quarter_start
from phongmay_rules.facts.catalogue import DAY, Found, missing
from phongmay_rules.places import LinePlace
from phongmay_rules.reasons import Reason
from phongmay_rules.runs import LineRun, RoomOutcome
from tests.unit.rules.campaign_runs import AT, FLOOR, LINES, PCS, PUPILS, ROOM, capacity, of_line, of_room, run

FAILED = {"verdict": "fail", "failed": "abcd"}


def measured(found: LineRun, p10: float | None, **more: object) -> LineRun:
    """Say at which rate the slowest tenth of the room's PCs was in a run."""
    return replace(found, rooms={"r1": replace(found.rooms["r1"], p10_bps=p10)}, **more)  # type: ignore[arg-type]


def rows(*runs: LineRun) -> tuple[str, ...]:
    """Name runs as facts do."""
    return tuple(f"register:campaign_result/{one.id}" for one in runs)


# ---- rooms -----------------------------------------------------------------------------------------------------------


def test_how_long_a_run_vouches() -> None:
    """The first instant of the quarter is of the quarter; a run vouches for 92 days, the last instant included."""
    first = run(0, at=quarter_start(AT))
    assert of_room(first)["concurrent_pass_ratio"].value == 1.0
    assert of_room(replace(first, at=first.at - 1))["concurrent_pass_ratio"].missing is Reason.NO_RUN_YET
    oldest = replace(run(92, ip_dl=5.0), at=AT - HOLDS_S)
    older = replace(oldest, at=oldest.at - 1)
    assert of_room(oldest)["concurrent_p10_bps"].value == FLOOR
    assert of_room(older)["concurrent_p10_bps"].missing is Reason.NO_RUN_YET
    assert of_line(oldest)["download_per_pc_bps"].value == FLOOR
    assert of_line(older)["download_per_pc_bps"].missing is Reason.NO_RUN_YET


def test_only_floor_runs_in_the_room_speak_for_it() -> None:
    """A capacity run, a void run and a run of other rooms say nothing about a room's PCs."""
    elsewhere = run(1, rooms={"r2": RoomOutcome(frozenset("abcd"), frozenset(), FLOOR)})
    for other in (run(1, kind="capacity"), run(1, "insufficient"), elsewhere):
        assert {found.missing for found in of_room(other).values()} == {Reason.NO_RUN_YET}


def test_what_a_share_rests_on() -> None:
    """A share of PCs names how many passed, failed and are open, and its last six runs, when it has a value or not."""
    runs = [run(day, absent="b") for day in range(9, 2, -1)]
    counts = {"pcs": 4, "passed": 3, "failed": [], "open": 1, "runs": 7}
    name = "concurrent_pass_ratio"
    assert of_room(*runs)[name] == missing(name, Reason.NOT_ALL_TESTED, AT, sources=rows(*runs[1:]), **counts)
    whole = run(2)
    counts = {"pcs": 4, "passed": 4, "failed": [], "open": 0, "runs": 8}
    assert of_room(*runs, whole)[name] == Found(name, 1.0, AT, None, rows(*runs[2:], whole), counts)
    assert of_room()[name] == missing(name, Reason.NO_RUN_YET, AT, sources=(ROOM.row,))
    assert of_room(whole, pcs=[])[name] == missing(name, Reason.NO_MEMBERS, AT, sources=(ROOM.row,))


def test_failed_and_open_pcs_are_told_apart() -> None:
    """PCs that failed on two days and PCs that nobody tested are different numbers; at most 20 names are given."""
    twice = [run(day, "fail", failed="b", absent="c") for day in (3, 2)]
    found = of_room(*twice)["concurrent_pass_ratio"]
    assert (found.value, found.detail) == (0.5, {"pcs": 4, "passed": 2, "failed": ["b"], "open": 1, "runs": 2})
    names = [f"pc{number:02}" for number in range(23)]
    rooms = {"r1": RoomOutcome(frozenset(), frozenset(names), 0.1)}
    pcs = [replace(PCS[0], id=name) for name in reversed(names)]
    detail = of_room(*(run(day, "fail", rooms=rooms) for day in (3, 2)), pcs=pcs)["concurrent_pass_ratio"].detail
    assert (detail["failed"], detail["open"]) == (names[:20], 0)


def test_absence_is_no_failure() -> None:
    """A PC that was away on two days did not fail; nor did one that passed a lower floor after its failures."""
    away = [run(day, absent="b") for day in (3, 2)]
    assert of_room(*away)["concurrent_pass_ratio"].missing is Reason.NOT_ALL_TESTED
    failed = [run(day, "fail", failed="b") for day in (5, 4)]
    low = [run(day, floor_bps=0.5e6) for day in (3, 2)]
    found = of_room(*failed, *low)["concurrent_pass_ratio"]
    assert (found.missing, found.detail["open"]) == (Reason.NOT_ALL_TESTED, 1)
    assert of_room(*failed, low[0])["concurrent_pass_ratio"].value == 0.75, "two of its last three runs"


def test_a_raised_floor_needs_runs_at_that_floor() -> None:
    """What was shown for a lower floor says nothing of a higher one; the same floor is enough."""
    assert of_room(run(2), needed=FLOOR)["concurrent_pass_ratio"].value == 1.0
    found = of_room(run(2), needed=FLOOR + 1)
    assert {fact.missing for fact in found.values()} == {Reason.FLOOR_RAISED}
    mixed = of_room(run(3, floor_bps=2e6, pace_bps=2e6, absent="a"), run(2), needed=2e6)
    assert mixed["concurrent_pass_ratio"].missing is Reason.NOT_ALL_TESTED


@given(st.lists(st.tuples(st.integers(0, 50), st.sets(st.sampled_from("abcd")), st.sets(st.sampled_from("abcd"))),
                max_size=6))  # fmt: skip
def test_a_share_is_what_anybody_counts(history: list[tuple[int, set[str], set[str]]]) -> None:
    """A PC passed if it passed once; it failed if it never did and failed twice on different days of its last three."""
    runs = [
        run(day, "fail", rooms={"r1": RoomOutcome(frozenset(good), frozenset(bad - good), 1.0)})
        for day, good, bad in sorted(history, key=lambda one: -one[0])
    ]
    passed = {pc for pc in "abcd" if any(pc in good for _, good, _ in history)}
    days = {pc: [day for day, _, bad in sorted(history, key=lambda o: -o[0]) if pc in bad][-3:] for pc in "abcd"}
    failed = {pc for pc in "abcd" if pc not in passed and len(set(days[pc])) > 1}
    found = of_room(*runs)["concurrent_pass_ratio"]
    decided = bool(failed) or len(passed) == 4
    assert found.value == (len(passed) / 4 if decided else None)
    better = of_room(*runs, run(0))["concurrent_pass_ratio"]
    assert better.value == 1.0, "a run that all passed mends everything"


def test_a_room_holds_with_19_of_20_parts_of_the_pace() -> None:
    """0.95 of the pace is held, anything below is not; the pace, not the floor, is what each PC was to pull."""
    at_limit = measured(run(2), 0.95e6)
    assert of_room(at_limit)["concurrent_p10_bps"].value == FLOOR
    below = measured(run(2), 0.95e6 - 1)
    assert of_room(below)["concurrent_p10_bps"].missing is Reason.FAILED_ONCE
    for_absent = measured(run(2), 1.1e6, pace_bps=1.25e6)
    assert of_room(for_absent)["concurrent_p10_bps"].missing is Reason.FAILED_ONCE
    assert of_room(measured(run(2), 1.2e6, pace_bps=1.25e6))["concurrent_p10_bps"].value == FLOOR


def test_a_room_that_failed_has_the_rate_of_its_own_share() -> None:
    """The rate is the last failed run's, without what a PC pulled for absent ones; a run that saw nothing is no run."""
    first, second = measured(run(4, **FAILED), 0.8e6), measured(run(3, **FAILED), 0.5e6, pace_bps=1.25e6)
    unmeasured = measured(run(2), None)
    name = "concurrent_p10_bps"
    detail = {"run": "run-3", "runs": 2, "floor_bps": FLOOR, "emulated": 0, "cause": ""}
    assert of_room(first, second, unmeasured)[name] == Found(
        name, 0.4e6, second.at, None, rows(first, second), detail)  # fmt: skip
    assert of_room(first, measured(second, 0.5e6, pace_bps=0.0))[name].value == FLOOR, "0 is no pace that was missed"
    assert of_room(unmeasured)[name] == missing(name, Reason.NO_RUN_YET, AT, sources=(ROOM.row,))
    same_day = replace(second, at=first.at + 60)
    assert of_room(first, same_day)[name].missing is Reason.FAILED_ONCE


# ---- lines -----------------------------------------------------------------------------------------------------------


def test_what_a_floor_rests_on() -> None:
    """A floor that held is said to be at least that, by which run and how many PCs were emulated."""
    runs = [run(day) for day in (5, 4, 3)]
    newest = run(2, absent="d", cause="slow_room")
    name = "download_per_pc_bps"
    detail = {"run": "run-2", "runs": 4, "floor_bps": FLOOR, "emulated": 1, "cause": "slow_room"}
    assert of_line(*runs, newest)[name] == Found(
        name, FLOOR, newest.at, None, rows(*runs[1:], newest), {**detail, "at_least": True})  # fmt: skip
    assert of_line(*runs, newest, needed=FLOOR)[name].value == FLOOR
    assert of_line(*runs, newest, needed=FLOOR + 1)[name] == missing(
        name, Reason.FLOOR_RAISED, AT, sources=rows(*runs[1:], newest), **detail)  # fmt: skip
    once = run(1, **FAILED, cause="line")
    detail = {"run": "run-1", "runs": 1, "floor_bps": FLOOR, "emulated": 0, "cause": "line"}
    assert of_line(once)[name] == missing(name, Reason.FAILED_ONCE, AT, sources=rows(once), **detail)
    assert of_line()[name] == missing(name, Reason.NO_RUN_YET, AT, sources=(ROOM.row,))


def test_a_floor_that_fell_has_the_rate_of_its_last_failure() -> None:
    """The rate is that of the last run that failed, at its own time, though a later run of the three passed."""
    first, second = run(4, **FAILED), run(3, **FAILED, p10_bps=0.3e6)
    later = run(2)
    found = of_line(first, second, later)["download_per_pc_bps"]
    assert (found.value, found.at, found.detail["run"]) == (0.3e6, second.at, "run-2")
    assert found.sources == rows(first, second, later)
    assert "at_least" not in found.detail


@pytest.mark.parametrize(
    ("change", "rate"),
    [
        ({"p10_bps": 0.3e6}, 0.3e6),
        ({"p10_bps": 0.9e6}, 0.5e6),
        ({"p10_bps": 0.9e6, "goodput_dl": 4.4e6}, 0.9e6),
        ({"p10_bps": 0.9e6, "pace_bps": 3e6}, 0.3e6),
        ({"p10_bps": None}, 0.5e6),
        ({"goodput_dl": None}, 0.4e6),
        ({"registered": 0}, 0.4e6),
        ({"pace_bps": 0.0}, 0.4e6),
        ({"p10_bps": None, "goodput_dl": None}, None),
    ],
    ids=["slowest", "mean", "more", "pulled for others", "no slowest", "no mean", "no PCs", "no pace", "nothing"],
)
def test_what_a_pc_got_in_a_failed_run(change: dict[str, object], rate: float | None) -> None:
    """What each PC surely got: the mean or the slowest tenth's own share, whichever is less; unmeasured is no 0."""
    found = of_line(*(run(day, **FAILED, **change) for day in (3, 2)))["download_per_pc_bps"]  # type: ignore[arg-type]
    assert found.value == rate
    assert found.missing is (Reason.FAILED_ONCE if rate is None else None)


def test_a_line_was_loaded_from_nine_tenths_on() -> None:
    """A line is said to hold only if nine tenths of the order went over it; an unmeasured load is no load."""
    name = "download_per_pc_bps"
    assert of_line(run(1, goodput_dl=3.6e6))[name].value == FLOOR
    slow = run(1, goodput_dl=3.6e6 - 1, cause="slow_room")
    wanted = missing(name, Reason.LOAD_NOT_REACHED, AT, sources=rows(slow), run="run-1", cause="slow_room")
    assert of_line(run(2, goodput_dl=None), slow)[name] == wanted
    assert of_line(slow, run(0.5))[name].value == FLOOR, "a run that loaded it decides"
    assert of_line(run(2), slow)[name].detail["run"] == "run-2", "one that did not is left out"
    fallen = [run(day, **FAILED, goodput_dl=0.1e6) for day in (3, 2)]
    assert of_line(*fallen)[name].value == 0.025e6, "a line that fell needs no load to have fallen"


def test_a_line_that_cannot_be_judged_is_open() -> None:
    """A run in which one of several lines could not be judged is neither held nor fallen."""
    found = of_line(run(1, line="insufficient", below=frozenset({"down"})))["download_per_pc_bps"]
    assert (found.value, found.missing) == (None, Reason.NO_RUN_YET)


def test_what_rates_rest_on() -> None:
    """Rates and latencies name how many runs, lowest and highest, the last six runs, and the newest one's time."""
    runs = [capacity(day, down, up) for day, down, up in
            ((8, 60e6, 30e6), (7, 90e6, 40e6), (6, 70e6, 45e6), (5, 80e6, 44e6), (4, 75e6, 41e6), (3, 76e6, 42e6),
             (2, 79e6, 43e6))]  # fmt: skip
    found, newest, named = of_line(*runs), runs[-1].at, rows(*runs[1:])
    assert found["download_p50_bps"] == Found(
        "download_p50_bps", 76e6, newest, None, named,
        {"runs": 7, "lowest": 60e6, "highest": 90e6, "layer": "ip"})  # fmt: skip
    assert found["upload_p50_bps"].detail == {"runs": 7, "lowest": 30e6, "highest": 45e6, "layer": "ip"}
    assert found["download_per_student_bps"] == Found(
        "download_per_student_bps", 152e3, newest, None, (*named, "declared:1"),
        {"download_bps": 76e6, "students": 500})  # fmt: skip
    mean = sum(one.ip_dl or 0.0 for one in runs) / 7
    assert found["download_contract_ratio"] == Found(
        "download_contract_ratio", mean / 100e6, newest, None, ("line:1", *named),
        {"runs": 7, "mean_bps": mean, "contracted_bps": 100_000_000, "indicative": True})  # fmt: skip
    assert found["rtt_mean_s"] == Found(
        "rtt_mean_s", pytest.approx(0.01), newest, None, named, {"runs": 7, "to": "bandwidth server"})  # fmt: skip


def test_rates_are_of_runs_that_measured_them() -> None:
    """A run without a figure leaves the figure of others alone: it is not 0, and lends it neither time nor name."""
    told = capacity(3, 80e6, 40e6)
    silent = replace(capacity(2, 1.0, 1.0), ip_dl=None, ip_ul=None, idle_s=None)
    found = of_line(told, silent)
    for name, value in (("download_p50_bps", 80e6), ("upload_p50_bps", 40e6), ("rtt_mean_s", 0.01),
                        ("download_contract_ratio", 0.8), ("upload_contract_ratio", 0.8)):  # fmt: skip
        assert (found[name].value, found[name].at, found[name].detail["runs"]) == (pytest.approx(value), told.at, 1)
        assert found[name].sources[-1:] == rows(told)
    found = of_line(silent)
    assert found["rtt_mean_s"] == missing("rtt_mean_s", Reason.NO_RUN_YET, AT)
    assert found["download_p50_bps"] == missing("download_p50_bps", Reason.NO_CAPACITY_RUN, AT)
    assert found["upload_contract_ratio"] == missing(
        "upload_contract_ratio", Reason.NO_CAPACITY_RUN, AT, sources=("line:1",))  # fmt: skip
    latency = of_line(replace(told, idle_s=0.02), run(1, idle_s=0.04))["rtt_mean_s"]
    assert latency.value == pytest.approx(0.03), "floor runs measure it too"


def test_runs_that_cannot_be_relied_on_give_no_rates() -> None:
    """An unusable run lends no rate and no latency; floor runs lend no capacity."""
    void = replace(capacity(1, 80e6, 40e6), is_usable=False)
    assert of_line(void) == of_line()
    assert of_line(run(1))["download_p50_bps"].missing is Reason.NO_CAPACITY_RUN


@pytest.mark.parametrize("pupils", [None, 0, "500"], ids=["not told", "none", "a word"])
def test_a_pupils_share_needs_pupils(pupils: int | str | None) -> None:
    """Without a number of pupils there is no share, whoever declared what is named."""
    declared = replace(PUPILS, value=pupils)
    found = of_line(capacity(1, 80e6, 40e6), pupils=declared)["download_per_student_bps"]
    assert found == missing("download_per_student_bps", Reason.NOT_DECLARED, AT, sources=("declared:1",))


def test_a_pupils_share_needs_a_rate() -> None:
    """Without a rate there is no share; one pupil has it all."""
    name = "download_per_student_bps"
    assert of_line()[name] == missing(name, Reason.NO_CAPACITY_RUN, AT)
    assert of_line(capacity(1, 80e6, 40e6), pupils=replace(PUPILS, value=1))[name].value == 80e6


def test_all_contracts_together() -> None:
    """Two lines promise together; a promise of nothing, or no line at all, is to be declared."""
    one = replace(
        capacity(1, 90e6, 40e6), contracted_dl=150_000_000, contracted_ul=100_000_000, carried={"l1": 3, "l2": 1}
    )
    both = [*LINES, STANDBY]
    found = of_line(one, lines=both)
    assert found["download_contract_ratio"].value == pytest.approx(0.6)
    assert found["upload_contract_ratio"].value == pytest.approx(0.4)
    assert found["upload_contract_ratio"].sources == ("line:1", "line:2", *rows(one))
    nothing, old = [replace(LINES[0], down_bps=0)], capacity(1, 90e6, 40e6)
    assert of_line(old, lines=nothing)["download_contract_ratio"].missing is Reason.NOT_DECLARED
    assert of_line(old, lines=nothing)["upload_contract_ratio"].value == pytest.approx(0.8)
    assert of_line(one, lines=[])["upload_contract_ratio"].missing is Reason.NOT_DECLARED


STANDBY = LinePlace("FPT", "fibre", "line:2", 50_000_000, 50_000_000, "l2")


def over(run: LineRun, **carried: int) -> LineRun:
    """A run of a school with both lines registered, and how many of its PCs went over which."""
    return replace(
        run, lines=("l1", "l2"), carried=carried, contracted_dl=150_000_000, contracted_ul=100_000_000
    )  # fmt: skip


def test_a_standby_line_is_no_promise_that_the_main_line_could_break() -> None:
    """95 of the 100 Mbit/s of the only line that carries keep its contract, also where a standby line promises 50 more
    (95 of 150 would be a fail), and even if nobody declared what the standby line promises."""
    runs = [over(capacity(day, 95e6, 48e6), l1=4) for day in (3, 2, 1)]
    for lines in ([*LINES, STANDBY], [*LINES, replace(STANDBY, down_bps=None, up_bps=None)]):
        if lines[1].down_bps is None:
            runs = [replace(run, contracted_dl=None, contracted_ul=None) for run in runs]
        found = of_line(*runs, lines=lines)
        assert found["download_contract_ratio"] == Found(
            "download_contract_ratio", 0.95, runs[-1].at, None, ("line:1", *rows(*runs)),
            {"runs": 3, "mean_bps": 95e6, "contracted_bps": 100_000_000, "indicative": True, "lines": ["l1"]},
        )  # fmt: skip
        assert found["upload_contract_ratio"].value == pytest.approx(0.96)
    alone = [over(capacity(day, 60e6, 20e6), l1=4) for day in (3, 2, 1)]
    assert of_line(*alone, lines=[*LINES, STANDBY])["download_contract_ratio"].value == 0.6, "a slow main line fails"


@pytest.mark.parametrize(
    "carried", [{}, {"203.0.113.7": 4}, {"l1": 3, "203.0.113.7": 1}, {"l1": 39, "l2": 1}, {"l1": 1, "l2": 3}],
    ids=["nothing told", "an address", "in part", "one PC on the other line", "most PCs on the small line"],
)  # fmt: skip
def test_where_it_is_not_known_which_line_carried_nobody_is_blamed(carried: dict[str, int]) -> None:
    """Two lines, and the run does not tell which of them it loaded: missing with that reason, however slow it was."""
    run = over(capacity(1, 10e6, 5e6), **carried)
    lines = [*LINES, STANDBY]
    for name in ("download_contract_ratio", "upload_contract_ratio"):
        if carried == {"l1": 1, "l2": 3} and name.startswith("upload"):
            continue  # even shares upwards: 50 and 50, of which one PC of four is half of its share
        assert of_line(run, lines=lines)[name] == missing(
            name, Reason.LINES_NOT_TOLD, AT, sources=("line:1", "line:2", *rows(run)), run=run.id
        )


def test_a_line_of_no_name_is_not_held_against_the_only_contract() -> None:
    """The school declared its only line's addresses, and the run came from elsewhere: that was another line."""
    run = replace(capacity(1, 10e6, 5e6), lines=("l1",), carried={"203.0.113.7": 4})
    assert of_line(run)["download_contract_ratio"].missing is Reason.LINES_NOT_TOLD
    unnamed = replace(run, lines=())
    assert of_line(unnamed)["download_contract_ratio"].value == 0.1, "the line was registered after the test"


def test_a_run_over_the_standby_line_is_not_mixed_with_the_main_lines() -> None:
    """The main line was out for a day: what is in use is what most of the newest three runs went over, and only those
    runs count. After two of them over the new line it is the one in use."""
    lines = [*LINES, STANDBY]
    main = [over(capacity(day, 95e6, 48e6), l1=4) for day in (9, 8)]
    standby = over(capacity(7, 20e6, 10e6), l2=4)
    name = "download_contract_ratio"
    assert of_line(*main, standby, lines=lines)[name].value == 0.95
    silent = over(capacity(6, 1e6, 1e6))
    assert of_line(*main, standby, silent, lines=lines)[name].value == 0.95
    again = over(capacity(5, 30e6, 10e6), l2=4)
    moved = of_line(*main, standby, again, lines=lines)[name]
    assert (moved.value, moved.detail["contracted_bps"], moved.sources[0]) == (0.5, 50_000_000, "line:2")
    both = over(capacity(7, 105e6, 40e6), l1=3, l2=1)
    at_odds = of_line(main[0], both, again, lines=lines)[name]
    assert at_odds.value == 0.6, "all different: the newest"
    assert of_line(main[0], again, lines=lines)[name].value == 0.6, "one each: the newest"


def test_a_second_line_does_not_undo_what_the_first_one_showed() -> None:
    """A run is under the contracts of the lines that the school had then; those of a line that came later, or that is
    gone, are not added to them."""
    run, name = replace(capacity(1, 95e6, 48e6), lines=("l1",), carried={"l1": 4}), "download_contract_ratio"
    assert of_line(run, lines=[*LINES, STANDBY])[name].value == 0.95
    gone = over(capacity(1, 95e6, 48e6), l1=4)
    assert of_line(gone, lines=LINES)[name].missing is Reason.CONTRACT_CHANGED
    grown = replace(gone, contracted_dl=100_000_000)
    assert of_line(grown, lines=LINES)[name].missing is Reason.CONTRACT_CHANGED, "by chance as much as one line now"


def test_a_line_in_use_that_promises_nothing_is_to_be_declared() -> None:
    """That line is the ground, at the time of the evaluation; the other one's contract does not stand in for it."""
    name, lines = "download_contract_ratio", [*LINES, replace(STANDBY, down_bps=None)]
    used = over(capacity(1, 30e6, 10e6), l2=4)
    assert of_line(used, lines=lines)[name] == missing(name, Reason.NOT_DECLARED, AT, sources=("line:2",))
    assert of_line(lines=lines)[name].missing is Reason.NOT_DECLARED, "that is needed first, with or without a run"


def test_a_rate_is_held_against_the_contract_that_it_was_measured_under() -> None:
    """A provider of 100 Mbit/s that carried 95 does not break the contract of 300 that came a week later, nor keep the
    one of 50 that took its place: until the line is tested again nothing is known of the new contract."""
    before = [capacity(day, 95e6, 48e6) for day in (9, 8, 7)]
    for down in (300_000_000, 50_000_000):
        lines = [replace(LINES[0], down_bps=down)]
        found = of_line(*before, lines=lines)
        name = "download_contract_ratio"
        assert found[name] == missing(
            name, Reason.CONTRACT_CHANGED, AT, sources=("line:1", *rows(*before[-1:])), run=before[-1].id,
            contracted_bps=down, then_bps=100_000_000,
        )  # fmt: skip
        assert found["upload_contract_ratio"].value == pytest.approx(0.96), "that rate was not changed"
        after = replace(capacity(1, 0.9 * down, 48e6), contracted_dl=down)
        again = of_line(*before, after, lines=lines)[name]
        assert (again.value, again.detail["runs"], again.sources) == (
            pytest.approx(0.9), 1, ("line:1", *rows(after))
        )  # fmt: skip
    late = replace(before[0], contracted_dl=None, contracted_ul=None)
    assert of_line(late)["download_contract_ratio"].value == pytest.approx(0.95), "declared after the test"


def test_a_thousand_runs_are_more_than_indicative() -> None:
    """QCVN 34:2022 wants 1,000 samples: fewer are marked as indicative only."""
    runs = [capacity(1 / (n + 1), 80e6, 40e6) for n in range(1000)]
    assert of_line(*runs)["download_contract_ratio"].detail["indicative"] is False
    assert of_line(*runs[1:])["download_contract_ratio"].detail["indicative"] is True


def test_lost_echoes_of_floor_runs_are_the_loss_of_the_line() -> None:
    """The mean of floor runs of 92 days; a capacity run, which fills the line, and one without UDP say nothing."""
    found = of_line(run(100, loss=0.5), run(3, loss=0.0), replace(capacity(2, 80e6, 40e6), loss=0.3), run(1, loss=0.02))
    assert found["loss_ratio"] == Found(
        "loss_ratio", pytest.approx(0.01), AT - DAY, None,
        ("register:campaign_result/run-3", "register:campaign_result/run-1"), {"runs": 2, "to": "bandwidth server"},
    )  # fmt: skip
    assert of_line(run(1))["loss_ratio"] == missing("loss_ratio", Reason.NO_DATA, AT)
    assert of_line(replace(capacity(2, 80e6, 40e6), loss=0.0))["loss_ratio"].missing is Reason.NO_RUN_YET
