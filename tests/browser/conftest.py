"""The sample district judged by the real rules, served by the real `phongmay api run`, looked at by a real Chromium.

Only the wire is left out: what the sample's machines measure is written straight into the series store.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, sessionmaker

from phongmay_api.access.accounts import add_account
from phongmay_contract.envelope import GOODBYE, LOST, ONLINE, Envelope
from phongmay_contract.topics import Kind
from phongmay_rules.engine import evaluate
from phongmay_rules.loader import load_pack
from phongmay_simulate import district
from phongmay_simulate.district import Role as Fault
from phongmay_simulate.lessons import hold_lessons
from phongmay_simulate.machine import Machine
from phongmay_store.register.access import Role
from phongmay_store.register.device import Device, IdentityConflict
from phongmay_store.register.engine import migrate, open_register
from phongmay_store.register.importing import import_files
from phongmay_store.register.organisation import find_external
from phongmay_store.series import open_reader, open_writer
from phongmay_store.series.interface import Arrival, Presence, TimeBasis
from phongmay_store.settings import StoreSettings

LOGIN, PASSWORD = "quan", "mật khẩu của quận"
CHROMIUM = Path("/usr/bin/chromium")
RUN = "0a0b0c0d0e0f0a0b"
PICTURES = Path(__file__).parents[2] / "docs" / "pictures"


@dataclass
class Site:
    """A running server with the sample district behind it."""

    url: str
    engine: Engine
    series_path: Path
    seats: dict[str, Fault]
    devices: dict[str, str]

    def device(self, fault: Fault) -> str:
        """Give the id of a device with a fault."""
        return next(self.devices[code] for code, role in self.seats.items() if role is fault)

    def unit(self, external: str) -> str:
        """Give the id of a unit."""
        issuer, _, value = external.partition(":")
        with Session(self.engine) as session:
            found = find_external(session, issuer, value)
        assert found
        return found

    def measure(self, code: str, fault: Fault, seq: int, at: float) -> list[Arrival]:
        """Give what a machine sends at an instant: its hardware record and a round."""
        device = self.devices[code]
        machine = Machine(fault, code, 3600, at)
        return [
            Arrival(Envelope(kind, device, RUN, number, machine.instant(at), "0.1.0", body), at, TimeBasis.LIVE, at)
            for kind, number, body in (
                (Kind.INVENTORY, seq, machine.inventory()),
                (Kind.ROUND, seq + 1, machine.round(60)),
            )
        ]

    def write(self, arrivals: list[Arrival], presence: list[Presence]) -> None:
        """Write into the series store."""
        with closing(open_writer(StoreSettings(series_path=self.series_path))) as writer:
            writer.write(arrivals, presence=presence)

    def judge(self) -> None:
        """Let the rules judge everything anew."""
        with closing(open_reader(StoreSettings(series_path=self.series_path))) as reader:
            evaluate(sessionmaker(self.engine), reader, load_pack("tanbinh-2023"), interval_s=3600)


def _past_rounds(site: Site, code: str, fault: Fault, end: float) -> list[Arrival]:
    """Give an hour of rounds that ended at `end`."""
    device, machine = site.devices[code], Machine(fault, code, 3600, end - 3600)
    return [
        Arrival(
            Envelope(Kind.ROUND, device, RUN, minute, machine.instant(at), "0.1.0", machine.round(60, live=False)),
            at,
            TimeBasis.LIVE,
            at,
        )
        for minute in range(59)
        if (at := end - 3540 + 60 * minute)
    ]


def _fill(site: Site, sample: district.District, now: float) -> None:
    arrivals: list[Arrival] = []
    presence: list[Presence] = []
    for school in sample.schools:
        for room, seat in school.seats():
            if seat.role is Fault.SILENT:
                continue
            device = site.devices[seat.code]
            end = room.history_end if seat.role is not Fault.WENT_SILENT else now - 1500
            arrivals += _past_rounds(site, seat.code, seat.role, end)
            arrivals += site.measure(seat.code, seat.role, 1000, end)
            state = {Fault.SWITCHED_OFF: GOODBYE, Fault.OFTEN_OFF: GOODBYE, Fault.WENT_SILENT: LOST}.get(
                seat.role, ONLINE
            )
            presence.append(Presence(device, state, "aabbccdd", RUN, end - 3540, end, "0.1.0"))
    site.write(arrivals, presence)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The server with the judged sample district."""
    folder = tmp_path_factory.mktemp("site")
    now = datetime.now(UTC)
    sample = district.build(762, now)
    engine = open_register(f"sqlite:///{folder}/register.db")
    migrate(engine)
    with Session(engine) as session:
        assert not import_files(session, district.write_files(sample, folder, with_real_pc=False), sample=True).errors
        session.flush()
        top = find_external(session, *district.DISTRICT.split(":"))
        assert top
        hold_lessons(session, top, now)
        add_account(session, LOGIN, PASSWORD, top, Role.OFFICER)
        codes = {device.code: device.id for device in session.scalars(select(Device))}
        seats = {seat.code: seat.role for school in sample.schools for _, seat in school.seats()}
        for code, role in seats.items():
            if role is Fault.CLONED:
                session.add(IdentityConflict(device_id=codes[code], detail="sample"))
        session.commit()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    site = Site(f"http://127.0.0.1:{port}", engine, folder / "series.db", seats, codes)
    _fill(site, sample, now.timestamp())
    site.judge()
    config = folder / "phongmay.toml"
    (folder / "attachments").mkdir()
    config.write_text(
        f'[store]\nregister_url = "{engine.url}"\nseries_path = "{site.series_path}"\n'
        f'attachments_path = "{folder / "attachments"}"\n[api]\nport = {port}\n',
        "utf-8",
    )
    command = [sys.executable, "-m", "phongmay.main", "--config", str(config), "api", "run"]
    server = subprocess.Popen(command)
    try:
        _wait(site.url, server)
        yield site
    finally:
        server.terminate()
        server.wait(20)
        engine.dispose()


def _wait(url: str, server: subprocess.Popen[bytes]) -> None:
    import time

    for _ in range(300):
        assert server.poll() is None, "the server ended"
        try:
            with urllib.request.urlopen(f"{url}/ready", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError("the server does not answer")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's Chromium, asked to call nobody."""
    if not CHROMIUM.exists():
        reason = f"{CHROMIUM} is not installed"
        if os.environ.get("PHONGMAY_REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
             "--disable-sync", "--no-first-run", "--disable-default-apps"]  # fmt: skip
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=str(CHROMIUM), headless=True, args=flags)
        yield found
        found.close()


@pytest.fixture
def picture(tmp_path: Path) -> Callable[[Any, str], None]:
    """Leave a picture of a page: in docs/pictures when PHONGMAY_PICTURES=1, else in the test's own folder."""
    folder = PICTURES if os.environ.get("PHONGMAY_PICTURES") == "1" else tmp_path

    def take(page: Any, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(folder / f"{name}.png"))

    return take


_SQUEEZED = """[...document.querySelectorAll('main table:not(.seats) td')].filter(cell => {
    const box = cell.getBoundingClientRect(), words = document.createRange();
    words.selectNodeContents(cell);
    const high = words.getBoundingClientRect().height;
    return box.width > 0 && (box.right > innerWidth + 1 || (high > 200 && high > 3 * box.width));
}).map(cell => cell.innerText.slice(0, 60))"""


@pytest.fixture
def no_sideways() -> Callable[[Any], None]:
    """Nothing may hang over the edge: one would have to scroll sideways, also within a table; and no column may be so
    narrow that a text becomes a tower of syllables."""

    def look(page: Any) -> None:
        page.wait_for_load_state()  # a click returns when the next page is committed: it may have no element yet
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, page.url
        assert page.evaluate(_SQUEEZED) == [], page.url

    return look


WIDTHS = {"desktop": (1280, 860), "phone": (390, 844)}
_REFUSED = ("status of 409", "status of 422")
"""What Chromium notes when a form comes back: that is meant."""


@pytest.fixture
def officer(browser: Any, site: Site) -> Iterator[Callable[[str], Any]]:
    """Open a page of a width, signed in for the district; it must stay free of errors and foreign requests."""
    contexts, faults = [], []

    def note(message: Any) -> None:
        if message.type == "error" and not any(words in message.text for words in _REFUSED):
            faults.append(message.text)

    def open_page(width: str) -> Any:
        wide, high = WIDTHS[width]
        context = browser.new_context(viewport={"width": wide, "height": high}, locale="vi-VN")
        contexts.append(context)
        page = context.new_page()
        page.on("console", note)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda r: faults.append(f"foreign: {r.url}") if not r.url.startswith(site.url) else None)
        page.goto(site.url)
        page.fill("#login", LOGIN)
        page.fill("#password", PASSWORD)
        page.click("main button")
        page.wait_for_load_state()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []
