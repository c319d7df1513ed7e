"""Two simulated schools on a real InfluxDB: three days of history, a minute through Mosquitto and collector, a feed.

Nothing moves once it stands: the collector is killed before the simulator, so presence stays as it was, and every test
compares the boards with the API over one and the same state.
"""

from __future__ import annotations

import contextlib
import io
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from phongmay.main import main
from phongmay.settings import ServerSettings, load
from phongmay_api.access.accounts import add_key
from phongmay_api.app import create_app
from phongmay_dashboards.interpolation import Window
from phongmay_rules.engine import Engine as RulesEngine
from phongmay_rules.loader import load_packs
from phongmay_store.attachments import MIB, AttachmentFolder
from phongmay_store.register.access import Role
from phongmay_store.register.campaign import CampaignResult, CampaignRun
from phongmay_store.register.engine import migrate, open_register
from phongmay_store.register.organisation import Unit
from phongmay_store.series import readers
from phongmay_store.series.influx_server import InfluxServer
from tests.conftest import new_port

HISTORY_DAYS = 3
_CONTRACT = 300_000_000


@dataclass
class Lab:
    """What stands.

    Attributes:
        top: unit above both schools.
        window: range of time of the boards, to the moment of the feed.
        api: answers of the API by path, asked right before and right after the feed and the same both times.
    """

    folder: Path
    config: Path
    settings: ServerSettings
    engine: Engine
    server: InfluxServer
    client: TestClient
    headers: dict[str, str] = field(default_factory=dict)
    top: str = ""
    window: Window = field(default_factory=lambda: Window(0, 0))
    now: dict[str, Any] = field(default_factory=dict)

    def run(self, *words: str) -> str:
        """Run the command in this process, which spares its imports; it must end well."""
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = main(["--config", str(self.config), *words])
        assert code == 0, said.getvalue()
        return said.getvalue()

    def command(self, *words: str) -> list[str]:
        """Give a command line of ours."""
        return [sys.executable, "-m", "phongmay", "--config", str(self.config), *words]

    def get(self, path: str, **query: str) -> Any:
        """Ask the API; gives the answer."""
        answer = self.client.get(f"/api/v1{path}", params=query, headers=self.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def every(self, path: str, **query: str) -> list[Any]:
        """Ask for all pages of a list."""
        items, cursor = [], None
        while True:
            page = self.get(path, **query, limit="1000", **({"cursor": cursor} if cursor else {}))
            items += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return items

    def look(self) -> dict[str, Any]:
        """Give what the API says of this moment; silence grows by itself and is left out."""
        conditions = self.every(f"/organisation-units/{self.top}/conditions")
        overview = self.get(f"/organisation-units/{self.top}/overview")
        return {
            "conditions": [{**one, "silent_s": None} for one in conditions],
            "overview": {**overview, "at": None},
            "compliance": self.get("/compliance", unit=self.top),
            "quality": self.get("/quality", unit=self.top),
        }


@contextlib.contextmanager
def _process(lab: Lab, name: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    with (lab.folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(lab.command(*words), stdout=log, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _until(condition: Any, what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory, influxd: Any, mosquitto: str) -> Iterator[Lab]:
    """Everything, made once for all tests of the boards."""
    folder = tmp_path_factory.mktemp("boards")
    config = folder / "phongmay.toml"
    config.write_text(
        f"""[store]
register_url = "sqlite:///{folder}/register.db"
series = "influx"
series_path = "{folder}/none.db"
[store.influx]
version = "1"
url = "{influxd.url}"
database = "d{secrets.token_hex(4)}"
[broker]
port = {new_port()}
directory = "{folder}/broker"
[collector]
metrics_port = 0
""",
        "utf-8",
    )
    settings = load(config)
    engine = open_register(settings.store.register_url)
    migrate(engine)
    pack = load_packs(settings.rules.packs)
    attachments = folder / "attachments"
    attachments.mkdir()
    app = create_app(settings.api, engine, readers(settings.store), pack, AttachmentFolder(attachments, MIB), 600.0)
    made = Lab(folder, config, settings, engine, InfluxServer(settings.store.influx), TestClient(app))
    made.run("store", "init")
    fleet = str(folder / "fleet.json")
    made.run("simulate", "provision", "--schools", "2", "--pcs", "12", "--seed", "4", "--fleet", fleet)
    made.run("simulate", "history", "--fleet", fleet, "--days", str(HISTORY_DAYS), "--interval", "600")
    _play_live(made, fleet)
    _judge(made, pack)
    with Session(engine) as session:
        tops = [unit.id for unit in session.scalars(Unit.at()) if unit.parent_id is None]
        assert len(tops) == 1
        made.top = tops[0]
        _, key = add_key(session, "boards", made.top, Role.TECHNICIAN, valid=timedelta(hours=1))
        session.commit()
    made.headers = {"Authorization": f"Bearer {key}"}
    _feed(made)
    yield made
    made.server.close()
    engine.dispose()


def _play_live(lab: Lab, fleet: str) -> None:
    """Let every simulated PC speak once through broker and collector, and some measure the line."""
    log = lab.folder / "collector.log"
    with _process(lab, "broker", "broker", "run"), _process(lab, "collector", "collector", "run") as collector:
        _until(lambda: log.read_text().count(" connected user=") >= 2, "the collector is connected")
        load = lab.command("simulate", "load", "--fleet", fleet, "--rate", "40", "--seconds", "1")
        subprocess.run(load, check=True, timeout=60, capture_output=True)
        # rounds every 20 s: the PCs begin within one of them, and count as online for three
        day = ("simulate", "day", "--fleet", fleet, "--live", "--always", "--seconds", "120", "--interval", "20")
        with _process(lab, "day", *day):
            _until(lambda: _online(lab) >= 20, "most PCs are online")
            collector.kill()
            collector.wait()


def _online(lab: Lab) -> int:
    with readers(lab.settings.store)() as series:
        spoke = {row.device for row in series.latest("usage") if row.at > time.time() - 60}
        return sum(one.state == "online" and one.device in spoke for one in series.presence())


def _judge(lab: Lab, pack: Any) -> None:
    """Add a test of the first school's line, and evaluate."""
    at = datetime.now(UTC) - timedelta(hours=1)
    with Session(lab.engine) as session:
        school = min(unit.id for unit in session.scalars(Unit.at()) if unit.kind == "school")
        session.add(
            CampaignRun(run_id="run-1", campaign_id="c-1", school_id=school, lines=[], groups=[], isp="VNPT", attempt=1,
                        kind="capacity", mode="now", server_id="s", rate_bps=0, floor_dl=1e6, floor_ul=1e6,
                        contracted_dl=_CONTRACT, contracted_ul=_CONTRACT, due_at=at, slot_start=at, slot_end=at)
        )  # fmt: skip
        session.add(
            CampaignResult(run_id="run-1", school_id=school, kind="capacity", t_start=at, warmup_s=2, window_s=6,
                           streams=1, pace_bps=0, n_registered=12, n_online=12, n_started=12, n_valid=12, emulated_n=0,
                           agg_ip_dl=2.71e8, agg_ip_ul=2.9e8, bytes_total=10**7, directions=[], by_line=[], rooms=[],
                           whole_room=True, whole_school=True, verdict="pass", reasons=[], cause_names=[])
        )  # fmt: skip
        session.commit()
    with readers(lab.settings.store)() as series:
        RulesEngine(sessionmaker(lab.engine, expire_on_commit=False), pack, interval_s=600.0).evaluate(series)


def _feed(lab: Lab) -> None:
    """Feed between two equal looks at the API, so that what was fed is what the API says."""
    for _ in range(5):
        before = lab.look()
        said = lab.run("dashboards", "feed", "--once")
        lab.now = lab.look()
        if before == lab.now:
            break
    else:
        raise AssertionError("the API's answers did not hold still")
    assert "2 schools" in said
    end = int(time.time() * 1000)
    lab.window = Window(end - HISTORY_DAYS * 86_400_000, end)


@pytest.fixture(scope="session")
def built(lab: Lab) -> SimpleNamespace:
    """The files that `phongmay dashboards build` wrote, boards by (language, key)."""
    directory = lab.folder / "grafana"
    lab.run("dashboards", "build", "--to", str(directory))
    boards = {
        (path.parent.name, path.stem): json.loads(path.read_text("utf-8"))
        for path in directory.glob("dashboards/*/*.json")
    }
    return SimpleNamespace(directory=directory, boards=boards)
