"""The past over the API and on pages: what stood at an instant, by whose packs; never the present in its place."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qsl

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from phongmay_rules.chain import archive
from phongmay_rules.model import Pack
from phongmay_store.register.access import Role
from phongmay_store.register.compliance import EvaluationRun, Verdict
from phongmay_store.register.organisation import Unit

OWN, SIBLING = "unit-zz-own-zz", "unit-zz-sibling-zz"
ROUTE = f"/api/v1/organisation-units/{OWN}/verdicts"
THEN = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
"""Monday, 10:00 in Ho Chi Minh City."""


@pytest.fixture
def reader(client: TestClient, key: Callable[..., dict[str, str]], register: Engine, pack: Pack) -> TestClient:
    """A viewer of the district; in March the school's PC passed TB-01 (today it fails)."""
    with Session(register) as session:
        run = EvaluationRun(unit_id=OWN, evaluated_at=THEN, newest_fact_id=1, pack_id=pack.id, pack_hash=pack.hash,
                            counts={}, changed=1, valid_for_s=180.0, known_at=THEN)  # fmt: skip
        session.add(run)
        archive.keep(session, pack)
        session.flush()
        about = select(Verdict).where(Verdict.subject_id == "pc-zz-own-zz", Verdict.rule_id == "TB-01")
        today = session.scalars(about).one()
        columns = {c.name: getattr(today, c.name) for c in Verdict.__table__.columns}
        old = columns | {"id": None, "run_id": run.id, "state": "pass", "reason": "met", "evaluated_at": THEN,
                         "recorded_at": THEN, "measured": columns["measured"] | {"value": 8 * 2**30}}  # fmt: skip
        session.add(Verdict(**old))
        session.flush()
        # ids go up with time: today's rows were stored first by the fixture, so they are stored again
        for row in session.scalars(select(Verdict).where(Verdict.unit_id == OWN, Verdict.evaluated_at > THEN)).all():
            copy = {c.name: getattr(row, c.name) for c in Verdict.__table__.columns if c.name != "id"}
            session.add(Verdict(**copy))
        session.commit()
    client.headers.update(key(Role.VIEWER, "parent"))
    return client


def _at(client: TestClient, at: datetime | str, **more: str) -> Any:
    given = at if isinstance(at, str) else at.isoformat()
    return client.get(ROUTE, params={"at": given, **more})


def test_what_stood_then_with_what_it_rested_on(reader: TestClient, pack: Pack) -> None:
    """State, evidence, rule version and pack hash of that instant; today's verdict is another one."""
    then = _at(reader, THEN + timedelta(minutes=2), rule="TB-01", lang="en").json()
    assert (then["vouched"], then["run"]["pack_hash"], then["run"]["pack_archived"]) == (True, pack.hash, True)
    (one,) = then["items"]
    assert (one["state"], one["reason"], one["rule_hash"]) == ("pass", "met", "c" * 64)
    assert one["sentence"].startswith("Pass: ")
    assert one["evidence"][0]["sources"] == ["pc-zz-own-zz/0a0b0c0d/7"]
    assert one["explanation_vi"][0].startswith("Đạt: ")
    now = _at(reader, datetime.now(UTC) - timedelta(milliseconds=1), rule="TB-01").json()
    assert [item["state"] for item in now["items"]] == ["fail"]


def test_an_instant_for_which_no_run_vouches_is_unknown(reader: TestClient) -> None:
    """After the run's three minutes, before the first run, and before it was recorded: never today's answer."""
    late = _at(reader, THEN + timedelta(minutes=4)).json()
    assert (late["vouched"], {(item["state"], item["reason"]) for item in late["items"]}) == (
        False,
        {("unknown", "engine_stopped")},
    )
    early = _at(reader, THEN - timedelta(days=1)).json()
    assert (early["vouched"], early["run"], early["items"]) == (False, None, [])
    known = _at(reader, THEN, known_at=(THEN - timedelta(seconds=1)).isoformat()).json()
    assert (known["vouched"], known["items"]) == (False, [])


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({}, "query/at"),
        ({"at": "2026-03-02T10:00:00"}, "query/at"),
        ({"at": "soon"}, "query/at"),
        ({"at": "2999-01-01T00:00:00Z"}, "query/at"),
        ({"at": "2026-03-02T10:00:00Z", "known_at": "2999-01-01T00:00:00Z"}, "query/known_at"),
        ({"at": "2026-03-02T10:00:00Z", "state": "good"}, "query/state"),
        ({"at": "2026-03-02T10:00:00Z", "when": "now"}, "query/when"),
    ],
)
def test_unusable_questions_are_refused(reader: TestClient, query: dict[str, str], pointer: str) -> None:
    """No zone, no time, ahead, an unknown word: 422 that names the parameter."""
    answer = reader.get(ROUTE, params=query)
    assert answer.status_code == 422
    assert pointer in {error["pointer"] for error in answer.json()["errors"]}


@pytest.mark.parametrize("path", ["/verdicts", "/compliance", "/rules", "/devices", f"/organisation-units/{OWN}"])
def test_no_route_ignores_a_parameter_that_it_does_not_know(reader: TestClient, path: str) -> None:
    """`at` where there is no past is refused, not answered with the present; the language is taken everywhere."""
    answer = reader.get(f"/api/v1{path}", params={"at": "2026-03-02T10:00:00Z"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "query/at"
    assert reader.get(f"/api/v1{path}", params={"lang": "en"}).status_code == 200


def test_pages_of_the_past_go_on(reader: TestClient, register: Engine) -> None:
    """A cursor continues behind the last key, and all pages together are the whole."""
    now = datetime.now(UTC).isoformat()
    whole = [item["id"] for item in _at(reader, now).json()["items"]]
    seen, cursor = [], ""
    for _ in range(10):
        page = _at(reader, now, limit="1", **({"cursor": cursor} if cursor else {})).json()
        seen += [item["id"] for item in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert len(whole) == 4
    assert seen == whole
    with Session(register) as session:
        assert session.scalar(select(Unit.name).where(Unit.id == SIBLING)) not in str(seen)


def test_page_of_the_past_is_marked_and_leads_to_the_evidence_of_then(reader: TestClient) -> None:
    """Both languages say which instant it is; a link leads to the verdict with facts, packs and hashes of then."""
    for language, marked in (("vi", "NHƯ Ở THỜI ĐIỂM 10:02:00 02/03/2026"), ("en", "AS IT STOOD AT 10:02:00")):
        page = reader.get(f"/units/{OWN}/at", params={"at": "2026-03-02T10:02", "lang": language})
        assert (page.status_code, marked in page.text) == (200, True)
    links = re.findall(r'href="(/verdicts/\d+/at\?[^"]+)"', page.text)
    assert len(links) == 1, "only what was judged then"
    one = reader.get(unescape(links[0]), params={"lang": "en"} | dict(parse_qsl(unescape(links[0]).split("?")[1])))
    assert one.status_code == 200
    for part in (marked, "Pass: ", "pc-zz-own-zz/0a0b0c0d/7", "c" * 64):
        assert part in one.text
    assert 'method="post" action="/verdicts' not in one.text, "nothing of the past can be disputed"


def test_page_of_an_instant_without_a_run_shows_no_pass(reader: TestClient) -> None:
    """Four minutes later nobody vouches: unknown everywhere, on the unit's page and on the verdict's."""
    page = reader.get(f"/units/{OWN}/at", params={"at": "2026-03-02T10:04", "lang": "en"})
    assert "No evaluation vouches for this instant" in page.text
    assert "Unknown: the evaluation has stopped" in page.text
    link = unescape(re.findall(r'href="(/verdicts/\d+/at\?[^"]+)"', page.text)[0])
    one = reader.get(f"{link}&lang=vi").text
    assert "Chưa rõ: hệ thống đánh giá đã ngừng" in one
    assert "Đạt: " not in one
    before = reader.get(f"/units/{OWN}/at", params={"at": "2026-03-01", "lang": "en"})
    assert "Nobody had judged it by then" in before.text


def test_page_of_an_instant_that_cannot_be_shown(reader: TestClient) -> None:
    """No time: the form alone. A wrong one or one ahead: 422 with a sentence, and no result."""
    form = reader.get(f"/units/{OWN}/at")
    assert (form.status_code, "past-mark" in form.text) == (200, False)
    for path in (f"/units/{OWN}/at", "/verdicts/1/at"):
        for at, said in (("2999-01-01T10:00", "Thời điểm này chưa đến"), ("hôm qua", "Hãy chọn ngày và giờ")):
            answer = reader.get(path, params={"at": at})
            assert (answer.status_code, said in answer.text, "past-subject" in answer.text) == (422, True, False)


def test_district_page_counts_its_schools_as_they_stood(reader: TestClient) -> None:
    """In March only one school had been judged; the others are not there, and its count is that of then."""
    page = reader.get("/units/unit-zz-parent-zz/at", params={"at": "2026-03-02T10:00", "lang": "en"}).text
    assert "Nobody had judged it by then" in page, "the district itself"
    assert f"/units/{OWN}/at?" in page
    assert f"/units/{SIBLING}/at?" not in page
