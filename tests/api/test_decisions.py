"""Decisions, scores and gap list over HTTP: what they say, what they refuse, and in whose name."""

from __future__ import annotations

import hashlib
import html
import re
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from phongmay_rules.model import Assessment, Pack
from phongmay_store.register.access import Account, BrowserSession, Grant, Role
from phongmay_store.register.attachment import Attachment
from phongmay_store.register.base import utc_now
from phongmay_store.register.enrolment import token_hash

pytestmark = pytest.mark.one_register

PARENT, OWN, SIBLING = "unit-zz-parent-zz", "unit-zz-own-zz", "unit-zz-sibling-zz"
PC = "pc-zz-own-zz"
MINUTES = b"%PDF-1.4\nbien ban\n%%EOF\n"
PAPER_HASH = hashlib.sha256(b"%PDF-1.4\nhop dong\n%%EOF\n").hexdigest()
"""What every unit of the register has handed in before."""
PICTURES = Path(__file__).parents[1] / "unit" / "store" / "pictures"


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
     ({"reason": "  "}, 422), ({"reason": "a\0b"}, 422), ({"subject_id": "nowhere"}, 404),
     ({"valid_to": "2099-01-01T00:00:00"}, 422)],
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


@pytest.fixture
def manual(pack: Pack) -> str:
    """A clause that no machine judges."""
    return next(clause.id for clause in pack.standard.clause if clause.assessment is Assessment.MANUAL)


def _statement(unit: str, clause: str, **more: Any) -> dict[str, Any]:
    return {"unit": unit, "clause": clause, "met": True, "statement": "đã xem", "valid_to": _later(), **more}


@pytest.mark.parametrize("unit", [OWN, PARENT])
def test_attestation_with_a_file_handed_in_before(officer: TestClient, manual: str, unit: str) -> None:
    """A statement carries the hash of a paper that its own unit handed in; a school or a unit above schools alike."""
    files = f"/api/v1/organisation-units/{unit}/attachments"
    kept = officer.post(files, content=MINUTES).json()["sha256"]
    body = _statement(unit, manual, attachment_name="biên bản", attachment_hash=kept)
    assert officer.post("/api/v1/attestations", json=body).status_code == 201
    (row,) = officer.get("/api/v1/attestations?in_force=true").json()["items"]
    assert (row["unit_id"], row["clause_id"], row["attachment_hash"], row["signed_by"]) == (unit, manual, kept, "quan")
    page = officer.get(f"/units/{unit}/decisions").text
    assert "đã xem" in page
    assert f'href="{files}/{kept}"' in page
    assert officer.get(f"{files}/{kept}").content == MINUTES


def test_attestation_that_cannot_be(officer: TestClient, manual: str) -> None:
    """No clause, a hash that is none, or the paper of another unit: refused, and nothing is recorded."""
    foreign = officer.post(f"/api/v1/organisation-units/{SIBLING}/attachments", content=MINUTES).json()["sha256"]
    for changed in ({"clause": "ZZ-1"}, {"attachment_hash": "abc"}, {"attachment_hash": foreign}):
        answer = officer.post("/api/v1/attestations", json=_statement(OWN, manual) | changed)
        assert answer.status_code == 422, changed
    assert officer.get("/api/v1/attestations").json()["items"] == []


@pytest.mark.parametrize("unit", [OWN, PARENT])
def test_attestation_form_with_its_file(
    officer: TestClient, register: Engine, key: Callable[..., dict[str, str]], manual: str, unit: str
) -> None:
    """The form takes the file itself; who may see the unit may save it, others do not learn that it exists."""
    sent = {"form_token": "f", "clause": manual, "met": "no", "statement": "chưa có", "until": "2099-12-31"}
    photo = (PICTURES / "two-colours.jpg").read_bytes()
    answer = officer.post(f"/units/{unit}/attestation", data=sent, files={"file": ("Nguyễn Văn A.jpg", photo)})
    assert answer.status_code == 303
    page = officer.get(answer.headers["location"]).text
    assert "Đã ghi nhận." in page
    assert "Nguyễn Văn A" not in page, "names of files name people"
    assert "đến hết ngày 31/12/2099" in page, "the day that was entered, not the instant after it"
    (row,) = officer.get("/api/v1/attestations").json()["items"]
    assert row["attachment_name"] == ""
    path = f"/api/v1/organisation-units/{unit}/attachments/{row['attachment_hash']}"
    assert f'href="{path}"' in page
    saved = officer.get(path)
    assert saved.headers["content-type"] == "image/jpeg"
    assert hashlib.sha256(saved.content).hexdigest() == row["attachment_hash"]
    officer.cookies.clear()
    place = "own" if unit == OWN else "parent"
    assert officer.get(path, headers=key(Role.VIEWER, place)).status_code == 200
    assert officer.get(path, headers=key(Role.ADMIN, "sibling")).status_code == 404


@pytest.mark.parametrize(
    ("changed", "file", "status", "told"),
    [
        ({}, b"GIF89a", 422, "không phải JPEG, PNG hay PDF"),
        ({}, b"%PDF-1.4\n" + b"x" * 2**20, 422, "Tệp quá lớn; tối đa 1 MiB"),
        ({"until": "2001-01-01"}, None, 422, "Ngày hết hạn phải sau hôm nay."),
        ({"clause": "ZZ-1"}, None, 422, "Không có điều khoản này"),
        ({"statement": "y" * 2001}, None, 422, "Nội dung quá dài"),
    ],
)
def test_a_refused_attestation_keeps_what_was_typed(
    officer: TestClient, register: Engine, manual: str, changed: dict[str, str], file: bytes | None, status: int,
    told: str,
) -> None:  # fmt: skip
    """Whatever is wrong, nothing is recorded and the form comes back open with every field as it was sent."""
    sent = {"form_token": "f", "clause": manual, "met": "no", "statement": "a <b>\ndòng hai", "until": "2099-12-31"}
    sent |= changed
    files = None if file is None else {"file": ("a.pdf", file)}
    answer = officer.post(f"/units/{OWN}/attestation", data=sent, files=files)
    assert answer.status_code == status
    page = answer.text
    assert told in page
    assert f">{html.escape(sent['statement'])}</textarea>" in page
    assert f'value="{sent["until"]}"' in page
    assert '<option value="no" selected>' in page
    assert (f'<option value="{manual}" selected>' in page) == (sent["clause"] == manual)
    assert ("Tệp đã chọn phải chọn lại." in page) == (file is not None)
    assert re.search(r"<details[^>]* open><summary>Xác nhận<", page)
    assert f'href="/units/{OWN}/decisions?lang=en"' in page, "the other language leads to the page, not to the form"
    assert officer.get("/api/v1/attestations").json()["items"] == []
    with Session(register) as session:
        assert session.scalars(select(Attachment.sha256).where(Attachment.unit_id == OWN)).all() == [PAPER_HASH]


def test_without_the_folder_nothing_is_stated(officer: TestClient, manual: str, tmp_path: Path) -> None:
    """A statement whose file cannot be kept is not recorded either: both or neither."""
    (tmp_path / "attachments").rename(tmp_path / "elsewhere")
    sent = {"form_token": "f", "clause": manual, "met": "yes", "statement": "đã xem", "until": "2099-12-31"}
    answer = officer.post(f"/units/{OWN}/attestation", data=sent, files={"file": ("a.pdf", MINUTES)})
    assert answer.status_code == 503
    assert ">đã xem</textarea>" in answer.text
    assert officer.get("/api/v1/attestations").json()["items"] == []


def test_what_nobody_has_stated_is_folded(officer: TestClient, pack: Pack, manual: str) -> None:
    """What is stated stands first; the clauses without a statement are counted and folded away."""
    assert officer.post("/api/v1/attestations", json=_statement(OWN, manual)).status_code == 201
    page = officer.get(f"/units/{OWN}/decisions").text
    clauses = [clause for clause in pack.standard.clause if clause.assessment is not Assessment.AUTOMATED]
    fold = page.index(f"<summary>Chưa có ý kiến: {len(clauses) - 1}</summary>")
    assert page.index("đã xem") < fold
    folded = page[fold : page.index("</details>", fold)]
    assert folded.count("<li>") == len(clauses) - 1
    assert f">{manual}<" not in folded


def _failing(officer: TestClient) -> int:
    listed = officer.get("/api/v1/verdicts", params={"unit": OWN, "state": "fail"}).json()["items"]
    return next(int(item["id"]) for item in listed if item["subject_id"] == PC)


def test_forms_tell_what_came_of_them(officer: TestClient) -> None:
    """A form leads back to a page; what cannot be recorded is told in the reader's language with what was typed."""
    verdict = _failing(officer)
    data = {"form_token": "f", "reason": "", "until": "2099-12-31"}
    answer = officer.post(f"/verdicts/{verdict}/waiver", data=data)
    assert answer.status_code == 422
    assert "Chưa nhập lý do" in answer.text
    assert 'value="2099-12-31"' in answer.text
    bad_day = officer.post(f"/verdicts/{verdict}/waiver", data={**data, "reason": "chờ <máy>", "until": "2001-01-01"})
    assert "Ngày hết hạn phải sau hôm nay." in bad_day.text
    assert ">chờ &lt;máy&gt;</textarea>" in bad_day.text
    assert re.search(r"<details[^>]* open><summary>Miễn tiêu chí này<", bad_day.text)
    done = officer.post(f"/verdicts/{verdict}/waiver", data={**data, "reason": "x"})
    assert done.status_code == 303
    assert "Đã ghi nhận." in officer.get(done.headers["location"]).text
    assert officer.post(f"/verdicts/{verdict}/waiver", data={**data, "form_token": "guess"}).status_code == 403


def test_a_refused_dispute_keeps_what_was_typed(officer: TestClient) -> None:
    """Too long: the form comes back. Replaced meanwhile: there is no form any more, but the words are not lost."""
    verdict = _failing(officer)
    path = f"/verdicts/{verdict}/dispute"
    long = "dài " * 501
    answer = officer.post(path, data={"form_token": "f", "text": long})
    assert answer.status_code == 422
    assert f">{long}</textarea>" in answer.text
    lines = "x\r\n" * 1000  # a browser counts a line's end as one character, and sends two
    assert officer.post(path, data={"form_token": "f", "text": lines}).status_code == 303
    stale = officer.post(path, data={"form_token": "f", "text": "vẫn sai"})
    assert stale.status_code == 409
    assert "Kết quả này đã được thay" in stale.text
    assert "Nội dung quý vị đã nhập:</span><br>vẫn sai</blockquote>" in stale.text


def test_refused_answer_and_withdrawal_keep_what_was_typed(officer: TestClient) -> None:
    """The two forms of the district's page do as the others."""
    number = officer.post("/api/v1/disputes", json={"verdict_id": _failing(officer), "text": "sai"}).json()["number"]
    long = "d" * 2001
    answer = officer.post(f"/disputes/{number}/answer", data={"form_token": "f", "text": long, "decision": "upheld"})
    assert answer.status_code == 422
    assert f">{long}</textarea>" in answer.text
    waiver = officer.post("/api/v1/waivers", json=_waiver()).json()["number"]
    answer = officer.post(f"/waivers/{waiver}/withdrawal", data={"form_token": "f", "reason": long})
    assert answer.status_code == 422
    assert f'value="{long}"' in answer.text


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
    """The list names its prices as samples; what stays red says why; a budget that is none is told."""
    pytest.importorskip("scipy")
    found = officer.get("/api/v1/gaps", params={"unit": OWN, "budget": 1_000_000}).json()
    assert found["prices"]["placeholder"] is True
    assert found["total_vnd"] <= found["budget_vnd"] == 1_000_000
    assert found["broken"] == 0
    left = [one for school in found["schools"] for one in school["left"]]
    assert {(one["rule_id"], why["code"]) for one in left for why in one["reasons"]} >= {("TR-03", "budget")}
    assert all(why["text"]["vi"] != why["text"]["en"] for one in left for why in one["reasons"])
    for language, words in (("en", "Reason: money mends it"), ("vi", "Lý do: xử lý được bằng tiền")):
        assert words in officer.get(f"/units/{OWN}/gaps?budget=1000000&lang={language}").text
    bad = officer.get(f"/units/{OWN}/gaps?budget=nhiều")
    assert bad.status_code == 422
    assert "Ngân sách phải là số nguyên" in bad.text
    book = officer.get(f"/units/{OWN}/gaps.xlsx?budget=1.000.000")
    assert book.content[:2] == b"PK"
    assert "attachment" in book.headers["content-disposition"]


def test_gaps_without_a_proof(officer: TestClient, no_proof_in_time: Callable[[], None]) -> None:
    """JSON and page say that the time ran out before the list was proven to be the best."""
    assert officer.get("/api/v1/gaps", params={"unit": OWN}).json()["optimum_proven"] is True
    no_proof_in_time()
    assert officer.get("/api/v1/gaps", params={"unit": OWN}).json()["optimum_proven"] is False
    for language, said in (
        ("vi", "Chưa chứng minh được đây là phương án tốt nhất"),
        ("en", "Not proven to be the best"),
    ):
        assert said in officer.get(f"/units/{OWN}/gaps?lang={language}").text


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
