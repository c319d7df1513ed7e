"""The JSON API: lists and their cursors, measured values, rules, verdicts, compliance, problem documents."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from phongmay_api.compliance.csv import BOM, safe_cell
from phongmay_api.paging import read_cursor, split, write_cursor
from phongmay_api.problems import Problem
from phongmay_rules.model import Pack
from phongmay_store.register.access import Role
from phongmay_store.register.compliance import CurrentRun, CurrentVerdict, EvaluationRun, State, Verdict
from phongmay_store.register.device import Device
from phongmay_store.register.organisation import Unit

OWN, CHILD, PARENT = "zz-own-zz", "zz-child-zz", "zz-parent-zz"
Key = Callable[..., dict[str, str]]


@pytest.fixture
def reader(client: TestClient, key: Key) -> TestClient:
    """A client with a technician's key on the whole district."""
    client.headers.update(key(Role.TECHNICIAN, "parent"))
    return client


def _all(client: TestClient, path: str, limit: int, **query: str) -> Iterator[dict[str, Any]]:
    cursor = None
    while True:
        answer = client.get(path, params={**query, "limit": limit, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["items"]) <= limit
        yield from answer.json()["items"]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return


@pytest.mark.parametrize("path", ["organisation-units", "rooms", "devices", "verdicts"])
def test_pages_of_one_give_the_same_as_one_page(reader: TestClient, path: str) -> None:
    """Small pages put together are the whole list: nothing twice, nothing left out, in the same order."""
    whole = list(_all(reader, f"/api/v1/{path}", 1000))
    assert len(whole) >= 4
    assert list(_all(reader, f"/api/v1/{path}", 1)) == whole


def test_paging_is_stable_under_inserts(reader: TestClient, register: Engine) -> None:
    """A row that is added in front of the cursor while somebody pages neither repeats nor hides another."""
    first = reader.get("/api/v1/devices", params={"limit": 2}).json()
    with Session(register) as session:
        old = session.scalars(Device.at()).first()
        assert old is not None
        session.add(Device(id="pc-aaa", valid_from=old.valid_from, **(old.properties() | {"code": "new"})))
        session.commit()
    rest = reader.get("/api/v1/devices", params={"cursor": first["next_cursor"]}).json()
    ids = [item["id"] for item in first["items"] + rest["items"]]
    assert sorted(ids) == ids
    assert len(set(ids)) == len(ids) == 4


@given(st.lists(st.text(max_size=8) | st.integers(-(2**53), 2**53), max_size=4))
def test_cursor_round_trip(key: list[str | int]) -> None:
    """Reading a cursor gives the key that it was made of."""
    assert read_cursor(write_cursor(key), *map(type, key)) == (tuple(key) if key else read_cursor(write_cursor([])))


@given(st.text(max_size=40))
def test_no_text_breaks_the_cursor_reader(text: str) -> None:
    """Whatever is sent as a cursor is read or refused, never an error of the server."""
    with contextlib.suppress(Problem):
        read_cursor(text, str, int)


@given(st.lists(st.integers(), max_size=30), st.integers(1, 10))
def test_split_says_when_there_is_more(rows: list[int], limit: int) -> None:
    """There is a next cursor exactly when a row was left out."""
    page, cursor = split(rows[: limit + 1], limit, lambda row: (row,))
    assert page == rows[:limit]
    assert (cursor is not None) == (len(rows) > limit)


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ("devices?limit=0", "query/limit"),
        ("devices?limit=1001", "query/limit"),
        ("devices?cursor=nonsense", "query/cursor"),
        ("verdicts?state=fine", "query/state"),
        (f"devices/pc-{OWN}/measurements/usage?start=yesterday", "query/start"),
        (f"devices/pc-{OWN}/measurements/usage?start=2026-01-02T00:00:00", "query/start"),
        (f"devices/pc-{OWN}/measurements/usage?start=2026-01-02T00:00:00Z&end=2026-01-01T00:00:00Z", "query/start"),
        ("verdicts/99999999999999999999", "path/verdict_id"),
    ],
)
def test_wrong_parameters(reader: TestClient, path: str, pointer: str) -> None:
    """A wrong parameter gives a problem document that names it; nothing is silently taken for something else."""
    answer = reader.get(f"/api/v1/{path}")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/api/v1/nowhere", 404), ("DELETE", "/api/v1/devices", 405), ("GET", "/api/v1/devices/pc-none", 404)],
)
def test_every_error_is_a_problem_document(reader: TestClient, method: str, path: str, status: int) -> None:
    """Errors of the framework look like our own: type, title, status, detail, instance."""
    answer = reader.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json()) >= {"type", "title", "status", "detail", "instance"}
    assert answer.json()["instance"] == path


def test_a_bug_tells_nothing(app: Any, key: Key) -> None:
    """An unexpected error gives a bare 500 problem with the security headers, and none of its text."""
    app.state.context = dataclasses.replace(app.state.context, pack=None)
    client = TestClient(app, raise_server_exceptions=False)
    answer = client.get("/api/v1/rules", headers=key())
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "attribute" not in answer.text
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_stores_that_cannot_be_read(reader: TestClient, series_path: Path, register: Engine) -> None:
    """A missing series store or table is a 503 problem and shows in /ready; /health still answers."""
    assert reader.get("/ready").status_code == 200
    series_path.rename(series_path.with_suffix(".away"))
    for path in ("/ready", f"/api/v1/devices/pc-{OWN}"):
        answer = reader.get(path)
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:phongmay:problem:store_unavailable")
    assert reader.get(f"/schools/unit-{OWN}?subject=device:pc-{OWN}").status_code == 200
    with register.begin() as connection:
        connection.exec_driver_sql("DROP TABLE room")
    assert reader.get("/api/v1/rooms").status_code == 503
    assert reader.get("/health").status_code == 200


def test_unit_with_external_ids(reader: TestClient) -> None:
    """A unit is found with its ids in other systems, so that programs can match it."""
    unit = reader.get(f"/api/v1/organisation-units/unit-{OWN}").json()
    assert unit["external_ids"] == [{"issuer": "moet", "value": OWN}]
    assert unit["parent_id"] == f"unit-{PARENT}"


def test_parent_outside_is_not_named(client: TestClient, key: Key) -> None:
    """The unit above one's own is not named: its id would tell of something outside."""
    unit = client.get(f"/api/v1/organisation-units/unit-{OWN}", headers=key()).json()
    assert unit["parent_id"] is None


def test_device_with_seat_and_presence(reader: TestClient) -> None:
    """A device tells its seat and since when it is connected."""
    device = reader.get(f"/api/v1/devices/pc-{OWN}").json()
    assert device["seat"] == {"id": f"seat-{OWN}", "label": "A1", "row": 1, "column": 1}
    assert device["presence"]["state"] == "online"
    assert device["presence"]["last_seen"] == "2026-11-23T01:02:00Z"
    assert device["identity_conflict"] is False


def test_latest_values_have_units(reader: TestClient) -> None:
    """Newest values come in base units with the envelope that brought them."""
    rows = reader.get(f"/api/v1/devices/pc-{OWN}/measurements/latest").json()["items"]
    usage = next(row for row in rows if row["measurement"] == "usage")
    assert usage["values"]["memory_used_bytes"] == {"value": 2**30, "unit": "B"}
    assert usage["source"] == f"pc-{OWN}/0a0b0c0d/2"
    assert {row["part"] for row in rows if row["measurement"] == "reach"} == {"gateway", "internet"}


def test_stretch_of_values_by_pages(reader: TestClient) -> None:
    """A stretch is [start, end), in order of time and part, and pages join without gap or repeat."""
    path = f"/api/v1/devices/pc-{OWN}/measurements/reach"
    query = {"start": "2026-11-23T08:00:00+07:00", "end": "2026-11-23T08:02:00+07:00", "limit": "3"}
    first = reader.get(path, params=query).json()
    second = reader.get(path, params=query | {"cursor": first["next_cursor"]}).json()
    rows = [(row["at"], row["part"]) for row in first["items"] + second["items"]]
    minutes = ["2026-11-23T01:00:00Z", "2026-11-23T01:01:00Z"]
    assert rows == [(minute, part) for minute in minutes for part in ("gateway", "internet")]
    assert second["next_cursor"] is None
    only = reader.get(path, params=query | {"part": "internet"}).json()["items"]
    assert [row["values"]["ok"]["value"] for row in only] == [False, True]


def test_rules_keep_duty_and_figure_apart(reader: TestClient, pack: Pack) -> None:
    """The document that demands and the origin of the figure are two fields; ours are called district settings."""
    listed = reader.get("/api/v1/rules").json()["items"]
    assert [rule["id"] for rule in listed] == sorted(pack.rules)
    rule = reader.get("/api/v1/rules/TB-01").json()
    assert rule["number_from"] == "district_setting"
    assert rule["duty"]["id"] == pack.rules["TB-01"].duty
    assert rule["clauses"]
    assert {parameter["number_from"] for parameter in rule["parameters"]} == {"district_setting"}
    assert reader.get("/api/v1/rules/XX-99").status_code == 404


def test_a_rule_tells_what_its_facts_are_about(reader: TestClient) -> None:
    """Who reads a rule learns which time each fact is about, when it is stale, and how much must be known for it."""
    found = {fact["name"]: fact for fact in reader.get("/api/v1/rules/TB-10").json()["facts"]}
    assert set(found) == {f"availability_30d_{what}" for what in ("ratio", "known_s", "coverage_ratio")}
    ratio = found["availability_30d_ratio"]
    assert (ratio["window"], ratio["coverage"], ratio["coverage_of"]) == ("30d", 0.1, "expected_minutes")
    assert (ratio["source"], ratio["freshness_s"], found["availability_30d_known_s"]["coverage"]) == (
        "derived",
        None,
        None,
    )
    (memory,) = reader.get("/api/v1/rules/TB-01").json()["facts"]
    assert (memory["window"], memory["freshness_s"], memory["measurable"]) == ("now", 30 * 86400, True)


def test_verdict_with_evidence(reader: TestClient) -> None:
    """A verdict gives evidence, figures with their origin, hashes, and its sentence in both languages."""
    listed = reader.get("/api/v1/verdicts", params={"unit": f"unit-{CHILD}", "state": "fail"}).json()["items"]
    assert [item["subject_id"] for item in listed] == [f"pc-{CHILD}"]
    verdict = reader.get(f"/api/v1/verdicts/{listed[0]['id']}").json()
    assert verdict["evidence"][0]["sources"] == [f"pc-{CHILD}/0a0b0c0d/7"]
    assert verdict["required"]["number_from"] == verdict["number_from"] == "district_setting"
    assert verdict["sentences"]["vi"] != verdict["sentences"]["en"]
    assert len(verdict["pack_hash"]) == len(verdict["rule_hash"]) == 64


def test_language_of_sentences(reader: TestClient) -> None:
    """`lang` wins over Accept-Language, which wins over Vietnamese; an unknown language is no error."""
    path = "/api/v1/verdicts?state=fail&limit=1"

    def sentence(more: str = "", header: str | None = None) -> str:
        headers = {"Accept-Language": header} if header else {}
        text: str = reader.get(path + more, headers=headers).json()["items"][0]["sentence"]
        return text

    vi, en = sentence(), sentence("&lang=en")
    assert vi != en
    assert sentence(header="en-GB,en;q=0.9,vi;q=0.5") == en
    assert sentence(header="fr,vi;q=0.4,en;q=0.3") == vi
    assert sentence("&lang=vi", "en") == vi
    assert sentence("&lang=fr") == vi


def test_history_of_a_subject(reader: TestClient, register: Engine, pack: Pack) -> None:
    """Former verdicts stay readable, newest first, and are told apart from the current one."""
    with Session(register) as session:
        old = session.query(Verdict).filter_by(subject_id=f"pc-{OWN}", rule_id="TB-01").one()
        run = EvaluationRun(
            unit_id=old.unit_id,
            evaluated_at=datetime.now(UTC),
            newest_fact_id=1,
            pack_id=pack.id,
            pack_hash=pack.hash,
            counts={},
            changed=1,
        )
        session.add(run)
        session.flush()
        columns = {name: getattr(old, name) for name in Verdict.__table__.columns.keys() if name != "id"}  # noqa: SIM118
        new = Verdict(**(columns | {"state": "pass", "reason": "met", "run_id": run.id}))
        session.add(new)
        session.flush()
        key = {"unit_id": old.unit_id, "subject_kind": "device", "subject_id": f"pc-{OWN}", "rule_id": "TB-01"}
        current = session.get(CurrentVerdict, key)
        assert current is not None
        current.verdict_id = new.id
        session.merge(CurrentRun(unit_id=run.unit_id, run_id=run.id, confirmed_at=run.evaluated_at, valid_for_s=180.0))
        session.commit()
    path = f"/api/v1/subjects/device/pc-{OWN}/verdicts"
    now = reader.get(path, params={"rule": "TB-01"}).json()["items"]
    assert [item["state"] for item in now] == ["pass"]
    former = list(_all(reader, path, 1, rule="TB-01", history="true"))
    assert [(item["state"], item["confirmed_at"] is None) for item in former] == [("pass", False), ("fail", True)]


def test_compliance_counts_every_state(reader: TestClient) -> None:
    """Shares hold all states, add up to the total, and those of a unit contain those below it."""
    answer = reader.get("/api/v1/compliance", params={"unit": f"unit-{OWN}"}).json()
    states = {state.value for state in State}
    for unit in [answer["unit"], *answer["below"]]:
        for shares in [unit["shares"], *(group["shares"] for group in unit["groups"])]:
            assert set(shares) == states | {"total"}
            assert sum(shares[state] for state in states) == shares["total"]
        for state in states:
            assert unit["shares"][state] == sum(group["shares"][state] for group in unit["groups"])
    assert [unit["unit_id"] for unit in answer["below"]] == [f"unit-{CHILD}"]
    assert answer["below"][0]["shares"]["total"] == 4
    assert answer["unit"]["shares"]["fail"] == 2
    assert answer["unit"]["shares"]["unknown"] == 2


def test_csv_opens_in_a_spreadsheet(reader: TestClient, register: Engine) -> None:
    """The CSV has a BOM, every state as a column, and no cell that a spreadsheet would run."""
    with Session(register) as session:
        unit = session.scalars(Unit.at().where(Unit.id == f"unit-{CHILD}")).one()
        unit.name = '=HYPERLINK("http://x";"Trường")'
        session.commit()
    answer = reader.get("/api/v1/compliance.csv", params={"unit": f"unit-{CHILD}", "lang": "vi"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    text = answer.content.decode("utf-8")
    assert text.startswith(BOM)
    rows = list(csv.DictReader(io.StringIO(text.removeprefix(BOM))))
    assert {row["name"][0] for row in rows} == {"'"}
    assert "không đạt" in rows[0]
    assert sum(int(row["không đạt"]) for row in rows) == 1


@given(st.text(max_size=20))
def test_no_text_is_a_formula(text: str) -> None:
    """Whatever a name is, its cell does not begin like a formula, and the name stands in it unchanged."""
    cell = str(safe_cell(text))
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert cell.removeprefix("'") == text.removeprefix("'") or cell == text
