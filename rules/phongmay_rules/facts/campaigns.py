"""Facts of concurrent bandwidth tests: places with their runs go in, what rooms and lines were shown to hold comes out.

A floor run that passed shows that every PC gets at least the floor, no more; one that failed shows the rate that was
reached. A line fails only on two of its last three valid runs on different days (`phongmay_bandwidth.verdict.decide`),
and a PC fails a room only in the same way. Whatever was not shown is missing, with the reason; nothing is assumed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from statistics import fmean, median

from phongmay_bandwidth.evidence import SUM_SHARE
from phongmay_bandwidth.figures import PASS_SHARE
from phongmay_bandwidth.verdict import PastRun, Verdict, decide
from phongmay_rules.facts.catalogue import SPAN_S, Found, Span, is_covered, missing
from phongmay_rules.facts.contracts import of_contract
from phongmay_rules.places import DevicePlace, RoomPlace, SchoolPlace
from phongmay_rules.reasons import Reason
from phongmay_rules.runs import LineRun, RoomOutcome
from phongmay_store.register.campaign import CampaignKind
from phongmay_store.register.device import DeviceKind, DeviceState
from phongmay_store.register.place import RoomKind
from phongmay_store.register.timetable import LOCAL, local_day

HOLDS_S = SPAN_S[Span.HELD]
"""A run vouches for so long: a quarter."""
LOADED = 0.9
"""Share of the ordered load that must have gone over a line before it is said to have held."""
ROOM = ("concurrent_pass_ratio", "concurrent_p10_bps")
"""Facts of a room."""
SCHOOL = (
    "download_p50_bps", "upload_p50_bps", "download_per_student_bps", "download_per_pc_bps", "download_contract_ratio",
    "upload_contract_ratio", "rtt_mean_s", "loss_ratio",
)  # fmt: skip
"""Facts of a school's lines."""
_PCS = (DeviceKind.PC, DeviceKind.TEACHER_PC)
Select = Callable[[LineRun], float | None]


def quarter_start(at: float) -> float:
    """Give the first instant of the local quarter."""
    day = local_day(at)
    first = datetime(day.year, (day.month - 1) // 3 * 3 + 1, 1, tzinfo=LOCAL)
    return first.timestamp()


def at_floor(run: LineRun, needed: float) -> LineRun:
    """Give a floor run as it stands against a lower floor than the one that it was held against, by the stored rates.

    A PC or line that missed a high floor may have reached the lower one. Against a higher floor nothing is added: what
    was paced at the old one shows no more than that, and what missed the old one misses the new one too.
    """
    failed = run.verdict == Verdict.FAIL or any(outcome.failed for outcome in run.rooms.values())
    if not failed or not 0 < needed < run.floor_bps:
        return run
    ratio = needed / run.floor_bps
    rooms = {room: _room_at_floor(outcome, ratio) for room, outcome in run.rooms.items()}
    slow = any(outcome.failed for outcome in rooms.values())
    carried = run.line_share is not None and run.line_share >= SUM_SHARE * ratio
    line = Verdict.PASS if run.line_verdict == Verdict.FAIL and carried and not slow else run.line_verdict
    verdict = Verdict.PASS if run.verdict == Verdict.FAIL and carried and not slow else run.verdict
    return replace(
        run, floor_bps=needed, pace_bps=run.pace_bps * ratio, rooms=rooms, verdict=verdict, line_verdict=line,
        below=frozenset() if carried and not slow else run.below,
    )  # fmt: skip


def _room_at_floor(outcome: RoomOutcome, ratio: float) -> RoomOutcome:
    had = {pc for pc in outcome.failed if outcome.reached.get(pc, 0.0) >= PASS_SHARE * ratio}
    return replace(outcome, passed=outcome.passed | had, failed=outcome.failed - had)


# ---- rooms -----------------------------------------------------------------------------------------------------------


def room_facts(
    room: RoomPlace, devices: Sequence[DevicePlace], runs: Sequence[LineRun], needed_bps: float, at: float
) -> list[Found]:
    """Give which share of the PCs in service passed this quarter, and the rate of the slowest tenth.

    Args:
        room: the room.
        devices: what stands in it.
        runs: runs of its school, oldest first.
        needed_bps: floor in force now.
        at: time of the evaluation.
    """
    pcs = sorted(d.id for d in devices if d.kind in _PCS and d.state == DeviceState.IN_SERVICE)
    own = [
        at_floor(run, needed_bps)
        for run in runs
        if run.is_valid and run.kind == CampaignKind.FLOOR and room.id in run.rooms
    ]
    return [
        _pass_ratio(room, pcs, [run for run in own if run.at >= quarter_start(at)], needed_bps, at),
        _room_rate(room, pcs, [run for run in own if run.at >= at - HOLDS_S], needed_bps, at),
    ]


def _pass_ratio(room: RoomPlace, pcs: Sequence[str], runs: Sequence[LineRun], needed: float, at: float) -> Found:
    name = "concurrent_pass_ratio"
    if not pcs:
        return missing(name, Reason.NO_MEMBERS, at, sources=(room.row,))
    if not runs:
        return missing(name, Reason.NO_RUN_YET, at, sources=(room.row,))
    enough = [run for run in runs if run.floor_bps >= needed]
    passed = [pc for pc in pcs if any(pc in run.rooms[room.id].passed for run in enough)]
    failed = [pc for pc in pcs if pc not in passed and _fails(pc, room.id, runs)]
    detail = {
        "pcs": len(pcs), "passed": len(passed), "failed": failed[:20], "open": len(pcs) - len(passed) - len(failed),
        "runs": len(runs),
    }  # fmt: skip
    sources = tuple(run.source for run in runs[-6:])
    if failed or is_covered(name, len(passed), len(pcs)):
        return Found(name, len(passed) / len(pcs), at, None, sources, detail)
    why = Reason.FLOOR_RAISED if not enough else Reason.NOT_ALL_TESTED
    return missing(name, why, at, sources=sources, **detail)


def _fails(pc: str, room: str, runs: Sequence[LineRun]) -> bool:
    """Tell whether a PC failed two of its last three valid runs, on different days."""
    history = []
    for run in runs:
        outcome = run.rooms[room]
        if pc in outcome.passed or pc in outcome.failed:
            history.append(PastRun(local_day(run.at), Verdict.PASS if pc in outcome.passed else Verdict.FAIL))
    return decide(history) is Verdict.FAIL


def _room_rate(room: RoomPlace, pcs: Sequence[str], runs: Sequence[LineRun], needed: float, at: float) -> Found:
    """Give the rate of the slowest tenth of a room's PCs, each carrying its own share only, where enough took part."""
    name = "concurrent_p10_bps"
    if not pcs:
        return missing(name, Reason.NO_MEMBERS, at, sources=(room.row,))
    measured = [run for run in runs if run.rooms[room.id].p10_bps is not None]
    tested = [len(run.rooms[room.id].took_part.intersection(pcs)) for run in measured]
    own = [run for run, count in zip(measured, tested, strict=True) if is_covered(name, count, len(pcs))]
    if measured and not own:
        newest = measured[-1]
        return missing(
            name, Reason.NOT_ALL_TESTED, at, sources=(newest.source,), run=newest.id, pcs=len(pcs), tested=tested[-1]
        )
    history = [PastRun(local_day(run.at), Verdict.PASS if _room_held(run, room.id) else Verdict.FAIL) for run in own]
    return _standing(
        name, history, own, needed, at, lambda run: _own_share(run, run.rooms[room.id].p10_bps), (room.row,)
    )


def _room_held(run: LineRun, room: str) -> bool:
    p10 = run.rooms[room].p10_bps
    return p10 is not None and p10 >= PASS_SHARE * run.pace_bps


def _own_share(run: LineRun, rate: float | None) -> float | None:
    """Scale a PC's rate down to its own share where it pulled for absent PCs too."""
    return None if rate is None else rate * run.floor_bps / run.pace_bps if run.pace_bps else rate


def _standing(
    name: str,
    history: Sequence[PastRun],
    runs: Sequence[LineRun],
    needed: float,
    at: float,
    reached: Select,
    sources: tuple[str, ...],
) -> Found:
    """Say what several floor runs come to: the floor where it held, the rate where it surely did not, else nothing."""
    standing = decide(history)
    if standing is None:
        return missing(name, Reason.NO_RUN_YET, at, sources=sources)
    newest = runs[-1]
    sources = tuple(run.source for run in runs[-3:])
    detail = {
        "run": newest.id, "runs": len(runs), "floor_bps": newest.floor_bps, "emulated": newest.emulated,
        "cause": newest.cause,
    }  # fmt: skip
    if standing is Verdict.PASS:
        if newest.floor_bps < needed:
            return missing(name, Reason.FLOOR_RAISED, at, sources=sources, **detail)
        return Found(name, newest.floor_bps, newest.at, None, sources, {**detail, "at_least": True})
    if standing is Verdict.FAIL:
        last = next(run for run, past in zip(reversed(runs), reversed(history), strict=True)
                    if past.verdict is Verdict.FAIL)  # fmt: skip
        rate = reached(last)
        if rate is not None:
            return Found(name, rate, last.at, None, sources, detail)
    return missing(name, Reason.FAILED_ONCE, at, sources=sources, **detail)


# ---- lines -----------------------------------------------------------------------------------------------------------


def line_facts(school: SchoolPlace, students: Found, needed_bps: float, at: float) -> list[Found]:
    """Give what the lines of a school were shown to carry, all of them together.

    Args:
        school: the school with its runs.
        students: fact of that name.
        needed_bps: floor in force now.
        at: time of the evaluation.
    """
    recent = [run for run in school.runs if run.is_usable and run.at >= at - HOLDS_S]
    capacity = [run for run in recent if run.kind == CampaignKind.CAPACITY]
    download = _median("download_p50_bps", capacity, lambda run: run.ip_dl, at)
    return [
        download,
        _median("upload_p50_bps", capacity, lambda run: run.ip_ul, at),
        _per_student(download, students, at),
        _per_pc(
            school, [at_floor(run, needed_bps) for run in recent if run.kind == CampaignKind.FLOOR], needed_bps, at
        ),
        of_contract(
            "download_contract_ratio", [(line, line.down_bps or 0) for line in school.lines],
            [(run, run.ip_dl, run.contracted_dl) for run in capacity], at,
        ),
        of_contract(
            "upload_contract_ratio", [(line, line.up_bps or 0) for line in school.lines],
            [(run, run.ip_ul, run.contracted_ul) for run in capacity], at,
        ),
        _latency(recent, at),
        _loss([run for run in recent if run.kind == CampaignKind.FLOOR], at),
    ]  # fmt: skip


def _median(name: str, runs: Sequence[LineRun], rate: Select, at: float) -> Found:
    found = [(run, value) for run in runs if (value := rate(run)) is not None]
    if not found:
        return missing(name, Reason.NO_CAPACITY_RUN, at)
    values = [value for _, value in found]
    detail = {"runs": len(values), "lowest": min(values), "highest": max(values), "layer": "ip"}
    return Found(name, median(values), found[-1][0].at, None, tuple(run.source for run, _ in found[-6:]), detail)


def _per_student(download: Found, students: Found, at: float) -> Found:
    name = "download_per_student_bps"
    if not isinstance(students.value, float | int) or students.value <= 0:
        return missing(name, Reason.NOT_DECLARED, at, sources=students.sources)
    if not isinstance(download.value, float | int):
        return missing(name, download.missing or Reason.NO_CAPACITY_RUN, at)
    detail = {"download_bps": download.value, "students": students.value}
    sources = (*download.sources, *students.sources)
    return Found(name, download.value / students.value, download.at, None, sources, detail)


def _per_pc(school: SchoolPlace, runs: Sequence[LineRun], needed: float, at: float) -> Found:
    """Only runs of the whole school say that the line serves all PCs; upward failures are no matter of this fact."""
    rooms = [room for room in school.rooms if room.kind == RoomKind.COMPUTER]
    whole = [run for run in runs if run.whole_school]
    loaded = [run for run in whole if run.line_verdict != Verdict.PASS or _was_loaded(run)]
    if whole and not loaded:
        newest = whole[-1]
        return missing(
            "download_per_pc_bps", Reason.LOAD_NOT_REACHED, at, sources=(newest.source,), run=newest.id,
            cause=newest.cause,
        )  # fmt: skip
    history = [PastRun(local_day(run.at), _downwards(run)) for run in loaded]
    return _standing("download_per_pc_bps", history, loaded, needed, at, _reached, tuple(room.row for room in rooms))


def _was_loaded(run: LineRun) -> bool:
    """Tell whether the line carried what it was to carry: a slow room can keep the load from ever reaching it."""
    ordered = run.floor_bps * run.registered
    return run.goodput_dl is not None and is_covered("download_per_pc_bps", run.goodput_dl, ordered)


def _downwards(run: LineRun) -> Verdict:
    """Tell how a line did downwards; one that failed passes only where it is known to have failed upwards alone."""
    failed_upwards_alone = run.line_verdict == Verdict.FAIL and run.below == {"up"}
    return Verdict.PASS if failed_upwards_alone else Verdict(run.line_verdict)


def _reached(run: LineRun) -> float | None:
    """Give what each registered PC got in a run that failed: the mean, or the slowest tenth if that is less."""
    mean = run.goodput_dl / run.registered if run.goodput_dl is not None and run.registered else None
    found = [rate for rate in (mean, _own_share(run, run.p10_bps)) if rate is not None]
    return min(found, default=None)


def _latency(runs: Sequence[LineRun], at: float) -> Found:
    """Give the mean of the idle latencies to the bandwidth server, one a run."""
    found = [(run, run.idle_s) for run in runs if run.idle_s is not None]
    if not found:
        return missing("rtt_mean_s", Reason.NO_RUN_YET, at)
    detail = {"runs": len(found), "to": "bandwidth server"}
    sources = tuple(run.source for run, _ in found[-6:])
    return Found("rtt_mean_s", fmean(value for _, value in found), found[-1][0].at, None, sources, detail)


def _loss(runs: Sequence[LineRun], at: float) -> Found:
    """Give the mean of the shares of lost echoes in floor runs, in which every PC takes no more than its floor.

    A capacity run fills the line until packets are lost, so it says nothing here; neither does a run whose echoes went
    over the control connection, which loses nothing.
    """
    found = [(run, run.loss) for run in runs if run.loss is not None]
    if not found:
        return missing("loss_ratio", Reason.NO_DATA if runs else Reason.NO_RUN_YET, at)
    detail = {"runs": len(found), "to": "bandwidth server"}
    sources = tuple(run.source for run, _ in found[-6:])
    return Found("loss_ratio", fmean(value for _, value in found), found[-1][0].at, None, sources, detail)
