"""Follows a campaign in the terminal until it has ended: bars of every PC on a terminal, plain lines elsewhere.

While a run measures, the bandwidth server is asked every second for what it has seen so far; when it does not answer,
the view goes on without bars. Ends with 0 when every run passed, 1 when one did not; Ctrl-C leaves the view, not the
campaign.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from phongmay_bandwidth import BIN_S
from phongmay_bandwidth.fetch import FetchError, fetch_report
from phongmay_bandwidth.report import RunReport
from phongmay_bandwidth.verdict import Verdict
from phongmay_campaigns.ledger import Standing, is_coordinated, standing_of
from phongmay_campaigns.reporting import words
from phongmay_campaigns.reporting.evidence import gather
from phongmay_campaigns.reporting.facts_of_run import conclusion, measured
from phongmay_store.register.base import utc_now
from phongmay_store.register.campaign import ENDS, BandwidthServer, Campaign, CampaignRun, CampaignState, RunStep
from phongmay_store.register.device import Device
from phongmay_store.register.sealing import Seal
from phongmay_store.register.timetable import LOCAL

LOOK_S = 1.0
PATIENCE_S = 20.0
"""So long nothing need be planned before it is said why."""
_BAR = 30
_RECENT = round(1 / BIN_S)


def follow(session: Session, seal: Seal, campaign_id: str, language: str) -> int:
    """Show a campaign until it has ended."""
    view = _View(session, seal, campaign_id, language)
    began = time.monotonic()
    warned = False
    while not view.look():
        session.rollback()  # the next look sees what others have written since
        if not warned and not view.has_runs and time.monotonic() - began > PATIENCE_S:
            warned = True
            view.say(
                "not planned yet: the calendar, other runs or the server's budget stand in the way (see its log)"
                if is_coordinated(session, utc_now())
                else "no coordinator is at work: start one with 'phongmay campaigns run'"
            )
        time.sleep(LOOK_S)
    return view.end()


class _View:
    def __init__(self, session: Session, seal: Seal, campaign_id: str, language: str) -> None:
        self._session, self._seal, self._campaign, self._language = session, seal, campaign_id, language
        self._said: dict[str, str] = {}
        self._drawn = 0
        self._is_terminal = sys.stdout.isatty()
        self._codes: dict[str, str] = {}

    def look(self) -> bool:
        """Say what is new, draw what is running; True when the campaign has ended."""
        campaign = self._session.scalar(Campaign.at().where(Campaign.id == self._campaign))
        standing = self._standings()
        for one in standing:
            self._tell(one)
        running = [one for one in standing if one.step not in ENDS]
        if self._is_terminal:
            self._draw([line for one in running for line in self._bars(one)])
        return (campaign is None or campaign.state != CampaignState.ACTIVE.value) and not running

    @property
    def has_runs(self) -> bool:
        """Tell whether any run was planned."""
        return bool(self._said)

    def end(self) -> int:
        """Print the figures of every run; 0 when all passed."""
        self._draw([])
        verdicts = []
        for one in self._standings():
            evidence = gather(self._session, one.run.run_id)
            if evidence is None:
                continue
            pairs = list(conclusion(evidence, self._language))
            if evidence.result is not None:
                pairs += measured(evidence.result, self._language)
            verdicts.append(evidence.result.verdict if evidence.result else "")
            print(f"\n{evidence.school}  {one.run.run_id}")
            for name, value in pairs:
                print(f"  {name}: {value}")
        return 0 if verdicts and all(verdict == Verdict.PASS for verdict in verdicts) else 1

    def say(self, text: str) -> None:
        """Print a line above what is drawn."""
        self._draw([])
        print(text, flush=True)

    def _standings(self) -> list[Standing]:
        runs = select(CampaignRun.run_id).where(CampaignRun.campaign_id == self._campaign)
        found = standing_of(self._session, self._session.scalars(runs).all())
        return sorted(found.values(), key=lambda one: (one.run.due_at, one.run.run_id))

    def _tell(self, one: Standing) -> None:
        if self._said.get(one.run.run_id) == one.step.value:
            return
        self._said[one.run.run_id] = one.step.value
        step = words.word(words.STEPS, one.step.value, self._language)
        more = {
            RunStep.PLANNED: f"{one.run.due_at.astimezone(LOCAL):%H:%M:%S %d/%m}",
            RunStep.ORDERED: f"{len(one.detail.get('ordered', []))}/{len(one.detail.get('meant', []))}",
            RunStep.DONE: words.word(words.VERDICTS, str(one.detail.get("verdict", "")), self._language),
        }.get(one.step, words.end_reason(str(one.detail.get("reason", "")), self._language))
        self.say(f"{one.at.astimezone(LOCAL):%H:%M:%S}  {one.run.run_id}  {step} {more}".rstrip())

    # ---- bars ------------------------------------------------------------------------------------------------------

    def _bars(self, one: Standing) -> Iterator[str]:
        if one.step is not RunStep.ORDERED:
            return
        plan, now = one.detail["plan"], time.time()
        whole, gone = float(one.detail["ends"]) - float(plan["start"]), now - float(plan["start"])
        share = min(1.0, max(0.0, gone / whole)) if whole > 0 else 0.0
        yield f"{one.run.run_id} [{'#' * round(share * _BAR):<{_BAR}}] {max(0.0, gone):.0f}/{whole:.0f} s"
        report = self._report(one) if gone > 0 else None
        if report is None:
            return
        pace = float(plan["floor_down_bps"]) or None
        rates = _rates(report)
        top = max([*rates.values(), pace or 0.0, 1.0])
        for device in one.detail["ordered"]:
            rate = rates.get(device, 0.0)
            mark = " " if pace is None else "✓" if rate >= 0.95 * pace else "·"
            yield f"  {self._code(device):<16}{'█' * round(rate / top * _BAR):<{_BAR}} {rate / 1e6:7.2f} Mbit/s {mark}"

    def _report(self, one: Standing) -> RunReport | None:
        server = self._session.scalar(BandwidthServer.at().where(BandwidthServer.id == one.run.server_id))
        if server is None:
            return None
        try:
            key = self._seal.open_sealed(server.ticket_key)
            return fetch_report(server.host, server.port, key, one.run.run_id, timeout_s=1.0)
        except FetchError:
            return None

    def _code(self, device: str) -> str:
        if device not in self._codes:
            code = self._session.scalar(select(Device.code).where(Device.holds(), Device.id == device))
            self._codes[device] = code or device
        return self._codes[device]

    def _draw(self, lines: Sequence[str]) -> None:
        """Draw below the last line said, over what was drawn before."""
        if not self._is_terminal:
            return
        size = shutil.get_terminal_size()
        kept = [line[: size.columns - 1] for line in lines[: size.lines - 2]]
        up = f"\x1b[{self._drawn}F" if self._drawn else ""
        sys.stdout.write(up + "".join(f"\x1b[K{line}\n" for line in kept) + "\x1b[J")
        sys.stdout.flush()
        self._drawn = len(kept)


def _rates(report: RunReport) -> dict[str, float]:
    """Give each PC's rate in the last second of its newest direction."""
    out: dict[str, float] = {}
    directions = {one.direction for one in report.connections}
    newest = "up" if "up" in directions else "down"
    for one in report.connections:
        if one.direction == newest:
            recent = one.bins[-_RECENT - 1 : -1] or one.bins
            out[one.participant] = out.get(one.participant, 0.0) + 8 * sum(recent) / (BIN_S * max(1, len(recent)))
    return out
