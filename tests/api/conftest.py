"""A register with four places around one another (parent, own, child, sibling), series, and the real application.

Everything that belongs to a place carries the mark `zz-<place>-zz` in its ids, names and codes, so that a leak shows
in the text of an answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from phongmay_api.access.accounts import add_key
from phongmay_api.app import create_app
from phongmay_api.settings import ApiSettings
from phongmay_contract.envelope import Envelope, Group, Instant
from phongmay_contract.topics import Kind
from phongmay_rules.loader import load_packs
from phongmay_rules.model import Pack
from phongmay_rules.settings import RulesSettings
from phongmay_store.attachments import MIB, AttachmentFolder
from phongmay_store.register.access import Role
from phongmay_store.register.attachment import Attachment
from phongmay_store.register.campaign import (
    BandwidthServer,
    Campaign,
    CampaignParticipant,
    CampaignResult,
    CampaignRun,
    CampaignStep,
)
from phongmay_store.register.compliance import CurrentRun, CurrentVerdict, EvaluationRun, Verdict
from phongmay_store.register.declared import Declared
from phongmay_store.register.device import Device
from phongmay_store.register.engine import open_register
from phongmay_store.register.organisation import ExternalId, Unit
from phongmay_store.register.place import Room, Seat
from phongmay_store.series import open_writer, readers
from phongmay_store.series.interface import Arrival, Presence, TimeBasis
from phongmay_store.settings import StoreSettings

PLACES = ("parent", "own", "child", "sibling")
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
GIB = 2**30
PAPER = b"%PDF-1.4\nhop dong\n%%EOF\n"
PAPER_HASH = hashlib.sha256(PAPER).hexdigest()


def mark(place: str) -> str:
    """Give the mark of a place."""
    return f"zz-{place}-zz"


def add_verdict(session: Session, run: EvaluationRun, kind: str, subject: str, rule: str, state: str) -> Verdict:
    """Store a current verdict about memory, with the evidence that the engine writes."""
    at = run.evaluated_at.timestamp()
    fact = {
        "fact_id": 1,
        "name": "ram_marketed_bytes",
        "value": 2 * GIB,
        "unit": "B",
        "at": at,
        "source": "measured",
        "sources": [f"{subject}/0a0b0c0d/7"],
        "detail": {},
    }
    verdict = Verdict(
        run_id=run.id,
        unit_id=run.unit_id,
        subject_kind=kind,
        subject_id=subject,
        rule_id=rule,
        state=state,
        reason={"pass": "met", "fail": "below"}.get(state, "no_data"),
        measured={"fact": "ram_marketed_bytes", "value": 2 * GIB, "unit": "B"},
        required={"operator": "at_least", "value": 4 * GIB, "unit": "B", "number_from": "district_setting"},
        evidence=[fact],
        rule_hash="c" * 64,
        pack_id=run.pack_id,
        pack_hash=run.pack_hash,
        evaluated_at=run.evaluated_at,
    )
    session.add(verdict)
    session.flush()
    session.merge(
        CurrentVerdict(
            subject_kind=kind,
            subject_id=subject,
            rule_id=rule,
            unit_id=run.unit_id,
            verdict_id=verdict.id,
        )
    )
    return verdict


def add_run(session: Session, unit: str, at: datetime, pack: Pack) -> EvaluationRun:
    """Store an evaluation run."""
    run = EvaluationRun(
        unit_id=unit,
        evaluated_at=at,
        newest_fact_id=1,
        pack_id=pack.id,
        pack_hash=pack.hash,
        counts={},
        changed=1,
        valid_for_s=180.0,
    )
    session.add(run)
    session.flush()
    session.merge(CurrentRun(unit_id=unit, run_id=run.id, confirmed_at=at, valid_for_s=180.0))
    return run


def _fill_place(session: Session, place: str, parent: str | None, kind: str, pack: Pack) -> None:
    name, common = mark(place), {"valid_from": LONG_AGO}
    level = "tieu_hoc" if kind == "school" else ""
    session.add(Unit(id=f"unit-{name}", parent_id=parent, kind=kind, name=f"Trường {name}", level=level, **common))
    session.add(ExternalId(unit_id=f"unit-{name}", issuer="moet", value=name))
    session.add(
        Room(id=f"room-{name}", school_id=f"unit-{name}", name=f"Phòng {name}", kind="computer_room", class_size=30,
             timetable="", **common)
    )  # fmt: skip
    session.add(Seat(id=f"seat-{name}", room_id=f"room-{name}", label="A1", row=1, column=1, **common))
    session.add(
        Device(id=f"pc-{name}", school_id=f"unit-{name}", room_id=f"room-{name}", seat_id=f"seat-{name}",
               code=f"ma-{name}", kind="pc", agent_since=LONG_AGO, **common)
    )  # fmt: skip
    session.add(Attachment(unit_id=f"unit-{name}", sha256=PAPER_HASH, media_type="application/pdf", size=len(PAPER)))
    session.add(
        Declared(id=f"dc-{name}", school_id=f"unit-{name}", subject_kind="school", subject_id=f"unit-{name}",
                 name="students", number=700.0, declared_by="Văn phòng", attachment_sha256=PAPER_HASH, **common)
    )  # fmt: skip
    _add_tests(session, name)
    run = add_run(session, f"unit-{name}", datetime.now(UTC), pack)
    subject_kind = "school" if kind == "school" else "district"
    add_verdict(session, run, "device", f"pc-{name}", "TB-01", "fail")
    add_verdict(session, run, "device", f"pc-{name}", "TB-02", "pass")
    add_verdict(session, run, "room", f"room-{name}", "PH-02", "unknown")
    add_verdict(session, run, subject_kind, f"unit-{name}", "TR-01" if kind == "school" else "QU-01", "pass")


def _add_tests(session: Session, name: str) -> None:
    """Add a campaign with a run that passed: one PC took part."""
    unit = f"unit-{name}"
    session.add(
        Campaign(id=f"camp-{name}", unit_id=unit, name=f"Đợt đo {name}", kind="floor", mode="now", schools=[unit],
                 starts_at=LONG_AGO, server_id="srv-test", valid_from=LONG_AGO)
    )  # fmt: skip
    session.add(
        CampaignRun(run_id=f"run-{name}", campaign_id=f"camp-{name}", school_id=unit, lines=[], groups=[], isp="VNPT",
                    attempt=1, kind="floor", mode="now", server_id="srv-test", rate_bps=10**6, floor_dl=1e6,
                    floor_ul=1e6, contracted_dl=10**8, contracted_ul=10**8, due_at=LONG_AGO, slot_start=LONG_AGO,
                    slot_end=LONG_AGO)
    )  # fmt: skip
    session.add(CampaignStep(run_id=f"run-{name}", step="done", detail={"verdict": "pass"}, at=LONG_AGO))
    session.add(
        CampaignResult(run_id=f"run-{name}", school_id=unit, kind="floor", t_start=LONG_AGO, warmup_s=2, window_s=6,
                       streams=1, pace_bps=1e6, n_registered=1, n_online=1, n_started=1, n_valid=1, emulated_n=0,
                       agg_goodput_dl=1e6, agg_goodput_ul=1e6, bytes_total=10**7, directions=[], by_line=[], rooms=[],
                       whole_room=True, whole_school=True, verdict="pass", reasons=[], cause_names=[])
    )  # fmt: skip
    session.add(
        CampaignParticipant(run_id=f"run-{name}", device_id=f"pc-{name}", room_id=f"room-{name}", code=f"ma-{name}",
                            status="ok", passed=True, goodput_dl_srv=1e6, goodput_ul_srv=1e6, bins_dl=[10**6] * 8,
                            bins_ul=[10**6] * 8)
    )  # fmt: skip


@pytest.fixture(scope="session")
def pack() -> Pack:
    """The shipped rule pack."""
    return load_packs(RulesSettings().packs)


@pytest.fixture
def register(register_url: str, pack: Pack) -> Iterator[Engine]:
    """A migrated register with the four places."""
    engine = open_register(register_url)
    with Session(engine) as session:
        session.add(
            BandwidthServer(id="srv-test", name="lab", host="127.0.0.1", port=1, ticket_key="", uplink_bps=10**9,
                            valid_from=LONG_AGO)
        )  # fmt: skip
        _fill_place(session, "parent", None, "district", pack)
        _fill_place(session, "own", f"unit-{mark('parent')}", "school", pack)
        _fill_place(session, "child", f"unit-{mark('own')}", "school", pack)
        _fill_place(session, "sibling", f"unit-{mark('parent')}", "school", pack)
        session.commit()
    yield engine
    engine.dispose()


@pytest.fixture
def series_path(tmp_path: Path) -> Path:
    """A series store in which every device has reported three rounds, 60 s apart, from 2026-11-23 01:00 UTC."""
    path = tmp_path / "series.db"
    start = datetime(2026, 11, 23, 1, tzinfo=UTC).timestamp()
    writer = open_writer(StoreSettings(series_path=path))
    for place in PLACES:
        device = f"pc-{mark(place)}"
        arrivals = []
        for number in range(3):
            at = start + 60 * number
            body = (
                Group("usage", {"cpu_busy_ratio": 0.25, "memory_used_bytes": GIB}),
                Group("reach", {"ok": True, "took_s": 0.02}, part="gateway"),
                Group("reach", {"ok": number > 0}, part="internet"),
            )
            envelope = Envelope(Kind.ROUND, device, "0a0b0c0d", number, Instant(at, 10.0 + number), "0.1.0", body)
            arrivals.append(Arrival(envelope, at, TimeBasis.LIVE, at + 0.1))
        presence = Presence(device, "online", "aabbccdd", "0a0b0c0d", start, start + 120, "0.1.0")
        writer.write(arrivals, presence=[presence])
    writer.close()
    return path


@pytest.fixture
def app(register: Engine, series_path: Path, pack: Pack, tmp_path: Path) -> FastAPI:
    """The real application on the register and series of this test."""
    settings = ApiSettings(broker_host="broker.example", broker_port=8883)
    attachments = tmp_path / "attachments"
    attachments.mkdir()
    folder = AttachmentFolder(attachments, MIB)
    folder.put(folder.check(PAPER))
    return create_app(settings, register, readers(StoreSettings(series_path=series_path)), pack, folder)


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    """A client that is nobody and follows no redirect."""
    return TestClient(app, follow_redirects=False)


@pytest.fixture
def key(register: Engine) -> Callable[..., dict[str, str]]:
    """Make an API key: headers for a role at a place."""

    def make(role: Role = Role.ADMIN, place: str = "own", **more: Any) -> dict[str, str]:
        with Session(register) as session:
            _, text = add_key(session, "test", f"unit-{mark(place)}", role, **{"valid": timedelta(hours=1), **more})
            session.commit()
        return {"Authorization": f"Bearer {text}"}

    return make
