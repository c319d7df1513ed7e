"""Decisions, scores and gap list over HTTP: what they say, what they refuse, and in whose name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from phongmay_rules.model import Assessment, Pack
from phongmay_store.register.access import Account, BrowserSession, Grant, Role
from phongmay_store.register.base import utc_now
from phongmay_store.register.enrolment import token_hash

PARENT, OWN, SIBLING = "unit-zz-parent-zz", "unit-zz-own-zz", "unit-zz-sibling-zz"
PC = "pc-zz-own-zz"


def sign_in(register: Engine, client: TestClient, login: str, unit: str, role: str) -> TestClient:
    """Let somebody be signed in."""
    with Session(register) as session:
        session.add(Account(id=login, login=login, password_hash="x"))
        session.add(Grant(account_id=login, unit_id=unit, role=role))
        expires = utc_now() + timedelta(hours=1)
        session.add(BrowserSession(token_hash=token_hash(login), account_id=login, form_token="f", expires_at=expires))
        session.commit()
    client.cookies.set("phongmay_session", login)
    client.headers["X-Form-Token"] = "f"
    return client


@pytest.fixture
def officer(register: Engine, client: TestClient) -> TestClient:
    """An officer of the district."""
    return sign_in(register, client, "quan", PARENT, "officer")


def _later(days: float = 20) -> str:
    return (utc_now() + timedelta(days=days)).isoformat()


def _waiver(**more: Any) -> dict[str, Any]:
    return {"subject_id": PC, "rule_id": "TB-01", "reason": "chờ thay", "valid_to": _later(), **more}


def test_waiver_from_signature_to_withdrawal(officer: TestClient) -> None:
    """A waiver carries its signer, is found among those that end soon, and is over once withdrawn; only once."""
    made = officer.post("/api/v1/waivers", json=_waiver())
    assert made.status_code == 201
    assert (made.json()["signed_by"], made.json()["in_force"], made.json()["unit_id"]) == ("quan", True, OWN)
    assert officer.post("/api/v1/waivers", json=_waiver(valid_to=_later(90))).status_code == 201

    def numbers(query: str) -> list[int]:
        return [row["number"] for row in officer.get(f"/api/v1/waivers?{query}").json()["items"]]

    assert numbers("ending_days=30") == [1]
    assert numbers("in_force=true") == [2, 1]
    assert numbers(f"unit={SIBLING}") == []
    path = "/api/v1/waivers/1/withdrawal"
    assert officer.post(path, json={"reason": "xong"}).json()["replaces"] == 1
    assert numbers("in_force=true") == [2]
    again = officer.post(path, json={"reason": "xong"})
    assert (again.status_code, again.json()["type"]) == (409, "urn:phongmay:problem:no_waiver")


@pytest.mark.parametrize(
    ("changed", "status"),
    [({"rule_id": "ZZ-01"}, 422), ({"valid_to": "2001-01-01T00:00:00Z"}, 422), ({"reason": ""}, 422),
     ({"reason": "  "}, 422), ({"subject_id": "nowhere"}, 404), ({"valid_to": "2099-01-01T00:00:00"}, 422)],
)  # fmt: skip
def test_a_waiver_that_cannot_be(officer: TestClient, changed: dict[str, Any], status: int) -> None:
    """A rule, time, reason or subject that is none is refused with a problem document, and nothing is stored."""
    answer = officer.post("/api/v1/waivers", json=_waiver(**changed))
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert officer.get("/api/v1/waivers").json()["items"] == []


def test_a_school_cannot_waive_its_own_rules(register: Engine, client: TestClient) -> None:
    """The highest role of the school itself is not enough; its own account may dispute."""
    school = sign_in(register, client, "truong", OWN, "admin")
    assert school.post("/api/v1/waivers", json=_waiver()).status_code == 403


def test_a_key_signs_nothing(client: TestClient, key: Callable[..., dict[str, str]]) -> None:
    """A program is nobody who could sign."""
    answer = client.post("/api/v1/waivers", json=_waiver(), headers=key(Role.ADMIN, "parent"))
    assert answer.status_code == 403
    assert "sign in with an account" in answer.json()["detail"]


def test_dispute_is_rechecked_and_answered(register: Engine, client: TestClient, officer: TestClient) -> None:
    """The recheck is the second step at once; a second dispute about the same verdict waits for the answer."""
    listed = officer.get("/api/v1/verdicts", params={"unit": OWN, "state": "fail"}).json()["items"]
    verdict = next(item["id"] for item in listed if item["subject_id"] == PC)
    made = officer.post("/api/v1/disputes", json={"verdict_id": verdict, "text": "sai"}).json()
    assert [(step["step"], step["verdict_state"]) for step in made["steps"]] == [
        ("opened", "fail"), ("rechecked", "unknown"),
    ]  # fmt: skip
    assert made["open"]
    path = f"/api/v1/disputes/{made['number']}/answer"
    answered = officer.post(path, json={"upheld": True, "text": "đúng"}).json()
    assert (answered["state"], answered["open"]) == ("upheld", False)
    assert officer.post(path, json={"upheld": True, "text": "đúng"}).status_code == 409
    stale = officer.post("/api/v1/disputes", json={"verdict_id": verdict, "text": "sai"})
    assert stale.json()["type"] == "urn:phongmay:problem:not_current"
    assert [row["number"] for row in officer.get("/api/v1/disputes?open=true").json()["items"]] == []
    page = officer.get(f"/verdicts/{verdict}").text
    assert "kết quả mới: chưa rõ" in page


def test_attestation(officer: TestClient, pack: Pack) -> None:
    """A statement is about a clause of the packs, and carries the hash of its paper."""
    manual = next(clause.id for clause in pack.standard.clause if clause.assessment is Assessment.MANUAL)
    body = {"unit": OWN, "clause": manual, "met": True, "statement": "đã xem", "valid_to": _later(),
            "attachment_name": "bien-ban.pdf", "attachment_hash": "a" * 64}  # fmt: skip
    assert officer.post("/api/v1/attestations", json=body).status_code == 201
    assert officer.post("/api/v1/attestations", json={**body, "clause": "ZZ-1"}).status_code == 422
    assert officer.post("/api/v1/attestations", json={**body, "attachment_hash": "abc"}).status_code == 422
    (row,) = officer.get("/api/v1/attestations?in_force=true").json()["items"]
    assert (row["clause_id"], row["attachment_hash"], row["signed_by"]) == (manual, "a" * 64, "quan")
    assert "đã xem" in officer.get(f"/units/{OWN}/decisions").text


def test_forms_tell_what_came_of_them(officer: TestClient) -> None:
    """A form leads back to a page; what could not be recorded is told there in the reader's language."""
    verdict = officer.get("/api/v1/verdicts", params={"unit": OWN, "state": "fail"}).json()["items"][0]["id"]
    data = {"form_token": "f", "reason": "", "until": "2099-12-31"}
    answer = officer.post(f"/verdicts/{verdict}/waiver", data=data)
    assert answer.status_code == 303
    assert "Chưa nhập lý do" in officer.get(answer.headers["location"]).text
    bad_day = officer.post(f"/verdicts/{verdict}/waiver", data={**data, "reason": "x", "until": "tomorrow"})
    assert "Ngày hết hạn phải sau hôm nay." in officer.get(bad_day.headers["location"]).text
    done = officer.post(f"/verdicts/{verdict}/waiver", data={**data, "reason": "x"})
    assert "Đã ghi nhận." in officer.get(done.headers["location"]).text
    assert officer.post(f"/verdicts/{verdict}/waiver", data={**data, "form_token": "guess"}).status_code == 403


def test_a_viewer_sees_no_form_that_would_fail(register: Engine, client: TestClient) -> None:
    """Who may not decide sees the decisions, and no buttons for them."""
    viewer = sign_in(register, client, "xem", PARENT, "viewer")
    page = viewer.get(f"/units/{PARENT}/decisions")
    assert page.status_code == 200
    assert "/attestation" not in page.text


def test_quality(officer: TestClient) -> None:
    """Each score comes with numerator, denominator, unknown share and definition; an engine that ran is no warning."""
    found = officer.get("/api/v1/quality").json()
    assert [score["score"] for score in found["scores"]] == ["song", "sach", "du", "dung"]
    assert all({"good", "total", "unknown", "ratio", "unknown_ratio"} <= score.keys() for score in found["scores"])
    assert {school["unit_id"]: school["engine_stopped"] for school in found["schools"]}[OWN] is False
    assert len(found["definitions"]) == 4
    assert "Sống" in officer.get(f"/units/{PARENT}").text


def test_gaps(officer: TestClient) -> None:
    """The list names its prices as samples; a budget that is none is told on the page; without the solver: 501."""
    pytest.importorskip("scipy")
    found = officer.get("/api/v1/gaps", params={"unit": OWN, "budget": 1_000_000}).json()
    assert found["prices"]["placeholder"] is True
    assert found["total_vnd"] <= found["budget_vnd"] == 1_000_000
    assert found["broken"] == 0
    bad = officer.get(f"/units/{OWN}/gaps?budget=nhiều")
    assert bad.status_code == 422
    assert "Ngân sách phải là số nguyên" in bad.text
    book = officer.get(f"/units/{OWN}/gaps.xlsx?budget=1.000.000")
    assert book.content[:2] == b"PK"
    assert "attachment" in book.headers["content-disposition"]


def test_gaps_without_the_solver(officer: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server without the extra says so with the remedy, to programs and to people."""
    monkeypatch.setitem(sys.modules, "scipy", None)
    answer = officer.get("/api/v1/gaps", params={"unit": OWN})
    assert (answer.status_code, answer.json()["type"]) == (501, "urn:phongmay:problem:no_solver")
    assert "scripts/setup planning" in answer.json()["detail"]
    assert "planning" in officer.get(f"/units/{OWN}/gaps").text


def test_explanation_in_the_api(officer: TestClient) -> None:
    """A verdict explains itself in both languages; an unknown one names who can supply what is missing."""
    (unknown,) = [
        item for item in officer.get("/api/v1/verdicts?state=unknown").json()["items"] if item["unit_id"] == OWN
    ]
    told = officer.get(f"/api/v1/verdicts/{unknown['id']}").json()["explanation"]
    assert told["missing"][0]["supplier"] == "school_it"
    assert told["state_since"] is not None
    assert any("Căn cứ" in part for part in told["vi"])
    assert any("Demanded by" in part for part in told["en"])
