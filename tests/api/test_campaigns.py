"""Campaigns and runs over HTTP: what is ordered, listed, shown, stopped, and handed out as files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from phongmay_store.register.access import Role
from phongmay_store.register.campaign import Campaign, CampaignStep
from phongmay_store.register.outbox import OutboxCommand

API = "/api/v1"
OWN = "unit-zz-own-zz"


@pytest.fixture
def technician(client: TestClient, key: Callable[..., dict[str, str]]) -> TestClient:
    """A technician of the place `own`."""
    client.headers.update(key(Role.TECHNICIAN))
    return client


def test_a_campaign_is_ordered_and_stopped(technician: TestClient, register: Engine) -> None:
    """What is ordered stands in the register for the coordinator; stopping it ends it, also a second time."""
    made = technician.post(
        f"{API}/campaigns", json={"unit": OWN, "room": "room-zz-own-zz", "schools": [OWN], "mode": "teacher"}
    )
    assert made.status_code == 201, made.text
    campaign = made.json()
    assert (campaign["state"], campaign["kind"], campaign["server_id"]) == ("active", "floor", "srv-test")
    assert campaign["schools"] == [OWN]
    for _ in range(2):
        stopped = technician.post(f"{API}/campaigns/{campaign['id']}/stop")
        assert (stopped.status_code, stopped.json()["state"]) == (200, "stopped")
    with Session(register) as session:
        assert (
            session.scalar(select(Campaign.state).where(Campaign.holds(), Campaign.id == campaign["id"])) == "stopped"
        )
    listed = technician.get(f"{API}/campaigns", params={"state": "stopped", "unit": OWN}).json()["items"]
    assert [item["id"] for item in listed] == [campaign["id"]]


@pytest.mark.parametrize(
    ("wish", "status", "told"),
    [
        ({"unit": OWN, "server": "srv-no"}, 422, "srv-no"),
        ({"unit": OWN, "room": "room-zz-child-zz"}, 422, "no room of the school"),
        ({"unit": OWN, "ends_at": "2026-01-01T00:00:00"}, 422, "zone"),
        ({"unit": OWN, "kind": "speed"}, 422, ""),
        ({"unit": OWN, "schools": ["unit-zz-sibling-zz"]}, 404, ""),
        ({"unit": "unit-zz-parent-zz"}, 404, ""),
    ],
)
def test_wishes_that_cannot_be_met(technician: TestClient, wish: dict[str, Any], status: int, told: str) -> None:
    """A wish that cannot be met says what is wrong; what lies outside is as if it did not exist."""
    answer = technician.post(f"{API}/campaigns", json=wish)
    assert answer.status_code == status
    assert told in answer.text


def test_a_run_with_all_its_figures(technician: TestClient) -> None:
    """A run is listed with its verdict and given with result, participants and their series."""
    runs = technician.get(f"{API}/campaign-runs", params={"unit": OWN, "limit": 1}).json()
    assert runs["next_cursor"]
    more = technician.get(f"{API}/campaign-runs", params={"unit": OWN, "cursor": runs["next_cursor"]}).json()
    found = {item["id"]: item for item in (*runs["items"], *more["items"])}
    assert found["run-zz-own-zz"]["verdict"] == "pass"
    run = technician.get(f"{API}/campaign-runs/run-zz-own-zz").json()
    assert run["result"]["agg_goodput_dl"] == 1e6
    assert run["result"]["router_dl"] is None
    assert run["participants"][0]["bins_dl"] == [10**6] * 8
    assert technician.get(f"{API}/campaign-runs", params={"campaign": "camp-zz-own-zz"}).json()["items"]


def test_a_run_under_way_is_stopped(technician: TestClient, register: Engine) -> None:
    """The school's own stop button ends the run and writes orders to abort; a run that has ended stays as it is."""
    with Session(register) as session:
        step = session.scalars(select(CampaignStep).where(CampaignStep.run_id == "run-zz-own-zz")).one()
        step.step, step.detail = "ordered", {"ordered": ["pc-zz-own-zz"]}
        session.commit()
    for _ in range(2):
        answer = technician.post(f"{API}/campaign-runs/run-zz-own-zz/stop")
        assert (answer.json()["step"], answer.json()["end_reason"]) == ("stopped", "stopped_by_a_person")
    with Session(register) as session:
        assert session.scalars(select(OutboxCommand.name)).all() == ["campaign_abort"]


@pytest.mark.parametrize(("language", "word"), [("vi", "ĐẠT"), ("en", "PASS")])
def test_the_page_of_a_run(technician: TestClient, language: str, word: str) -> None:
    """The page shows verdict, charts and PCs in both languages, and offers the run as PDF and CSV."""
    page = technician.get("/runs/run-zz-own-zz", params={"lang": language})
    assert page.status_code == 200
    assert word in page.text
    assert page.text.count("<svg") >= 4, "two stacks, the bars, the sign of the house"
    assert "ma-zz-own-zz" in page.text
    pdf = technician.get("/runs/run-zz-own-zz/report.pdf")
    assert pdf.headers["content-type"] == "application/pdf"
    assert pdf.content.startswith(b"%PDF")
    table = technician.get("/runs/run-zz-own-zz/report.csv", params={"lang": language})
    assert "ma-zz-own-zz" in table.text
    listed = technician.get(f"/units/{OWN}/campaigns", params={"lang": language})
    assert "/runs/run-zz-own-zz" in listed.text
    assert "run-zz-sibling-zz" not in listed.text


def test_the_form_tells_what_is_wrong(technician: TestClient) -> None:
    """The form on the page orders a test, and says what cannot be ordered."""
    good = technician.post(f"/units/{OWN}/campaigns", data={"kind": "ramp", "mode": "now"})
    assert (good.status_code, good.headers["location"]) == (303, f"/units/{OWN}/campaigns")
    bad = technician.post(f"/units/{OWN}/campaigns", data={"kind": "speed"})
    assert bad.status_code == 422
    assert "Không tổ chức được đợt đo" in bad.text
