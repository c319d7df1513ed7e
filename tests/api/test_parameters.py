"""Parameters as they hold for a unit, tried and set: by API and on the page, signed, within bounds, with a reason."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from phongmay_rules.model import Pack
from phongmay_rules.setting import SettingError, read_typed, typed
from phongmay_store.register.access import Role
from phongmay_store.register.base import utc_now
from phongmay_store.register.compliance import CurrentFact, Fact, Parameter

from .test_decisions import sign_in

PARENT, OWN = "unit-zz-parent-zz", "unit-zz-own-zz"
GIB = 2**30
LIST = f"/api/v1/organisation-units/{OWN}/parameters"


@pytest.fixture
def officer(register: Engine, client: TestClient) -> TestClient:
    """An officer of the district; the own school's PC has 4 GB, measured just now."""
    with Session(register) as session:
        fact = Fact(unit_id=OWN, subject_kind="device", subject_id="pc-zz-own-zz", name="ram_marketed_bytes", unit="B",
                    number=4.0 * GIB, text=None, missing="", source="measured", sources=["x"], detail={},
                    valid_at=utc_now(), recorded_at=utc_now())  # fmt: skip
        session.add(fact)
        session.flush()
        session.add(CurrentFact(subject_kind="device", subject_id="pc-zz-own-zz", name="ram_marketed_bytes",
                                unit_id=OWN, fact_id=fact.id))  # fmt: skip
        session.commit()
    return sign_in(register, client, "quan", PARENT, "officer")


def _rows(register: Engine) -> list[tuple[str, str, float, str, str]]:
    with Session(register) as session:
        rows = session.scalars(select(Parameter).order_by(Parameter.number))
        return [(row.unit_id, row.name, row.value, row.set_by, row.reason) for row in rows]


def test_preview_then_set(officer: TestClient, register: Engine) -> None:
    """A preview names the verdict that would change and writes nothing; setting it needs a reason and is kept."""
    before = officer.get(f"{LIST}/ram_min").json()
    assert (before["value"], before["default"], before["set"], before["unit"]) == (4 * GIB, 4 * GIB, None, "B")
    assert "TB-01" in before["rules"]
    effect = officer.post(f"{LIST}/ram_min/preview", json={"value": 8 * GIB}).json()
    assert {"rule_id": "TB-01", "before": "pass", "after": "fail", "count": 1} in effect["moves"]
    assert {change["subject_id"] for change in effect["changes"] if change["rule_id"] == "TB-01"} == {"pc-zz-own-zz"}
    assert _rows(register) == []
    assert officer.put(f"{LIST}/ram_min", json={"value": 8 * GIB}).status_code == 422, "no reason"
    assert officer.put(f"{LIST}/ram_min", json={"value": 8 * GIB, "reason": "  "}).status_code == 422
    done = officer.put(f"{LIST}/ram_min", json={"value": 8 * GIB, "reason": "máy mới", "was": 4 * GIB})
    assert done.status_code == 200
    assert (done.json()["value"], done.json()["set"]["set_by"], len(done.json()["history"])) == (8 * GIB, "quan", 1)
    assert _rows(register) == [(OWN, "ram_min", 8.0 * GIB, "quan", "máy mới")]
    again = officer.put(f"{LIST}/ram_min", json={"value": 16 * GIB, "reason": "x", "was": 4 * GIB})
    assert (again.status_code, again.json()["type"]) == (409, "urn:phongmay:problem:parameter_moved")
    above = officer.get(f"/api/v1/organisation-units/{PARENT}/parameters/ram_min").json()
    assert above["value"] == 4 * GIB, "it holds for the unit and below only"


@pytest.mark.parametrize(
    ("parameter", "value", "status"),
    [("ram_min", 1, 422), ("ram_min", 2.0**60, 422), ("class_cap_primary", 40, 422), ("nonsense", 1, 404)],
)
def test_what_cannot_be_set(
    officer: TestClient, register: Engine, parameter: str, value: float, status: int
) -> None:  # fmt: skip
    """Out of bounds, the figure of a document, no such parameter: refused at the preview and when it is set."""
    body = {"value": value, "reason": "x"}
    assert officer.post(f"{LIST}/{parameter}/preview", json={"value": value}).status_code == status
    assert officer.put(f"{LIST}/{parameter}", json=body).status_code == status
    assert _rows(register) == []


def test_who_may_set(register: Engine, client: TestClient, key: Callable[..., dict[str, str]]) -> None:
    """No key signs; a school's own officer sets nothing for the school; a viewer only reads."""
    body = {"value": 8 * GIB, "reason": "x"}
    assert client.put(f"{LIST}/ram_min", json=body, headers=key(Role.ADMIN, "parent")).status_code == 403
    assert client.get(LIST, headers=key(Role.VIEWER, "own")).status_code == 200
    own = sign_in(register, client, "truong", OWN, "officer")
    assert own.put(f"{LIST}/ram_min", json=body).status_code == 403
    assert own.post(f"{LIST}/ram_min/preview", json={"value": 8 * GIB}).status_code == 403
    assert _rows(register) == []


def test_a_school_sees_what_a_unit_above_set_without_its_name(
    register: Engine, client: TestClient, pack: Pack, key: Callable[..., dict[str, str]]
) -> None:
    """What holds is told with signer and reason; which unit above set it only to whoever may see that unit."""
    with Session(register) as session:
        owner = pack.parameter_owners["ram_min"]
        session.add(Parameter(unit_id=PARENT, pack_id=owner, name="ram_min", value=8.0 * GIB, set_by="q", reason="r",
                              recorded_at=datetime(2026, 5, 1, tzinfo=UTC)))  # fmt: skip
        session.commit()
    own = client.get(f"{LIST}/ram_min", headers=key(Role.VIEWER, "own")).json()
    assert (own["value"], own["set"]["unit_id"], own["set"]["reason"], own["history"]) == (8 * GIB, None, "r", [])
    page = client.get(f"/units/{OWN}/parameters?lang=en", headers=key(Role.VIEWER, "own")).text
    assert "q, a unit above" in page
    assert "zz-parent-zz" not in page
    assert client.get(f"{LIST}/ram_min", headers=key(Role.VIEWER, "parent")).json()["set"]["unit_id"] == PARENT
    rules = client.get(f"/rules?unit={OWN}&lang=en", headers=key(Role.VIEWER, "own")).text
    assert "8 GB</a>" in rules
    assert pack.rules["TB-01"].remediation.en in unescape(rules), "the catalogue says what to do"


def test_a_day_from_which_it_holds(officer: TestClient, register: Engine) -> None:
    """A value of a later day is pending and not in force; one that would begin before it is refused at that field."""
    body = {"value": 8 * GIB, "reason": "từ năm học mới", "valid_from": "2099-09-01"}
    done = officer.put(f"{LIST}/ram_min", json=body).json()
    assert (done["value"], done["set"], done["pending"]["value"]) == (4 * GIB, None, 8 * GIB)
    assert done["pending"]["valid_from"] == "2099-08-31T17:00:00Z", "local midnight"
    earlier = officer.put(f"{LIST}/ram_min", json={**body, "value": 16 * GIB, "valid_from": "2099-08-31"})
    assert (earlier.status_code, earlier.json()["errors"][0]["pointer"]) == (422, "body/valid_from")
    assert len(_rows(register)) == 1
    page = officer.get(f"/units/{OWN}/parameters?set=ram_min").text
    assert "có hiệu lực từ 01/09/2099" in page
    assert "in force from 01/09/2099" in officer.get(f"/units/{OWN}/parameters?lang=en").text


def test_the_page_takes_a_day(officer: TestClient, register: Engine) -> None:
    """It goes with the preview, is recorded when it is confirmed, and what is wrong with it is told."""
    shown = _send(officer, value="8", reason="x", **{"from": "2099-09-01"}).text
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', shown))
    assert hidden["from"] == "2099-09-01"
    assert _send(officer, value="8", reason="x", step="confirm", **{"from": hidden["from"]}).status_code == 303
    with Session(register) as session:
        assert session.scalars(select(Parameter.valid_from)).one() == datetime(2099, 8, 31, 17, tzinfo=UTC)
    for day, said in (("2099-08-31", "không thể bắt đầu trước đó"), ("mai", "Hãy nhập một ngày")):
        refused = _send(officer, value="16", reason="x", step="confirm", **{"from": day})
        assert (refused.status_code, said in refused.text) == (422, True)
    assert len(_rows(register)) == 1


def test_a_unit_below_keeps_its_own_value_and_is_named(officer: TestClient) -> None:
    """What the district would set leaves the school's own figure alone, and preview and page say so."""
    assert officer.put(f"{LIST}/ram_min", json={"value": 8 * GIB, "reason": "x"}).status_code == 200
    above = f"/api/v1/organisation-units/{PARENT}/parameters/ram_min/preview"
    told = officer.post(above, json={"value": 16 * GIB}).json()
    assert told["kept"] == [{"unit_id": OWN, "value": 8 * GIB, "in_bounds": True}]
    page = officer.post(
        f"/units/{PARENT}/parameters",
        data={"form_token": "f", "parameter": "ram_min", "value": "16", "reason": "x"},
    ).text
    assert "giữ mức riêng của mình: 8 GB" in page


def _send(client: TestClient, **fields: str) -> Any:
    return client.post(f"/units/{OWN}/parameters", data={"form_token": "f", "parameter": "ram_min", **fields})


def test_page_in_two_steps(officer: TestClient, register: Engine) -> None:
    """Typed in GB, previewed with what would change, confirmed; only then it is recorded."""
    assert "Đặt mức khác" in officer.get(f"/units/{OWN}/parameters").text
    form = officer.get(f"/units/{OWN}/parameters?set=ram_min").text
    assert re.search(r'id="value"[^>]* value="4"', form)
    shown = _send(officer, value="8 GB", reason="máy mới")
    assert (shown.status_code, "Chưa ghi gì." in shown.text, "TB-01" in shown.text) == (200, True, True)
    assert _rows(register) == []
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', shown.text))
    moved = _send(officer, value="8", reason="x", was="1", step="confirm")
    assert (moved.status_code, "đã thay đổi từ lúc xem trước" in moved.text) == (409, True)
    done = _send(officer, value="8", reason="máy mới", was=hidden["was"], step="confirm")
    assert (done.status_code, done.headers["location"]) == (303, f"/units/{OWN}/parameters?done=yes")
    assert _rows(register) == [(OWN, "ram_min", 8.0 * GIB, "quan", "máy mới")]
    assert "quan, " in officer.get(done.headers["location"]).text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"value": "nhiều", "reason": "x"}, "Hãy nhập một số"),
        ({"value": "0,001", "reason": "x"}, "phải nằm trong giới hạn từ"),
        ({"parameter": "smart_camera", "value": "một phần", "reason": "x"}, "Hãy nhập “có” hoặc “không”"),
        ({"parameter": "smart_camera", "value": "0,5", "reason": "x"}, "Hãy nhập “có” hoặc “không”"),
        ({"value": "8", "reason": " "}, "Hãy ghi lý do"),
        ({"value": "8", "reason": "x" * 2001, "step": "confirm", "was": str(4 * GIB)}, "Hãy ghi lý do"),
        ({"parameter": "nonsense", "value": "8", "reason": "x"}, "không có tham số này"),
        ({"parameter": "class_cap_primary", "value": "35", "reason": "x"}, "không đơn vị nào đặt lại được"),
    ],
)
def test_page_tells_what_is_wrong(
    officer: TestClient, register: Engine, fields: dict[str, str], said: str
) -> None:  # fmt: skip
    """422 with a sentence and what was typed; nothing is recorded."""
    answer = _send(officer, **fields)
    assert (answer.status_code, said in answer.text) == (422, True)
    assert _rows(register) == []


def test_what_is_typed_comes_back_as_it_was(pack: Pack) -> None:
    """Every settable value survives being shown in marketed units and typed again, in both languages."""
    for declared in pack.standard.parameters.values():
        for language in ("vi", "en"):
            for value in (declared.value, declared.low, declared.high):
                text = typed(declared, value, language)
                assert read_typed(declared, text, language) == pytest.approx(value, rel=1e-3)
            assert read_typed(declared, typed(declared, declared.value, language), language) == declared.value
    with pytest.raises(SettingError):
        read_typed(pack.standard.parameters["ram_min"], "NaN", "en")
