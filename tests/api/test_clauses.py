"""Clauses over the API and as a table: all of them, for each unit of the scope; statements beside, never as a pass."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from phongmay_rules.model import Pack
from phongmay_store.register.access import Role
from phongmay_store.register.decisions import Attestation

pytestmark = pytest.mark.one_register

OWN, PARENT = "unit-zz-own-zz", "unit-zz-parent-zz"
CLAUSE = "KH-I.2.a-1"
Key = Callable[..., dict[str, str]]


def state(session: Session, unit: str, *, met: bool, ended: bool = False) -> None:
    """Store a statement on the clause."""
    now = datetime.now(UTC)
    session.add(
        Attestation(
            unit_id=unit, pack_id="tanbinh-2023", clause_id=CLAUSE, met=met, statement="Đã kiểm tra", signed_by="quan",
            valid_from=now - timedelta(days=9), valid_to=now + timedelta(days=-1 if ended else 9),
        )
    )  # fmt: skip


def test_every_clause_of_a_unit(client: TestClient, key: Key, pack: Pack, register: Engine) -> None:
    """All clauses come, shares add up to them, and a statement stands beside the state."""
    with Session(register) as session:
        state(session, OWN, met=False)
        state(session, OWN, met=True)
        state(session, OWN, met=False, ended=True)
        session.commit()
    answer = client.get(f"/api/v1/organisation-units/{OWN}/clauses", headers=key(Role.VIEWER)).json()
    rows = {row["clause"]: row for row in answer["clauses"]}
    assert list(rows) == list(pack.clauses)
    assert answer["shares"]["total"] == len(rows)
    for name in ("fail", "unknown", "manual", "pass", "not_applicable"):
        assert answer["shares"][name] == sum(row["state"] == name for row in rows.values()), name
    assert rows[CLAUSE]["state"] == "manual"
    assert rows[CLAUSE]["stated"]["met"] is True, "of several statements the newest that holds"
    assert (answer["stated_met"], answer["stated_not_met"]) == (1, 0)
    assert rows["KH-I.1-2"]["state"] == "fail"
    assert "TB-01" in rows["KH-I.1-2"]["rules"]
    assert rows["KH-I.1-2"]["verdicts"]["fail"] >= 1


def test_compliance_counts_clauses_beside_verdicts(client: TestClient, key: Key, pack: Pack) -> None:
    """Whoever reads shares sees how many clauses no machine judges."""
    answer = client.get("/api/v1/compliance", headers=key(Role.VIEWER, "parent")).json()
    for unit in [answer["unit"], *answer["below"]]:
        assert unit["clauses"]["total"] == len(pack.clauses)
        assert unit["clauses"]["manual"] > 0


def test_every_school_against_every_clause_as_a_table(client: TestClient, key: Key, pack: Pack) -> None:
    """One line a unit and clause, in both languages, of the scope only."""
    text = client.get("/api/v1/clauses.csv?lang=vi", headers=key(Role.VIEWER, "parent")).text
    rows = list(csv.DictReader(io.StringIO(text.lstrip("\ufeff"))))
    units = {row["unit_id"] for row in rows}
    assert PARENT in units
    assert len(units) == 4
    assert len(rows) == len(units) * len(pack.clauses)
    assert {row["state_name"] for row in rows if row["state"] == "manual"} == {"Xét thủ công"}
    own = client.get("/api/v1/clauses.csv?lang=en", headers=key(Role.VIEWER, "own")).text
    assert PARENT not in own
    assert "Manual" in own


def test_page_in_english(client: TestClient, key: Key) -> None:
    """The page lists the clauses under their documents in the language asked for."""
    headers = key(Role.VIEWER, "parent")
    page = client.get(f"/units/{OWN}/clauses?lang=en", headers=headers)
    assert page.status_code == 200, page.text
    assert "Standing by clause" in page.text
    assert "KH-I.1-2" in page.text


def test_a_clause_whose_rule_is_switched_off_says_so(client: TestClient, key: Key) -> None:
    """API, table and page name the rule and the setting that would turn it on, in both languages; it is unknown."""
    headers = key(Role.VIEWER, "own")
    answer = client.get(f"/api/v1/organisation-units/{OWN}/clauses", headers=headers).json()
    row = next(one for one in answer["clauses"] if one["clause"] == "FCC-1000")
    assert (row["state"], row["rules"], row["switched_off"]) == ("unknown", [], ["TR-06b"])
    for language, word, sentence in (
        ("vi", "Chưa rõ", "Tiêu chí TR-06b đang tắt nên chưa được xét; bật bằng khóa rules.optional."),
        ("en", "Unknown", "Rule TR-06b is switched off, so nobody judged it; rules.optional turns it on."),
    ):
        text = client.get(f"/api/v1/clauses.csv?lang={language}", headers=headers).text
        line = next(one for one in csv.DictReader(io.StringIO(text.lstrip("\ufeff"))) if one["clause"] == "FCC-1000")
        assert (line["state_name"], line["switched_off"]) == (word, "TR-06b")
        page = client.get(f"/units/{OWN}/clauses?lang={language}", headers=headers).text
        shown = re.sub(r"<[^>]+>", "", page[page.index('<li id="FCC-1000">') :].split("</li>")[0])
        assert sentence in " ".join(shown.split())
