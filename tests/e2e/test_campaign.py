"""A concurrent bandwidth test from the order to the verdict of the rules, in real processes, with kill -9.

Mosquitto, collector, coordinator, bandwidth server and agents are the real ones, on loopback with a small floor; the
router that the gateway's agent asks answers real SNMP, and somebody follows the test in a terminal.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from phongmay.settings import load
from phongmay_bandwidth.ticket import make_key, read_key
from phongmay_campaigns.ledger import standing_of, stop_campaign
from phongmay_campaigns.ordering import Wish, add_server, order
from phongmay_rules.engine import evaluate
from phongmay_rules.loader import packs_in_force
from phongmay_rules.settings import RulesSettings
from phongmay_store.register.base import utc_now
from phongmay_store.register.campaign import (
    Campaign,
    CampaignKind,
    CampaignMode,
    CampaignParticipant,
    CampaignResult,
    CampaignRun,
    RunStep,
)
from phongmay_store.register.compliance import CurrentVerdict, Parameter, Verdict
from phongmay_store.register.device import DeviceKind
from phongmay_store.register.enrolment import enrol, make_token
from phongmay_store.register.outbox import OutboxCommand
from phongmay_store.register.place import Line, Room
from phongmay_store.register.sealing import Seal
from phongmay_store.series.sqlite import SqliteSeries
from tests.snmp_router import SnmpRouter, Wan

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
PCS = 3
FLOOR_BPS = 8_000_000
ROUTER_BPS = 40_000_000
CONTRACT_BPS = 500_000_000


@dataclass
class Campus:
    """A school with a room of agents, a bandwidth server and a coordinator."""

    house: Any
    room: str
    devices: list[str]
    wait_until: Callable[..., Any]

    def phongmay(self, *arguments: str) -> str:
        """Run a command as a person does, and give what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "phongmay", "--config", str(self.house.config), *arguments],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def coordinate(self) -> subprocess.Popen[bytes]:
        """Start a coordinator."""
        process: subprocess.Popen[bytes] = self.house.processes.start(
            "campaigns", ["phongmay", "--config", str(self.house.config), "campaigns", "run"]
        )
        return process

    def order(self, *arguments: str) -> str:
        """Order a test and give the campaign."""
        told = self.phongmay("campaign", "run", "--school", self.house.school_id, "--no-follow", *arguments)
        return told.split(":")[0]

    def step(self, campaign: str) -> tuple[str, str] | None:
        """Give the run of a campaign and its step."""
        with Session(self.house.engine) as session:
            run = session.scalar(select(CampaignRun.run_id).where(CampaignRun.campaign_id == campaign))
            return (run, standing_of(session, [run])[run].step.value) if run else None

    def wait(self, campaign: str, *steps: RunStep) -> str:
        """Wait until the run has come to one of the steps, and give its id."""
        found: tuple[str, str] = self.wait_until(
            lambda: (at := self.step(campaign)) and at[1] in steps and at, f"{campaign} comes to {steps}", 90
        )
        return found[0]


class Viewer:
    """Somebody who orders a test in a terminal and looks on.

    Attributes:
        text: what the terminal was sent so far.
    """

    def __init__(self, campus: Campus, *arguments: str) -> None:
        self.text = ""
        self._terminal, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 110, 0, 0))
        command = [sys.executable, "-m", "phongmay", "--config", str(campus.house.config), "campaign", "run",
                   "--school", campus.house.school_id, "--lang", "en", *arguments]  # fmt: skip
        self.process = subprocess.Popen(command, stdout=inside, stderr=inside)
        os.close(inside)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with suppress(OSError):  # the terminal's other end was closed
            while data := os.read(self._terminal, 65536):
                self.text += data.decode("utf-8", "replace")

    def wait(self) -> int:
        """Wait until the view ends by itself, and give its exit code."""
        code = self.process.wait(90)
        self._reader.join(10)
        os.close(self._terminal)
        return code


@pytest.fixture
def router(tmp_path: Path) -> Iterator[SnmpRouter]:
    """A router whose WAN carries a steady rate, whatever the test does."""
    made = SnmpRouter(tmp_path)
    made.start(Wan(3, "wan0", received_rate=ROUTER_BPS // 8, sent_rate=1000))
    yield made
    made.stop()


@pytest.fixture
def tested(house: Any, mosquitto: str, free_port: int, wait_until: Callable[..., Any], router: SnmpRouter) -> Campus:
    """A school whose agents are connected; the coordinator does not run yet."""
    folder: Path = house.folder
    key = folder / "ticket.key"
    with house.config.open("a", encoding="utf-8") as file:
        file.write(
            f'[bandwidth]\nhost = "127.0.0.1"\nport = {free_port}\nkey_file = "{key}"\nuplink_bps = 1e9\n'
            "[campaigns]\ninterval_s = 0.2\nplan_s = 0.5\nlease_s = 3\nlead_s = 6\nresult_wait_s = 10\n"
            "floor_up_share = 0.25\n"
        )
    house.settings = load(house.config)
    room, seal = "room-e2e", Seal.open(house.settings.store.seal_path)
    with Session(house.engine) as session:
        now = utc_now()
        session.add(Room(id=room, valid_from=now, school_id=house.school_id, name="Tin học 1", kind="computer_room"))
        session.add(
            Line(
                id="line-e2e", valid_from=now, school_id=house.school_id, name="Cáp quang", isp="VNPT", medium="fibre",
                contracted_down_bps=CONTRACT_BPS, contracted_up_bps=CONTRACT_BPS,
            )
        )  # fmt: skip
        session.add(
            Parameter(
                unit_id=house.school_id, pack_id="tanbinh-2023", name="per_pc_min", value=FLOOR_BPS, set_by="test",
                reason="small enough for a loopback",
            )
        )  # fmt: skip
        identities = [enrol(session, make_token(session, house.school_id, room_id=room), seal=seal) for _ in range(PCS)]
        session.commit()
    house.start_broker()
    house.start_collector()
    made = Campus(house, room, [identity.device_id for identity in identities], wait_until)
    make_key(key)
    house.processes.start("bandwidth", ["phongmay", "--config", str(house.config), "bandwidth-server", "run"])
    with Session(house.engine) as session:
        add_server(session, seal, name="lab", host="127.0.0.1", port=free_port, key=read_key(key), uplink_bps=10**9)
        session.commit()
    for identity in identities:
        start_agent(house, identity.device_id, identity.secret)
    gateway, watched = house.enrol(DeviceKind.GATEWAY), house.declare(DeviceKind.ROUTER)
    community = folder / "community"
    community.write_text("public\n")
    community.chmod(0o600)
    start_agent(
        house, gateway.device_id, gateway.secret, '["router", "state"]',
        f'[router]\nhost = "127.0.0.1"\nport = {router.port}\ndevice = "{watched}"\ninterfaces = ["wan0"]\n'
        f'community_file = "{community}"\n',
    )  # fmt: skip
    heard = [*made.devices, gateway.device_id]
    wait_until(lambda: all(house.stored(device) for device in heard), "every agent is heard")
    return made


def start_agent(house: Any, device: str, secret: str, probes: str = '["usage", "state"]', more: str = "") -> None:
    """Start a real agent."""
    folder = house.folder / device
    folder.mkdir()
    identity = folder / "identity.json"
    identity.touch(mode=0o600)
    broker = {"host": "127.0.0.1", "port": house.settings.broker.port}
    identity.write_text(json.dumps({"device_id": device, "secret": secret, "broker": broker, "server": ""}))
    (folder / "agent.toml").write_text(
        f'identity_file = "{identity}"\nspool_file = "{folder}/spool.db"\ninterval_s = 1\nprobes = {probes}\n{more}'
    )
    house.processes.start(f"agent-{device}", ["phongmay_agent", "--config", str(folder / "agent.toml"), "run"])


def states(house: Any) -> dict[tuple[str, str], str]:
    """Evaluate the house and give the states of the rules on concurrent tests."""
    pack = packs_in_force(RulesSettings())
    with closing(SqliteSeries.open_reader(house.settings.store.series_path)) as series:
        evaluate(sessionmaker(house.engine), series, pack)
    with Session(house.engine) as session:
        rows = session.execute(
            select(Verdict.subject_id, Verdict.rule_id, Verdict.state)
            .join(CurrentVerdict, CurrentVerdict.verdict_id == Verdict.id)
            .where(Verdict.rule_id.in_(["PH-03", "PH-04", "TR-07", "TR-10"]))
        )
        return {(subject, rule): state for subject, rule, state in rows}


def campaigns(house: Any) -> set[str]:
    """Give the ids of all campaigns."""
    with Session(house.engine) as session:
        return set(session.scalars(select(Campaign.id)))


def seen_by_viewer(viewer: Viewer, run: str, verdict: str, tested: Campus) -> None:
    """The terminal showed each step, the run's progress, a bar for each PC that grew, and in the end the figures."""
    assert viewer.wait() == (0 if verdict == "pass" else 1)
    for words in (
        "planned",
        "measuring 3/3",
        "done",
        f"Verdict of the run: {verdict.upper()}",
        "Counted by the router",
    ):
        assert words in viewer.text, viewer.text[-3000:]
    progress = [int(second) for second in re.findall(rf"{run} \[#* *\] (\d+)/\d+ s", viewer.text)]
    assert progress == sorted(progress)
    assert progress[-1] - progress[0] >= 8, progress
    with Session(tested.house.engine) as session:
        rows = select(CampaignParticipant.code).where(CampaignParticipant.run_id == run)
        codes = session.scalars(rows).all()
    for code in codes:
        assert re.search(rf"  {re.escape(code)} *█+ *\d+\.\d\d Mbit/s", viewer.text), f"no bar of {code}"
    assert "\x1b[J" in viewer.text, "bars are drawn over one another"


def stopped_at_once(tested: Campus) -> None:
    """Stop a campaign while its run measures: no result, and the PCs are told to abort."""
    with Session(tested.house.engine) as session:
        wish = Wish(tested.house.school_id, kind=CampaignKind.CAPACITY, mode=CampaignMode.NOW)
        campaign = order(session, wish, "test").id
        session.commit()
    run = tested.wait(campaign, RunStep.ORDERED)
    with Session(tested.house.engine) as session:
        assert stop_campaign(session, session.scalars(Campaign.at().where(Campaign.id == campaign)).one())
        session.commit()
    assert tested.wait(campaign, RunStep.STOPPED) == run
    with Session(tested.house.engine) as session:
        assert session.get(CampaignResult, run) is None
        names = session.scalars(select(OutboxCommand.name).where(OutboxCommand.run_id == run)).all()
        assert sorted(names) == ["campaign_abort"] * PCS + ["campaign_start"] * PCS


def passing(tested: Campus, run: str, tries: int = 3) -> str:
    """Give a run that passed: on a machine that is busy with other things a run may fail honestly, and is repeated."""
    told = []
    for number in range(tries):
        with Session(tested.house.engine) as session:
            result = session.get_one(CampaignResult, run)
            if result.verdict == "pass":
                return run
            told.append((result.verdict, result.reasons, result.agg_goodput_dl, result.agg_goodput_ul))
        if number < tries - 1:
            run = tested.wait(tested.order("--kind", "floor"), RunStep.DONE)
    raise AssertionError(f"no run passed: {told}")


def test_from_the_order_to_the_verdict(tested: Campus) -> None:
    """A stopped campaign ends at once and without a result; one whose coordinator is killed -9 ends with one result.

    Whoever follows it sees progress, a bar for each PC and what it came to; the router was a witness. The rules read
    that result: room and line, unknown before, pass. One test, since it needs one house.
    """
    house = tested.house
    first = tested.coordinate()
    stopped_at_once(tested)
    before = states(house)
    assert before[tested.room, "PH-03"] == before[house.school_id, "TR-07"] == "unknown"
    before_it = campaigns(house)
    viewer = Viewer(tested, "--kind", "floor")
    (campaign,) = tested.wait_until(lambda: campaigns(house) - before_it, "the campaign is ordered")
    run = tested.wait(campaign, RunStep.ORDERED)
    house.processes.kill(first)
    tested.coordinate()
    assert tested.wait(campaign, RunStep.DONE, RunStep.LOST) == run
    with Session(house.engine) as session:
        result = session.get_one(CampaignResult, run)
        assert result.router_dl == pytest.approx(ROUTER_BPS, rel=0.15)
        assert result.cross_traffic is not None
        assert 0.01 < result.cross_traffic < ROUTER_BPS / CONTRACT_BPS
        seen_by_viewer(viewer, run, result.verdict, tested)
    with Session(house.engine) as session:
        assert session.get(CampaignResult, run) is not None
        commands = session.scalars(select(OutboxCommand).where(OutboxCommand.run_id == run)).all()
        assert [(command.name, command.failure) for command in commands] == [("campaign_start", "")] * PCS
        assert all(command.sent_at is not None for command in commands)
    run = passing(tested, run)
    with Session(house.engine) as session:
        result = session.get_one(CampaignResult, run)
        participants = session.scalars(select(CampaignParticipant).where(CampaignParticipant.run_id == run)).all()
        assert [one.status for one in participants] == ["ok"] * PCS
        assert result.n_registered == result.n_valid == PCS
        assert result.whole_school
        assert result.agg_goodput_dl == pytest.approx(PCS * FLOOR_BPS, rel=0.05)
        assert all(len(one.bins_dl) >= 8 for one in participants)
    after = states(house)
    assert {rule: after[tested.room, rule] for rule in ("PH-03", "PH-04")} == {"PH-03": "pass", "PH-04": "pass"}
    assert {rule: after[house.school_id, rule] for rule in ("TR-07", "TR-10")} == {"TR-07": "pass", "TR-10": "pass"}
    assert "PASS" in tested.phongmay("campaign", "show", run, "--lang", "en")
    tested.phongmay("campaign", "report", run, "--out", str(house.folder / "run.pdf"))
    assert (house.folder / "run.pdf").read_bytes().startswith(b"%PDF")
