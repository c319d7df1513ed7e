"""What the pages of bandwidth tests show: a unit's campaigns and runs, and one run with its charts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup
from sqlalchemy import select

from phongmay_api.access.permissions import Permission
from phongmay_api.access.scope import Scope
from phongmay_api.campaigns import queries
from phongmay_api.pages.district import crumbs
from phongmay_campaigns.ledger import standing_of
from phongmay_campaigns.reporting import words
from phongmay_campaigns.reporting.charts import PHONE_WIDTH, Chart, per_pc, stacked
from phongmay_campaigns.reporting.evidence import Evidence
from phongmay_campaigns.reporting.facts_of_run import about, by_line, conclusion, measured
from phongmay_campaigns.reporting.svg import svg
from phongmay_store.register.campaign import ENDS, Campaign, CampaignRun, CampaignState
from phongmay_store.register.organisation import Unit, UnitKind
from phongmay_store.register.place import Room, RoomKind

MOST_RUNS = 100
STATE_OF = {"pass": "pass", "fail": "fail", "insufficient": "unknown", "invalid": "unknown"}
"""Verdict of a run -> sign of the pages."""


@dataclass(frozen=True, slots=True)
class RunLine:
    """A run in the list."""

    run: CampaignRun
    school: str
    room: str
    kind: str
    state: str
    text: str
    reason: str
    open: bool


@dataclass(frozen=True, slots=True)
class TestsView:
    """The page of a unit."""

    unit: Unit
    crumbs: Sequence[Unit]
    runs: Sequence[RunLine]
    campaigns: Sequence[tuple[Campaign, str, str]]
    rooms: Sequence[Room]
    may_test: bool
    kinds: Sequence[tuple[str, str]]
    modes: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class PcLine:
    """A PC on the page of a run."""

    code: str
    room: str
    status: str
    reason: str
    down: str
    up: str
    idle: str
    loaded: str
    state: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """A chart, drawn for a desk and again, narrow, for a phone."""

    title: str
    broad: Markup
    slim: Markup


@dataclass(frozen=True, slots=True)
class RunView:
    """The page of a run."""

    unit: Unit
    crumbs: Sequence[Unit]
    run: CampaignRun
    title: str
    state: str
    conclusion: Sequence[tuple[str, str]]
    about: Sequence[tuple[str, str]]
    measured: Sequence[tuple[str, str]]
    charts: Sequence[Drawn]
    by_line: Sequence[tuple[str, str, str, str]]
    pcs: Sequence[PcLine]
    absent: Sequence[str]
    notes: Sequence[str]
    open: bool
    may_test: bool


def tests_view(scope: Scope, unit: Unit, language: str) -> TestsView:
    """Gather the page of a unit."""
    rows = queries.runs(scope, unit.id, None, None, MOST_RUNS)
    standing = standing_of(scope.session, [row.run_id for row in rows])
    results = queries.results(scope, rows)
    schools = {row.id: row.name for row in scope.units}
    rooms = list(scope.session.scalars(scope.select(Room, [unit.id]).where(Room.kind == RoomKind.COMPUTER.value)))
    wanted = {row.room_id for row in rows if row.room_id}
    names = {room: name for room, name in scope.session.execute(  # noqa: C416 rows are no pairs to mypy
        select(Room.id, Room.name).where(Room.holds(), Room.id.in_(wanted)))}  # fmt: skip
    lines = []
    for row in rows:
        at, result = standing.get(row.run_id), results.get(row.run_id)
        if at is None:
            continue
        text = words.word(words.STEPS, at.step.value, language)
        reason = words.end_reason(str(at.detail.get("reason", "")), language)
        if result is not None:
            text = words.word(words.VERDICTS, result.verdict, language)
            reason = "; ".join(words.word(words.REASONS, code, language) for code in result.reasons)
        lines.append(
            RunLine(
                row, schools.get(row.school_id, row.school_id), names.get(row.room_id or "", ""),
                words.word(words.KINDS, row.kind, language), STATE_OF.get(result.verdict if result else "", "unknown"),
                text, reason, at.step not in ENDS,
            )
        )  # fmt: skip
    active = queries.campaigns(scope, unit.id, CampaignState.ACTIVE.value, None, MOST_RUNS)
    return TestsView(
        unit, [*crumbs(scope, unit), unit], lines,
        [(one, words.word(words.KINDS, one.kind, language), words.word(words.MODES, one.mode, language))
         for one in active],
        rooms if unit.kind == UnitKind.SCHOOL else (), scope.may(Permission.TEST, unit.id),
        [(kind, words.word(words.KINDS, kind, language)) for kind in words.KINDS],
        [(mode, words.word(words.MODES, mode, language)) for mode in ("now", "teacher", "planned", "opportunistic")],
    )  # fmt: skip


def run_view(scope: Scope, evidence: Evidence, language: str) -> RunView:
    """Gather the page of a run."""
    run, result = evidence.run, evidence.result
    unit = scope.one(Unit, "organisation unit", Unit.id == run.school_id)
    both = zip(_charts(evidence, language), _charts(evidence, language, width=PHONE_WIDTH), strict=True)
    return RunView(
        unit=unit,
        crumbs=[*crumbs(scope, unit), unit],
        run=run,
        title=words.text("title", language),
        state=STATE_OF.get(result.verdict if result else "", "unknown"),
        conclusion=list(conclusion(evidence, language)),
        about=about(evidence, language),
        measured=measured(result, language) if result is not None else (),
        charts=[Drawn(chart.title, _drawn(chart), _drawn(slim)) for chart, slim in both],
        by_line=by_line(result, evidence, language) if result is not None else (),
        pcs=_pcs(evidence, language),
        absent=[one.code for one in evidence.absent],
        notes=[words.text(key, language) for key in ("layer_note", "rules_note")],
        open=evidence.standing.step not in ENDS,
        may_test=scope.may(Permission.TEST, unit.id),
    )


def _charts(evidence: Evidence, language: str, **size: float) -> list[Chart]:
    drawn = [
        stacked(evidence, down=True, language=language, **size),
        stacked(evidence, down=False, language=language, **size),
        per_pc(evidence, language=language, **size),
    ]
    return [chart for chart in drawn if chart is not None]


def _drawn(chart: Chart) -> Markup:
    return Markup(svg(chart))  # noqa: S704 every text of it is escaped by svg()


def _pcs(evidence: Evidence, language: str) -> list[PcLine]:
    def rate(bps: float | None) -> str:
        return "–" if bps is None else words.rate(bps, language)

    def wait(seconds: float | None) -> str:
        return "–" if seconds is None else words.milliseconds(seconds, language)

    return [
        PcLine(
            one.code, evidence.room_name(one.room_id), words.word(words.STATUSES, one.status, language),
            words.word(words.PC_REASONS, one.reason, language),
            rate(one.goodput_dl_srv), rate(one.goodput_ul_srv), wait(one.idle_p50), wait(one.loaded_p50),
            "unknown" if one.passed is None else "pass" if one.passed else "fail",
        )
        for one in evidence.participants
    ]  # fmt: skip
