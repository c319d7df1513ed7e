"""Bandwidth tests in the browser: a campaign is ordered and stopped, runs are listed, one run is read and handed out.

Every page at both widths and in both languages. The runs are rows of the register as a coordinator writes them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from phongmay_simulate.district import ISSUER
from phongmay_store.register.campaign import (
    BandwidthServer,
    CampaignParticipant,
    CampaignResult,
    CampaignRun,
    CampaignStep,
)
from phongmay_store.register.device import Device
from phongmay_store.register.place import Line, Room, RoomKind

from .conftest import WIDTHS

pytestmark = pytest.mark.browser
AT = datetime(2026, 11, 23, 4, 45, tzinfo=UTC)
FLOOR = 2_000_000.0
BUSY, ABSENT, SLOW = 1, 2, 2
SMALLEST = 11.0
"""Pixels that a line of text must be high to be read."""


def _run(number: int, school: str, room: str | None, **more: Any) -> CampaignRun:
    values: dict[str, Any] = {
        "run_id": f"run-look-{number}", "campaign_id": "camp-look", "school_id": school, "room_id": room,
        "lines": ["line-a", "line-b"], "groups": [], "isp": "VNPT, Viettel", "attempt": number, "kind": "floor",
        "mode": "planned", "server_id": "srv-look", "rate_bps": 83 * 10**6, "contracted_dl": 200_000_000,
        "contracted_ul": 100_000_000, "floor_dl": FLOOR, "floor_ul": FLOOR, "rule_version": "ab" * 32,
        "due_at": AT + timedelta(days=number), "slot_start": AT, "slot_end": AT,
    }  # fmt: skip
    return CampaignRun(**values | more)


def _participant(device: Device, number: int, count: int) -> CampaignParticipant:
    gone = {number < ABSENT: ("absent", "did_not_come"), ABSENT <= number < ABSENT + BUSY: ("busy", "input")}.get(True)
    slow = count - number <= SLOW
    rate = None if gone else 0.4e6 if slow else FLOOR * (1 - 0.001 * (number % 7))
    bins = [] if rate is None else [int(rate * (0.6 if second == 0 else 1)) for second in range(8)]
    status, reason = gone or ("ok", "")
    return CampaignParticipant(
        run_id="run-look-1", device_id=device.id, room_id=device.room_id, code=device.code, link="wired",
        link_bps=10**9, goodput_dl_srv=rate, goodput_ul_srv=rate, goodput_dl_cli=rate, goodput_ul_cli=rate,
        idle_p50=None if gone else 0.0107, loaded_p50=None if gone else 0.0128, status=status, reason=reason,
        source_address="203.0.113.7" if number % 2 else "198.51.100.9", passed=None if gone else not slow,
        bins_dl=bins, bins_ul=bins,
    )  # fmt: skip


def _line(name: str, source: str, rate: float, verdict: str) -> dict[str, Any]:
    figures = [{"direction": direction, "ip_bps": rate} for direction in ("down", "up")]
    return {"line": name, "sources": [source], "participants": 11, "verdict": verdict, "directions": figures}


@pytest.fixture(scope="module")
def tested(site: Any) -> str:
    """A school with a run that failed, with one that was postponed, and with one that is planned; its id."""
    school: str = site.unit(f"{ISSUER}:truong-2")
    with Session(site.engine) as session:
        room = session.scalars(
            Room.at().where(Room.school_id == school, Room.kind == RoomKind.COMPUTER.value).order_by(Room.name)
        ).first()
        assert room
        devices = session.scalars(Device.at().where(Device.room_id == room.id).order_by(Device.code)).all()
        rows = [_participant(device, number, len(devices)) for number, device in enumerate(devices)]
        own = [one.goodput_dl_srv for one in rows if one.goodput_dl_srv is not None]
        server = BandwidthServer(id="srv-look", name="lab", host="127.0.0.1", port=1, ticket_key="", uplink_bps=10**9,
                                 valid_from=AT)  # fmt: skip
        lines = [Line(id=f"line-{key}", school_id=school, name=name, isp="VNPT", valid_from=AT)
                 for key, name in (("a", "Cáp quang chính"), ("b", "Cáp quang dự phòng"))]  # fmt: skip
        result = CampaignResult(
            run_id="run-look-1", school_id=school, kind="floor", t_start=AT + timedelta(days=1), server_cc="cubic",
            warmup_s=2.0, window_s=6.0, streams=1, pace_bps=FLOOR, n_registered=len(rows), n_online=len(rows),
            n_started=len(own) + BUSY, n_valid=len(own), emulated_n=0, agg_goodput_dl=sum(own), agg_goodput_ul=sum(own),
            agg_ip_dl=sum(own) * 1.036, agg_ip_ul=sum(own) * 1.036, minimum=min(own), p10=min(own), median=FLOOR,
            jain=0.96, share_floor=0.9, idle_p50=0.0107, loaded_p50=0.0128, loss=0.0, retrans=0.002,
            bytes_total=126_000_000, stop_reason="window", server_load=0.08, directions=[], rooms=[],
            by_line=[_line("line-a", "203.0.113.7", 23e6, "pass"), _line("line-b", "198.51.100.9", 17e6, "fail")],
            whole_room=True, whole_school=True, verdict="fail", reasons=["participants_below_floor"], cause="slow_pc",
            cause_names=[rows[-1].code, rows[-2].code],
        )  # fmt: skip
        ends = [("done", {"verdict": "fail"}), ("postponed", {"reason": "router_busy"}), ("planned", {})]
        session.add_all([server, *lines, result, *rows])
        for number, (step, detail) in enumerate(ends, 1):
            session.add(_run(number, school, room.id if number < 3 else None))
            session.add(CampaignStep(run_id=f"run-look-{number}", step=step, detail=detail, at=AT))
        session.commit()
    return school


@dataclass(frozen=True)
class Look:
    """What every test here looks with: a signed-in browser, the site, and the school that was tested."""

    officer: Callable[[str], Any]
    no_sideways: Callable[[Any], None]
    picture: Callable[[Any, str], None]
    site: Any
    school: str

    def at(self, path: str, width: str) -> Any:
        """Open a page, which must not scroll sideways."""
        page = self.officer(width)
        page.goto(f"{self.site.url}{path}")
        self.no_sideways(page)
        return page

    def keep(self, page: Any, name: str, width: str) -> None:
        """Keep a picture of the page."""
        self.picture(page, f"{name}{'' if width == 'desktop' else '-phone'}")


@pytest.fixture
def look(
    officer: Callable[[str], Any],
    no_sideways: Callable[[Any], None],
    picture: Callable[[Any, str], None],
    site: Any,
    tested: str,
) -> Look:
    """Give what every test here looks with."""
    return Look(officer, no_sideways, picture, site, tested)


def farthest(page: Any, what: str) -> float:
    """Give the right edge of whatever lies farthest to the right."""
    boxes = "[...document.querySelectorAll(what)].map(e => e.getBoundingClientRect().right)"
    edge: float = page.evaluate(f"what => Math.max(...{boxes})", what)
    return edge


@pytest.mark.parametrize("width", WIDTHS)
def test_a_campaign_is_ordered_and_stopped(look: Look, width: str) -> None:
    """The form orders a test of one room at once; it stands among the active ones until the button stops it."""
    page = look.at(f"/units/{look.school}/campaigns", width)
    page.select_option("select[name=kind]", "floor")
    page.select_option("select[name=mode]", "now")
    page.select_option("select[name=room]", index=1)
    page.click("form.deciding button")
    look.no_sideways(page)
    assert "Đợt đo đang thực hiện (1)" in page.inner_text("main")
    page.click("main section li button")
    look.no_sideways(page)
    assert "Đợt đo đang thực hiện" not in page.inner_text("main")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", ["vi", "en"])
def test_runs_are_listed_with_what_they_came_to(look: Look, language: str, width: str) -> None:
    """Failed, postponed and planned runs stand in the list in words, never as a bare code."""
    page = look.at(f"/units/{look.school}/campaigns?lang={language}", width)
    text = page.inner_text("main")
    for words in {"vi": ("KHÔNG ĐẠT", "đã hoãn", "đã lên lịch"), "en": ("FAIL", "postponed", "planned")}[language]:
        assert words in text
    assert "router_busy" not in text
    assert farthest(page, "table.stacked td") <= WIDTHS[width][0], "the verdict is not hidden at the side"
    look.keep(page, f"tests-{language}", width)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_run_is_read_from_the_verdict_to_each_pc(look: Look, language: str, width: str) -> None:
    """Verdict, slow, busy and absent PCs by name, both lines with their own verdicts, charts, and the files."""
    page = look.at(f"/runs/run-look-1?lang={language}", width)
    text = page.inner_text("main")
    wanted = {
        "vi": ("KHÔNG ĐẠT", "máy chậm", "Máy bận", "có người đang dùng máy", "Cáp quang chính", "Cáp quang dự phòng"),
        "en": ("FAIL", "slow PC", "Busy PCs", "somebody uses the PC", "Cáp quang chính", "Cáp quang dự phòng"),
    }
    for words in wanted[language]:
        assert words in text
    with Session(look.site.engine) as session:
        rows = session.scalars(select(CampaignParticipant).where(CampaignParticipant.run_id == "run-look-1")).all()
    assert all(row.code in text for row in rows), "every PC is there, the absent ones too"
    assert page.locator("main section svg:visible").count() == 3, "down, up, and each PC"
    assert farthest(page, "table.stacked td") <= WIDTHS[width][0], "no column is hidden at the side"
    assert farthest(page, "main section svg text, main section svg polygon") <= WIDTHS[width][0], "nor any bar"
    letters = page.evaluate(
        "[...document.querySelectorAll('svg text')].map(e => e.getBoundingClientRect().height).filter(h => h)"
    )
    assert min(letters) >= SMALLEST, "no chart shrinks its letters"
    with page.expect_download() as download:
        page.click("a[href*='report.csv']")
    assert download.value.suggested_filename == "so-lieu-run-look-1.csv"
    look.keep(page, f"test-run-{language}", width)
    page.locator("main section svg:visible").last.scroll_into_view_if_needed()
    look.keep(page, f"test-bars-{language}", width)
    page.locator("table.stacked").first.scroll_into_view_if_needed()
    look.keep(page, f"test-pcs-{language}", width)
