"""Planning and driving on a real register and a real series store, without brokers: what runs when, and why not.

Long because every test needs the same school with its PCs, router and server, which stands at the beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from phongmay_bandwidth.report import ConnectionReport, RunReport
from phongmay_campaigns.coordinator import Coordinator
from phongmay_campaigns.finishing import read_plan
from phongmay_campaigns.ledger import (
    StepTakenError,
    hold_lease,
    is_coordinated,
    open_runs,
    standing_of,
    stop_campaign,
    stop_run,
    take,
)
from phongmay_campaigns.ordering import OrderingError, Wish, add_server, order
from phongmay_campaigns.planner import Floor
from phongmay_campaigns.settings import CampaignSettings
from phongmay_contract.envelope import Envelope, Group, Instant
from phongmay_contract.topics import Kind
from phongmay_store.register.calendar import CalendarEntry, midnight
from phongmay_store.register.campaign import (
    BandwidthServer,
    Campaign,
    CampaignKind,
    CampaignMode,
    CampaignResult,
    CampaignRun,
    RunStep,
)
from phongmay_store.register.device import Credential, Device
from phongmay_store.register.engine import migrate, open_register
from phongmay_store.register.organisation import Unit
from phongmay_store.register.outbox import OutboxCommand
from phongmay_store.register.place import Line, Room
from phongmay_store.register.sealing import Seal
from phongmay_store.register.timetable import LOCAL
from phongmay_store.series.interface import Arrival, Presence, TimeBasis
from phongmay_store.series.sqlite import SqliteSeries

NOON = datetime(2026, 11, 23, 11, 40, tzinfo=LOCAL)
"""A Monday, in the break between 11:30 and 13:00."""
LONG_AGO = datetime(2026, 1, 1, tzinfo=LOCAL)
PCS = 5


@dataclass
class Office:
    """A school with a room of five PCs, a router, a bandwidth server, and what one can do with them."""

    engine: Engine
    series: SqliteSeries
    seal: Seal
    coordinator: Coordinator

    def order(self, mode: CampaignMode = CampaignMode.PLANNED, **more: object) -> str:
        """Order a campaign."""
        with Session(self.engine) as session:
            campaign = order(session, Wish("th", mode=mode, **more), "test")  # type: ignore[arg-type] # fields of Wish
            session.flush()
            campaign.starts_at = campaign.valid_from = LONG_AGO
            session.commit()
            return campaign.id

    def on(self, count: int, *, busy: float = 0.01, at: datetime = NOON) -> None:
        """Let some PCs be on, with a processor that does something."""
        arrivals, presence = [], []
        for number in range(count):
            device, moment = f"pc-{number}", at.timestamp() - 5
            body = (Group("usage", {"cpu_busy_ratio": busy}),)
            envelope = Envelope(Kind.ROUND, device, "ab" * 8, int(moment), Instant(moment, 1.0), "0.1.0", body)
            arrivals.append(Arrival(envelope, moment, TimeBasis.LIVE, moment))
            presence.append(Presence(device, "online", "cd" * 8, "ab" * 8, moment, moment, "0.1.0"))
        self.series.write(arrivals, presence=presence)

    def router(self, bps: float, at: datetime = NOON) -> None:
        """Let the router count for a minute at a rate."""
        arrivals = []
        for number, moment in enumerate((at.timestamp() - 60, at.timestamp() - 2)):
            values = {"received_bytes": int(number * 58 * bps / 8), "sent_bytes": 0, "is_up": True}
            body = (Group("router", values, subject="router-1", part="wan"),)
            envelope = Envelope(Kind.ROUND, "gw-1", "ab" * 8, int(moment), Instant(moment, 1.0), "0.1.0", body)
            arrivals.append(Arrival(envelope, moment, TimeBasis.LIVE, moment))
        self.series.write(arrivals)

    def look(self, at: datetime) -> None:
        """Let the coordinator look once."""
        self.coordinator._plan_at = 0.0
        assert self.coordinator.look(at)

    def runs(self) -> list[tuple[str, str]]:
        """Give step and reason of every run, the oldest first."""
        with Session(self.engine) as session:
            rows = session.scalars(select(CampaignRun).order_by(CampaignRun.due_at, CampaignRun.attempt)).all()
            standing = standing_of(session, [row.run_id for row in rows])
            found = [standing[row.run_id] for row in rows]
            return [(one.step.value, str(one.detail.get("reason", ""))) for one in found]

    def begin(self) -> list[tuple[str, str]]:
        """Look until the run that is planned next was begun, or refused."""
        self.look(NOON)
        with Session(self.engine) as session:
            due = open_runs(session)[0].run.due_at
        self.look(due + timedelta(seconds=0.5))
        return self.runs()


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """A school whose PCs are all off."""
    engine = open_register(f"sqlite:///{tmp_path}/register.db")
    migrate(engine)
    seal = Seal.open(tmp_path / "seal.key")
    with Session(engine) as session:
        session.add(Unit(id="quan", kind="district", name="Quận", valid_from=LONG_AGO))
        session.add(Unit(id="th", parent_id="quan", kind="school", name="Trường", level="thcs", valid_from=LONG_AGO))
        session.add(
            Room(id="r", school_id="th", name="Tin học 1", kind="computer_room", valid_from=LONG_AGO,
                 timetable="Mon-Fri 07:00-11:30 13:00-16:30")
        )  # fmt: skip
        session.add(
            Line(id="l", school_id="th", name="Cáp quang", isp="VNPT", contracted_down_bps=10**8,
                 contracted_up_bps=10**8, valid_from=LONG_AGO)
        )  # fmt: skip
        for number in range(PCS):
            session.add(
                Device(id=f"pc-{number}", school_id="th", room_id="r", code=f"PC{number}", kind="pc",
                       agent_since=LONG_AGO, valid_from=LONG_AGO)
            )  # fmt: skip
            session.add(Credential(device_id=f"pc-{number}", broker_hash="x", command_key=seal.seal(b"k" * 32)))
        for device, kind in (("router-1", "router"), ("gw-1", "gateway")):
            session.add(Device(id=device, school_id="th", code=device, kind=kind, valid_from=LONG_AGO))
        server = add_server(session, seal, name="lab", host="127.0.0.1", port=9, key=b"s" * 32, uplink_bps=10**9)
        server.valid_from = LONG_AGO
        session.commit()
    path = tmp_path / "series.db"
    with closing(SqliteSeries.open(path)) as series:
        coordinator = Coordinator(
            sessionmaker(engine, expire_on_commit=False), lambda: closing(SqliteSeries.open_reader(path)), seal,
            CampaignSettings(), lambda _session, _school: Floor(1e6, "ab" * 32),
        )  # fmt: skip
        yield Office(engine, series, seal, coordinator)
    engine.dispose()


def test_a_planned_run_is_ordered_in_the_break(office: Office) -> None:
    """With all PCs on, a planned run gets a slot in the break, and orders for every PC stand in the outbox at once."""
    office.order()
    office.on(PCS)
    assert office.begin() == [("ordered", "")]
    with Session(office.engine) as session:
        run = session.scalars(select(CampaignRun)).one()
        assert NOON <= run.due_at < NOON.replace(hour=13, minute=0)
        assert run.contracted_dl == 10**8
        rows = session.scalars(select(OutboxCommand)).all()
        assert sorted(row.device_id for row in rows) == [f"pc-{n}" for n in range(PCS)]
        assert {row.name for row in rows} == {"campaign_start"}
        assert len({row.nonce for row in rows}) == PCS
        assert all(row.expires_at < run.slot_end for row in rows)


def test_absent_pcs_are_emulated(office: Office) -> None:
    """Four of five PCs on: they pull what five need, and the order says so."""
    office.order()
    office.on(4)
    assert office.begin() == [("ordered", "")]
    with Session(office.engine) as session:
        body = session.scalars(select(OutboxCommand)).first().body  # type: ignore[union-attr] # there are four
        assert body["pace_down_bps"] == pytest.approx(1.25e6)
        assert body["emulated"] is True
        detail = open_runs(session)[0].detail
        assert len(detail["meant"]) == PCS


@pytest.mark.parametrize(
    ("mode", "prepare", "reason"),
    [
        (CampaignMode.PLANNED, lambda office: office.on(3), "too_few_on"),
        (CampaignMode.PLANNED, lambda office: None, "nobody_on"),
        (CampaignMode.NOW, lambda office: None, "nobody_on"),
        (CampaignMode.OPPORTUNISTIC, lambda office: office.on(PCS, busy=0.9), "not_idle"),
        (CampaignMode.PLANNED, lambda office: (office.on(PCS), office.router(20e6)), "router_busy"),
    ],
    ids=["too few", "nobody", "nobody now", "busy", "router"],
)
def test_what_postpones(office: Office, mode: CampaignMode, prepare: Callable[[Office], None], reason: str) -> None:
    """Too few PCs, busy PCs and a busy router postpone a run; nothing is ordered then."""
    office.order(mode)
    prepare(office)
    assert office.begin() == [("postponed", reason)]
    with Session(office.engine) as session:
        assert session.scalars(select(OutboxCommand)).all() == []


def test_a_quiet_or_unread_router_postpones_nothing(office: Office) -> None:
    """Below a tenth of the line a router stands in nobody's way."""
    office.order()
    office.on(PCS)
    office.router(5e6)
    assert office.begin() == [("ordered", "")]


def test_an_exam_that_is_entered_later_still_counts(office: Office) -> None:
    """A run that was planned before an exam was entered for its day does not take place, in no mode."""
    office.order(CampaignMode.NOW)
    office.on(PCS)
    office.look(NOON)
    assert office.runs() == [("planned", "")]
    with Session(office.engine) as session:
        day = NOON.date()
        session.add(
            CalendarEntry(id="e", unit_id="quan", kind="exam", name="Thi", uid="exam", valid_from=midnight(day),
                          valid_to=midnight(day + timedelta(days=1)))
        )  # fmt: skip
        session.commit()
    office.look(NOON + timedelta(seconds=4))
    assert office.runs() == [("postponed", "calendar")]


def test_a_run_that_nobody_drove_is_lost_and_tried_again(office: Office) -> None:
    """A coordinator that comes an hour late orders nothing then; after the pause there is another run."""
    office.order()
    office.on(PCS)
    office.look(NOON)
    later = NOON + timedelta(minutes=40)
    office.look(later)
    assert office.runs()[0] == ("lost", "nobody_drove_it")
    office.look(later + timedelta(minutes=15))
    assert [step for step, _ in office.runs()] == ["lost", "planned"]


def test_tries_a_day_are_bounded(office: Office) -> None:
    """What comes to nothing is tried three times a day, not all day long."""
    office.order(CampaignMode.OPPORTUNISTIC)
    at = NOON
    for _ in range(12):
        office.look(at)
        office.look(at + timedelta(seconds=120))
        at += timedelta(minutes=15)
    assert office.runs() == [("postponed", "nobody_on")] * 3 or len(office.runs()) == 3


def test_a_stopped_campaign_orders_nothing(office: Office) -> None:
    """Stopped before its run began: the run ends, and no order was written."""
    campaign = office.order()
    office.on(PCS)
    office.look(NOON)
    with Session(office.engine) as session:
        found = session.scalars(Campaign.at().where(Campaign.id == campaign)).one()
        assert stop_campaign(session, found)
        session.commit()
    office.look(NOON + timedelta(seconds=5))
    assert office.runs() == [("stopped", "stopped_by_a_person")]
    with Session(office.engine) as session:
        assert session.scalars(select(OutboxCommand)).all() == []


def test_a_school_stops_its_own_run(office: Office) -> None:
    """One run is stopped with orders to abort; a second stop, or one of a run that has ended, changes nothing."""
    office.order()
    office.on(PCS)
    office.begin()
    with Session(office.engine) as session:
        standing = open_runs(session)[0]
        assert stop_run(session, standing, NOON)
        session.commit()
        names = session.scalars(select(OutboxCommand.name)).all()
        assert sorted(names) == ["campaign_abort"] * PCS + ["campaign_start"] * PCS
        with pytest.raises(StepTakenError):
            stop_run(session, standing, NOON)
        assert not stop_run(session, standing_of(session, [standing.run.run_id])[standing.run.run_id], NOON)


def test_a_campaign_of_one_time_is_done_after_one_valid_run(office: Office) -> None:
    """After a valid run no other is planned and the campaign is done; a weekly one waits a week."""
    once, weekly = office.order(), office.order(every_days=7)
    office.on(PCS)
    office.look(NOON)
    with Session(office.engine) as session:
        run = open_runs(session)[0].run
        assert run.campaign_id in (once, weekly)
        for campaign in (once, weekly):
            if campaign != run.campaign_id:
                copy = CampaignRun(**{c.key: getattr(run, c.key) for c in CampaignRun.__table__.columns})
                copy.run_id, copy.campaign_id = "run-other", campaign
                session.add(copy)
                session.flush()
                take(session, "run-other", RunStep.PLANNED, NOON, {})
        session.flush()
        for run_id in (run.run_id, "run-other"):
            take(session, run_id, RunStep.DONE, NOON, {"verdict": "pass"})
            session.add(result(run_id))
        session.commit()
    office.look(NOON + timedelta(days=1))
    with Session(office.engine) as session:
        states = {row.id: row.state for row in session.scalars(Campaign.at())}
        assert states == {once: "done", weekly: "active"}
        assert open_runs(session) == []
    office.look(NOON + timedelta(days=7, minutes=1))
    with Session(office.engine) as session:
        assert [one.run.campaign_id for one in open_runs(session)] == [weekly]


def result(run_id: str) -> CampaignResult:
    """Make a result that passed."""
    return CampaignResult(
        run_id=run_id, school_id="th", kind="floor", t_start=NOON, warmup_s=2, window_s=6, streams=1, pace_bps=1e6,
        n_registered=5, n_online=5, n_started=5, n_valid=5, emulated_n=0, bytes_total=1, directions=[], by_line=[],
        rooms=[], whole_room=True, whole_school=True, verdict="pass", reasons=[], cause_names=[],
    )  # fmt: skip


def test_a_ramp_goes_step_by_step(office: Office) -> None:
    """A ramp begins with one PC, and after it held goes on with five."""
    office.order(kind=CampaignKind.RAMP)
    office.on(PCS)
    office.begin()
    with Session(office.engine) as session:
        first = open_runs(session)[0]
        assert (first.run.ramp_n, len(first.detail["ordered"]), first.detail["plan"]["registered"]) == (1, 1, 1)
        take(session, first.run.run_id, RunStep.DONE, NOON, {"verdict": "pass"})
        session.add(result(first.run.run_id))
        session.commit()
    office.look(NOON + timedelta(minutes=5))
    with Session(office.engine) as session:
        assert open_runs(session)[0].run.ramp_n == PCS


def test_pcs_that_are_off_are_woken_through_the_room(office: Office) -> None:
    """Two PCs that are on get the addresses of those that are off and told theirs; the run then waits for them."""
    for number, address in ((3, "00:1a:2b:3c:4d:03"), (4, "00:1a:2b:3c:4d:04")):
        body = (Group("link", {"is_up": True, "medium": "wired", "hardware_address": address}, part="eth0"),)
        moment = NOON.timestamp() - 86400
        envelope = Envelope(Kind.ROUND, f"pc-{number}", "ab" * 8, 1, Instant(moment, 1.0), "0.1.0", body)
        office.series.write([Arrival(envelope, moment, TimeBasis.LIVE, moment)])
    office.order(wake=True)
    office.on(3)
    office.look(NOON)
    with Session(office.engine) as session:
        due = open_runs(session)[0].run.due_at
    office.look(due - timedelta(seconds=100))
    with Session(office.engine) as session:
        standing = open_runs(session)[0]
        assert (standing.step, standing.detail["woken"]) == (RunStep.WAKING, ["pc-3", "pc-4"])
        rows = session.scalars(select(OutboxCommand).order_by(OutboxCommand.device_id)).all()
        addresses = ["00:1a:2b:3c:4d:03", "00:1a:2b:3c:4d:04"]
        assert [(row.device_id, row.name, row.body) for row in rows] == [
            (device, "wake", {"addresses": addresses}) for device in ("pc-0", "pc-1")
        ]
    office.on(PCS, at=due)
    office.look(due + timedelta(seconds=1))
    assert office.runs() == [("ordered", "")]


def test_one_coordinator_at_a_time(office: Office) -> None:
    """The second coordinator waits while the first renews its lease, and takes over when it falls silent."""
    with Session(office.engine) as session:
        assert not is_coordinated(session, NOON)
        assert hold_lease(session, "one", NOON, 15)
        assert not hold_lease(session, "two", NOON + timedelta(seconds=10), 15)
        assert hold_lease(session, "one", NOON + timedelta(seconds=10), 15)
        assert is_coordinated(session, NOON + timedelta(seconds=20))
        assert hold_lease(session, "two", NOON + timedelta(seconds=26), 15)
        assert not hold_lease(session, "one", NOON + timedelta(seconds=27), 15)


def test_a_step_is_taken_once(office: Office) -> None:
    """Whoever takes a step second writes nothing of what belongs to it."""
    office.order()
    office.look(NOON)
    with Session(office.engine) as session:
        run = open_runs(session)[0].run
        take(session, run.run_id, RunStep.WAKING, NOON, {})
        session.commit()
        session.add(BandwidthServer(id="x", name="x", host="x", port=1, ticket_key="", uplink_bps=1, valid_from=NOON))
        with pytest.raises(StepTakenError):
            take(session, run.run_id, RunStep.WAKING, NOON, {})
        session.commit()
        assert session.scalar(select(BandwidthServer.id).where(BandwidthServer.id == "x")) is None


def test_what_else_the_register_refuses_is_no_step_taken(office: Office) -> None:
    """Whoever is told "taken" goes away content; a row that cannot be written must be told as what it is, and the step
    can still be taken."""
    office.order()
    office.look(NOON)
    with Session(office.engine) as session:
        run = open_runs(session)[0].run
        again = {column.name: getattr(run, column.name) for column in CampaignRun.__table__.columns}
        session.expunge(run)
        session.add(CampaignRun(**again))  # its key is there already
        with pytest.raises(IntegrityError, match="campaign_run"):
            take(session, again["run_id"], RunStep.WAKING, NOON, {})
        take(session, again["run_id"], RunStep.WAKING, NOON, {})
        session.commit()
        assert open_runs(session)[0].step is RunStep.WAKING


@pytest.mark.parametrize(
    ("wish", "key"),
    [
        (Wish("nobody"), "unit"),
        (Wish("quan", schools=["x"]), "schools"),
        (Wish("quan", room_id="x"), "room"),
        (Wish("th", server_id="x"), "server"),
        (Wish("th", starts_at=NOON, ends_at=NOON), "ends_at"),
        (Wish("quan", failover=True), "failover"),
    ],
)
def test_wishes_that_cannot_be_met(office: Office, wish: Wish, key: str) -> None:
    """A wish that cannot be met is refused with the key that is wrong."""
    with Session(office.engine) as session, pytest.raises(OrderingError) as refused:
        order(session, wish, "test")
    assert refused.value.key == key


def test_a_failover_of_lines_that_nobody_can_tell_apart_is_refused(office: Office) -> None:
    """One line, or two of which one has no declared address: the school is named and what is to be declared."""
    with Session(office.engine) as session:
        for addresses in ("", "192.0.2.9"):
            with pytest.raises(OrderingError, match=r"Trường: a failover needs two registered lines.*source_addresses"):
                order(session, Wish("th", failover=True), "test")
            if not addresses:
                session.add(Line(id="spare", school_id="th", name="Dự phòng", valid_from=LONG_AGO))
                session.flush()
        session.execute(update(Line).values(source_addresses="192.0.2.9"))
        assert order(session, Wish("th", failover=True), "test").failover


@pytest.mark.parametrize(
    ("carried", "verdict", "reasons"),
    [
        (["l"], "insufficient", ["it_went_over_the_usual_line"]),
        (["spare"], "pass", []),
        (["gone"], "insufficient", ["no_earlier_run_tells_the_usual_line"]),
        (["l", "spare"], "pass", []),
    ],
)
def test_a_failover_is_held_against_the_runs_before_it(
    office: Office, carried: list[str], verdict: str, reasons: list[str]
) -> None:
    """Everything went over line `l`: whether that is the line that was left, the last ordinary run tells; a failover,
    an invalid run, a later and an old one tell nothing."""
    with Session(office.engine) as session:
        session.add(
            Line(id="spare", school_id="th", name="Dự phòng", valid_from=LONG_AGO, source_addresses="192.0.2.9")
        )
        session.execute(update(Line).where(Line.id == "l").values(source_addresses="203.0.113.7"))
        session.commit()
    office.order(kind=CampaignKind.FLOOR, failover=True)
    office.on(PCS)
    assert office.begin() == [("ordered", "")]
    with Session(office.engine, expire_on_commit=False) as session:
        standing = open_runs(session)[0]
        plan, run = read_plan(standing.detail["plan"]), standing.run
        for name, lines, days, more in (
            ("ordinary", carried, 3, {}), ("other", ["spare"], 1, {"failover": True}), ("void", ["spare"], 1, {}),
            ("later", ["spare"], -1, {}), ("old", ["spare"], 93, {}),
        ):  # fmt: skip
            values = {column.name: getattr(run, column.name) for column in CampaignRun.__table__.columns}
            session.add(CampaignRun(**{**values, "run_id": name, "campaign_id": name, "failover": False, **more}))
            session.add(
                CampaignResult(
                    run_id=name, school_id="th", kind="floor", t_start=NOON - timedelta(days=days), warmup_s=2,
                    window_s=6, streams=1, pace_bps=1e6, n_registered=PCS, n_online=PCS, n_started=PCS, n_valid=PCS,
                    emulated_n=0, bytes_total=1, server_load=0.1, directions=[], rooms=[], whole_room=True,
                    whole_school=True, verdict="invalid" if name == "void" else "pass", reasons=[], cause_names=[],
                    by_line=[{"line": line, "participants": 2} for line in lines] + [{"line": "x", "participants": 0}],
                )
            )  # fmt: skip
        rate = 1e6
        connections = tuple(
            ConnectionReport(
                f"pc-{number}", direction, 0, "203.0.113.7", start, start + 8.1, "window", int(rate * 8.1 / 8),
                (int(rate / 80),) * 81, "cubic", "kernel", "acked", 0, 0.01, 0.01, 0.0, 0.0,
            )
            for direction, start in plan.starts().items() for number in range(PCS)
        )  # fmt: skip
        report = RunReport(
            run.run_id, "floor", plan.start + 30, True, False, *plan.starts().values(), 6.0, 6.0, "window", "window",
            "cubic", 0.1, 8e7, 8e7, False, (), {}, connections, {},
        )  # fmt: skip
        take(session, run.run_id, RunStep.MEASURED, NOON, {**standing.detail, "report": report.to_json()})
        session.commit()
    office.look(run.due_at + timedelta(minutes=10))
    with Session(office.engine) as session:
        result = session.get(CampaignResult, run.run_id)
        assert result is not None
        assert (result.verdict, result.reasons) == (verdict, reasons)
        assert {(line["line"], line["verdict"]) for line in result.by_line} == {("l", verdict)}
