"""Bandwidth tests as the register keeps them, read for facts, held against a changed floor, and linked in the chain."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from phongmay_rules.chain.verifying import Tampering, verify
from phongmay_rules.recomputing import recompute
from phongmay_rules.runs import LOOK_BACK, read_runs
from phongmay_store.register.campaign import CampaignDigest, CampaignParticipant, CampaignResult, CampaignRun
from phongmay_store.register.chain import ChainLink, LinkKind

from .conftest import LONG_AGO, NOW, House

FLOOR = 2e6
PCS = ("cs-0", "cs-1", "cs-2")


def add_run(house: House, run_id: str, at: datetime, rates: tuple[float, ...] = (FLOOR,) * 3, **more: Any) -> None:
    """Store a floor run of the school `cs` in which its PCs reached these rates, both ways."""
    failed = [pc for pc, rate in zip(PCS, rates, strict=True) if rate < 0.95 * FLOOR]
    kind, verdict = more.pop("kind", "floor"), more.pop("verdict", "fail" if failed else "pass")
    paced = kind == "floor"
    directions = [
        {"direction": name, "share_floor": 1 - len(failed) / 3 if paced else None, "goodput_bps": sum(rates),
         "ordered_bps": 3 * FLOOR if paced else 0.0}
        for name in ("down", "up")
    ]  # fmt: skip
    room = {"room": "cs-room", "passed": not failed, "passed_devices": [pc for pc in PCS if pc not in failed],
            "failed_devices": failed, "p10_dl": min(rates)}  # fmt: skip
    run = CampaignRun(
        run_id=run_id, campaign_id="c", school_id="cs", lines=["l"], groups=[], attempt=hash(run_id), kind=kind,
        mode="planned", server_id="s", rate_bps=1, floor_dl=FLOOR, floor_ul=FLOOR, due_at=at, slot_start=at,
        slot_end=at, failover=more.pop("failover", False),
    )  # fmt: skip
    result = CampaignResult(
        run_id=run_id, school_id="cs", kind=kind, t_start=at, warmup_s=2.0, window_s=6.0, streams=1,
        pace_bps=FLOOR if paced else 0.0, n_registered=3, n_online=3, n_started=3, n_valid=3, emulated_n=0,
        agg_goodput_dl=sum(rates), agg_goodput_ul=sum(rates), agg_ip_dl=sum(rates) * 1.036, p10=min(rates),
        bytes_total=1, directions=directions, by_line=[{"line": "l", "verdict": verdict, "directions": directions}],
        rooms=[room] if paced else [], whole_room=True, whole_school=True, verdict=verdict,
        reasons=more.pop("reasons", []), cause="line" if failed else "", cause_names=[], recorded_at=at,
    )  # fmt: skip
    with house.sessions() as session:
        session.add_all([run, result])
        for pc, rate in zip(PCS, rates, strict=True):
            session.add(
                CampaignParticipant(
                    run_id=run_id, device_id=pc, room_id="cs-room", code=pc, goodput_dl_srv=rate, goodput_ul_srv=rate,
                    status="ok", passed=rate >= 0.95 * FLOOR, bins_dl=[], bins_ul=[],
                )
            )  # fmt: skip
        session.commit()


def ago(days: float) -> datetime:
    """Give a moment before now."""
    return NOW - timedelta(days=days)


# ---- what is read ----------------------------------------------------------------------------------------------------


def test_only_runs_that_facts_look_at_are_read(house: House) -> None:
    """Valid floor runs and usable capacity runs of 92 days, oldest first; void, failover, old and future ones not."""
    add_run(house, "b", ago(3))
    add_run(house, "a", ago(20), (FLOOR, 0.9e6, FLOOR))
    add_run(house, "capacity", ago(10), kind="capacity", verdict="pass")
    add_run(house, "contract", ago(9), kind="capacity", verdict="insufficient",
            reasons=["no_contracted_rate_to_hold_it_against"])  # fmt: skip
    add_run(house, "crossed", ago(8), kind="capacity", verdict="insufficient", reasons=["cross_traffic"])
    for name, verdict in (("void", "invalid"), ("few", "insufficient")):
        add_run(house, name, ago(2), verdict=verdict)
    add_run(house, "failover", ago(2), failover=True)
    add_run(house, "ramp", ago(2), kind="ramp")
    add_run(house, "old", NOW - LOOK_BACK)
    add_run(house, "later", NOW + timedelta(seconds=1))
    with house.sessions() as session:
        found = read_runs(session, NOW)
        assert [run.id for run in found["cs"]] == ["a", "capacity", "contract", "b"]
        assert found["cs"][0].rooms["cs-room"].reached == {"cs-1": pytest.approx(0.45)}
        assert found["cs"][0].line_share == pytest.approx(4.9 / 6)
        assert read_runs(session, NOW, only=["th"]) == {}
        assert [run.id for run in read_runs(session, NOW, known_at=ago(9.5))["cs"]] == ["a", "capacity"]


def test_a_sum_below_the_order_is_below_in_its_direction(house: House) -> None:
    """0.97 of the pace for everybody is no slow PC, and less than the line was to carry; 0.99 is enough."""
    add_run(house, "short", ago(3), (0.97 * FLOOR,) * 3, verdict="fail")
    add_run(house, "good", ago(2), (0.99 * FLOOR,) * 3)
    with house.sessions() as session:
        short, good = read_runs(session, NOW)["cs"]
    assert (short.below, good.below) == ({"down", "up"}, frozenset())


# ---- a changed floor -------------------------------------------------------------------------------------------------


def states(house: House) -> tuple[tuple[str, str], tuple[str, str]]:
    """Give the states of room and line now."""
    house.evaluate()
    return house.state("cs-room", "PH-03"), house.state("cs", "TR-07")


def test_a_lowered_floor_judges_stored_runs_anew(house: House) -> None:
    """Two days at 1.2 Mbit/s fail 2 Mbit/s, and are enough for 1.2: the rates of each PC were kept."""
    house.set_parameter("quan", "per_pc_min", FLOOR)
    for days in (3, 2):
        add_run(house, f"run-{days}", ago(days), (1.2e6,) * 3)
    assert [state for state, _ in states(house)] == ["fail", "fail"]
    house.set_parameter("quan", "per_pc_min", 1.2e6)
    assert [state for state, _ in states(house)] == ["pass", "pass"]
    house.set_parameter("quan", "per_pc_min", 1.3e6)
    assert [state for state, _ in states(house)] == ["fail", "fail"], "1.2 is less than 0.95 x 1.3"


def test_a_lowered_floor_forgives_who_reached_it_and_nobody_else(house: House) -> None:
    """One PC at 0.9 Mbit/s stays below 1.2; the others had 1.2 all along."""
    house.set_parameter("quan", "per_pc_min", 1.2e6)
    for days in (3, 2):
        add_run(house, f"run-{days}", ago(days), (1.2e6, 0.9e6, 1.2e6))
    house.evaluate()
    assert house.state("cs-room", "PH-03")[0] == "fail"
    assert house.verdict("cs-room", "PH-03").measured["value"] == pytest.approx(2 / 3)


def test_a_raised_floor_leaves_passes_open_and_failures_standing(house: House) -> None:
    """A run paced at 2 Mbit/s shows nothing of 3, and says so; what missed 2 misses 3."""
    house.set_parameter("quan", "per_pc_min", 3e6)
    add_run(house, "good", ago(3))
    assert states(house) == (("unknown", "floor_raised"), ("unknown", "floor_raised"))
    for days in (2, 1):
        add_run(house, f"run-{days}", ago(days), (0.9e6,) * 3)
    assert [state for state, _ in states(house)] == ["fail", "fail"]


def test_recompute_uses_the_floor_that_was_in_force(house: House) -> None:
    """Recomputed facts of runs are the stored ones, under a raised floor too, and after it was changed again."""
    house.set_parameter("quan", "per_pc_min", 3e6)
    add_run(house, "good", ago(3))
    house.evaluate()
    house.set_parameter("quan", "per_pc_min", FLOOR)
    with house.sessions() as session:
        assert [one.sentence() for one in recompute(session, house.series, "cs", NOW)] == []


# ---- the chain -------------------------------------------------------------------------------------------------------


@pytest.fixture
def linked(house: House) -> House:
    """A school with two tests that an evaluation has linked."""
    for days in (3, 2):
        add_run(house, f"run-{days}", ago(days))
    house.evaluate()
    return house


def sound(house: House) -> list[tuple[Tampering, str]]:
    """Verify the school and give what is broken."""
    with house.sessions() as session:
        return [(one.tampering, one.sentence) for one in verify(session, "cs").breaks]


def test_every_result_becomes_one_link(linked: House) -> None:
    """Each test is linked once, oldest first, however often one evaluates; a new one is linked by the next."""
    linked.evaluate(NOW + timedelta(minutes=1))
    add_run(linked, "newest", NOW)
    linked.evaluate(NOW + timedelta(minutes=2))
    with linked.sessions() as session:
        assert session.scalars(select(CampaignDigest.run_id).order_by(CampaignDigest.number)).all() == [
            "run-3", "run-2", "newest",
        ]  # fmt: skip
        kinds = session.scalars(select(ChainLink.kind).where(ChainLink.unit_id == "cs")).all()
        assert kinds.count(LinkKind.CAMPAIGN) == 3
    assert sound(linked) == []


@pytest.mark.parametrize(
    ("change", "tampering", "told"),
    [
        (update(CampaignResult).where(CampaignResult.run_id == "run-3").values(verdict="fail"), Tampering.CHANGED,
         "bandwidth test run-3 was changed"),
        (update(CampaignResult).where(CampaignResult.run_id == "run-2").values(agg_ip_dl=9e9), Tampering.CHANGED,
         "bandwidth test run-2 was changed"),
        (update(CampaignRun).where(CampaignRun.run_id == "run-2").values(floor_dl=1.0), Tampering.CHANGED,
         "bandwidth test run-2 was changed"),
        (update(CampaignParticipant).where(CampaignParticipant.device_id == "cs-1").values(goodput_dl_srv=9e9),
         Tampering.CHANGED, "bandwidth test run-3 was changed"),
        (delete(CampaignParticipant).where(CampaignParticipant.device_id == "cs-1"), Tampering.CHANGED,
         "bandwidth test run-3 was changed"),
        (delete(CampaignResult).where(CampaignResult.run_id == "run-2"), Tampering.REMOVED_ROW,
         "bandwidth test run-2 was removed"),
        (update(CampaignDigest).where(CampaignDigest.run_id == "run-2").values(digest="0" * 64), Tampering.CHANGED,
         "campaign row 2 or its link was changed"),
    ],
    ids=["verdict", "figure", "plan", "participant", "participant removed", "result removed", "digest"],
)  # fmt: skip
def test_a_changed_test_is_found_and_named(linked: House, change: Any, tampering: Tampering, told: str) -> None:
    """Whatever of a test is changed after it was linked, verifying names the test and the link."""
    with linked.sessions() as session:
        session.execute(change)
        session.commit()
    broken = sound(linked)
    assert broken[0][0] is tampering
    assert told in broken[0][1]


def test_a_digest_put_in_by_hand_is_found(linked: House) -> None:
    """A digest that no link stands for shows that somebody wrote past the chain."""
    with linked.sessions() as session:
        session.add(CampaignDigest(unit_id="cs", run_id="made-up", digest="0" * 64, recorded_at=LONG_AGO))
        session.commit()
    assert [kind for kind, _ in sound(linked)] == [Tampering.NOT_LINKED]
