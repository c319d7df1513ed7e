"""Schools with two lines: declared addresses tell them apart, each is held against its own contract, and a failover.

The server's report is made up; the register's rows and the series store are real.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from phongmay_bandwidth.order import RunKind
from phongmay_bandwidth.planning import RunPlan
from phongmay_bandwidth.report import ConnectionReport, RunReport
from phongmay_campaigns.finishing import finish
from phongmay_campaigns.sites import SchoolLine, Site
from phongmay_store.register.calendar_hours import Calendar
from phongmay_store.register.campaign import CampaignResult, CampaignRun
from phongmay_store.series.sqlite import SqliteSeries

T0 = 1_800_000_000.0
MAIN, SPARE = "203.0.113.7", "198.51.100.9"
PCS = [f"pc-{number}" for number in range(20)]
FLOOR = 2e6
BOTH = (SchoolLine("main", "VNPT", 100_000_000, 50_000_000, ("203.0.113.0/29",)),
        SchoolLine("spare", "Viettel", 40_000_000, 40_000_000, (SPARE,)))  # fmt: skip


def connection(device: str, direction: str, source: str, rate_bps: float, start: float) -> ConnectionReport:
    """A connection at an even rate for 8.1 s."""
    bins = (round(rate_bps / 80),) * 81
    return ConnectionReport(
        device, direction, 0, source, start, start + 8.1, "window", sum(bins), bins, "cubic", "kernel", "acked", 0,
        0.01, 0.01, 0.0, 0.0,
    )  # fmt: skip


def judged(
    series: SqliteSeries,
    lines: Sequence[SchoolLine],
    sources: Sequence[str] = (MAIN, SPARE),
    rates: Sequence[float] = (FLOOR, FLOOR),
    *,
    kind: RunKind = RunKind.FLOOR,
    failover: bool = False,
    usual: Sequence[Collection[str]] = (),
) -> CampaignResult:
    """Judge a run whose PCs went out over these addresses in turn, at the rate of each."""
    plan = RunPlan("run-1234", kind, "h", 7800, T0, FLOOR, FLOOR, registered=len(PCS))
    report = RunReport(
        "run-1234", kind.value, T0 + 30, True, False, *plan.starts().values(), 6.0, 6.0, "window", "window", "cubic",
        0.1, 8e7, 8e7, False, (), {},
        tuple(
            connection(device, direction, sources[number % len(sources)], rates[number % len(sources)], start)
            for direction, start in plan.starts().items() for number, device in enumerate(PCS)
        ),
        {},
    )  # fmt: skip
    meant = [{"id": device, "room_id": "r", "code": device, "has_agent": True} for device in PCS]
    detail = {"meant": meant, "ordered": PCS, "ends": T0 + 20, "whole_school": True}
    site = Site("th", "Trường", "q", tuple(lines), {}, {}, (), Calendar())
    run = CampaignRun(
        run_id="run-1234", school_id="th", kind=kind.value, failover=failover, ramp_n=0, lines=["main", "spare"],
        contracted_dl=140_000_000, contracted_ul=90_000_000,
    )  # fmt: skip
    return finish(run, detail, plan, report, {}, series, site, 10**9, usual).result


@pytest.fixture
def series(tmp_path: Path) -> Iterator[SqliteSeries]:
    """An empty series store."""
    with closing(SqliteSeries.open(tmp_path / "series.db")) as opened:
        yield opened


def verdicts(result: CampaignResult) -> dict[str, str]:
    """Verdict by line."""
    return {line["line"]: line["verdict"] for line in result.by_line}


def test_declared_addresses_name_the_lines(series: SqliteSeries) -> None:
    """Each line has its own verdict under its own name, and all PCs together pass."""
    result = judged(series, BOTH)
    assert (result.verdict, verdicts(result)) == ("pass", {"main": "pass", "spare": "pass"})
    assert {line["line"]: line["sources"] for line in result.by_line} == {"main": [MAIN], "spare": [SPARE]}


def test_the_line_that_is_too_narrow_is_the_one_that_fails(series: SqliteSeries) -> None:
    """Every PC of the spare line lacks a fifth: that line fails, the other one passes."""
    assert verdicts(judged(series, BOTH, rates=(FLOOR, 0.8 * FLOOR))) == {"main": "pass", "spare": "fail"}


def test_each_line_is_held_against_its_own_contract(series: SqliteSeries) -> None:
    """100 + 40 Mbit/s are promised: 101 and 33 are enough for the first only, and too little in sum."""
    result = judged(series, BOTH, rates=(9.8e6, 3.2e6), kind=RunKind.CAPACITY)
    assert (result.verdict, verdicts(result)) == ("pass", {"main": "pass", "spare": "fail"})
    less = judged(series, BOTH, rates=(9.2e6, 3.2e6), kind=RunKind.CAPACITY)
    assert (less.verdict, verdicts(less)) == ("fail", {"main": "pass", "spare": "fail"})


def test_an_address_that_nobody_declared_is_of_no_line(series: SqliteSeries) -> None:
    """It is said, it has no contract to be held against, and the sum still owes what both contracts promise."""
    only_main = (BOTH[0], SchoolLine("spare", "Viettel", 40_000_000, 40_000_000))
    result = judged(series, only_main)
    assert "source_address_of_no_known_line" in result.reasons
    assert set(verdicts(result)) == {"main", SPARE}
    capacity = judged(series, only_main, rates=(9.8e6, 1e6), kind=RunKind.CAPACITY)
    assert (capacity.verdict, verdicts(capacity)) == ("fail", {"main": "pass", SPARE: "insufficient"})


def test_an_address_that_two_lines_claim_is_nobodys(series: SqliteSeries) -> None:
    """Which line it was cannot be told, so no line passes by it."""
    both_main = (BOTH[0], SchoolLine("spare", "Viettel", 40_000_000, 40_000_000, (MAIN, SPARE)))
    result = judged(series, both_main)
    assert set(verdicts(result)) == {MAIN, "spare"}
    assert "source_address_of_no_known_line" in result.reasons


def test_without_declared_addresses_each_address_stands_for_itself(series: SqliteSeries) -> None:
    """Two lines of which nothing is declared: figures by address."""
    plain = tuple(SchoolLine(line.id, line.isp, line.down_bps, line.up_bps) for line in BOTH)
    assert set(verdicts(judged(series, plain))) == {MAIN, SPARE}


def test_a_failover_run_holds_the_other_line_against_its_own_contract(series: SqliteSeries) -> None:
    """Everybody came over the spare line: 41 Mbit/s keep its contract, which is all that can be asked of it."""
    spare = {"sources": (SPARE,), "rates": (2e6,), "kind": RunKind.CAPACITY}
    result = judged(series, BOTH, **spare, failover=True, usual=[{"main"}])  # type: ignore[arg-type] # as named
    assert (result.verdict, verdicts(result)) == ("pass", {"spare": "pass"})
    plain = judged(series, BOTH, sources=(SPARE,), rates=(2e6,), kind=RunKind.CAPACITY)
    assert plain.verdict == "fail", "without failover both contracts count"


def test_a_failover_run_in_which_the_main_line_still_carries_says_nothing(series: SqliteSeries) -> None:
    """Nobody pulled it out: the run is no failover."""
    result = judged(series, BOTH, failover=True, usual=[{"main"}])
    assert (result.verdict, result.reasons) == ("insufficient", ["more_than_one_line_carried_it"])
    assert verdicts(result) == {"main": "insufficient", "spare": "insufficient"}


@pytest.mark.parametrize("kind", [RunKind.FLOOR, RunKind.CAPACITY])
@pytest.mark.parametrize(
    ("source", "usual", "reasons"),
    [
        (MAIN, [{"main"}], ["it_went_over_the_usual_line"]),
        (MAIN, [{"main"}, {"spare"}, {"main"}], ["it_went_over_the_usual_line"]),
        (MAIN, [{"main", "spare"}, {"main"}], ["it_went_over_the_usual_line"]),
        (SPARE, [{"main"}, {"spare"}, {"main"}], []),
        (SPARE, [{"main", "spare"}], []),
        (SPARE, [], ["no_earlier_run_tells_the_usual_line"]),
        ("192.0.2.1", [{"main"}], ["source_address_of_no_known_line", "no_earlier_run_tells_the_usual_line"]),
    ],
)
def test_a_failover_over_the_usual_line_is_none(
    series: SqliteSeries, kind: RunKind, source: str, usual: list[set[str]], reasons: list[str]
) -> None:
    """Nobody pulled the main line and everything went over it as always, or nobody knows which one that is: the run
    passes nothing, neither as a whole nor for the line, however fast it was."""
    rate = FLOOR if kind is RunKind.FLOOR else 9.8e6
    result = judged(series, BOTH, sources=(source,), rates=(rate,), kind=kind, failover=True, usual=usual)
    assert result.reasons == reasons
    assert result.verdict == ("insufficient" if reasons else "pass")
    assert set(verdicts(result).values()) == {result.verdict}


def test_without_declared_addresses_a_failover_shows_nothing(series: SqliteSeries) -> None:
    """An address alone is of no line: which one was out cannot be told."""
    plain = tuple(SchoolLine(line.id, line.isp, line.down_bps, line.up_bps) for line in BOTH)
    result = judged(series, plain, sources=(SPARE,), rates=(FLOOR,), failover=True)
    assert (result.verdict, result.reasons) == ("insufficient", ["no_earlier_run_tells_the_usual_line"])
