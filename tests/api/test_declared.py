"""Declared facts over the API: both sides, who and since when, nothing half-stored; files only for their school."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from phongmay_store.register.access import Role
from phongmay_store.register.compliance import CurrentFact, Fact
from phongmay_store.register.declared import Declared
from phongmay_store.register.place import Room

pytestmark = pytest.mark.one_register

OWN, SIBLING = "zz-own-zz", "zz-sibling-zz"
GIB = 2**30
DEVICE = f"/api/v1/declared/device/pc-{OWN}"
FILES = f"/api/v1/organisation-units/unit-{OWN}/attachments"
IMPORT = f"/api/v1/schools/unit-{OWN}/declared-file"
PDF = b"%PDF-1.4\nbien ban\n%%EOF\n"
PICTURE = (Path(__file__).parents[1] / "unit" / "store" / "pictures" / "two-colours.jpg").read_bytes()
CSV = f"school,code,ram_gb,declared_by\nmoet:{OWN},ma-{OWN},8,Ban kiểm kê\n".encode()


@pytest.fixture
def technician(client: TestClient, key: Callable[..., dict[str, str]]) -> TestClient:
    """A technician of the own school."""
    client.headers.update(key(Role.TECHNICIAN))
    return client


def declare(client: TestClient, item: str, value: Any, subject: str = DEVICE, **more: Any) -> Any:
    """Declare one item."""
    return client.put(f"{subject}/{item}", json={"value": value, "declared_by": "Ban kiểm kê", **more})


def item(client: TestClient, name: str, subject: str = DEVICE) -> dict[str, Any]:
    """Give one item of a subject."""
    found: dict[str, Any] = next(row for row in client.get(subject).json()["items"] if row["item"] == name)
    return found


def measure(register: Engine, name: str, value: float, detail: dict[str, Any] | None = None) -> None:
    """Store a measured fact of the own PC."""
    subject: dict[str, Any] = {
        "unit_id": f"unit-{OWN}",
        "subject_kind": "device",
        "subject_id": f"pc-{OWN}",
        "name": name,
    }
    with Session(register) as session:
        fact = Fact(**subject, number=value, text=None, unit="B", source="measured", sources=[f"pc-{OWN}/0a/7"],
                    detail=detail or {}, valid_at=datetime(2026, 11, 1, tzinfo=UTC))  # fmt: skip
        session.add(fact)
        session.flush()
        session.merge(CurrentFact(**subject, fact_id=fact.id))
        session.commit()


def test_both_sides_stand_beside_one_another(technician: TestClient, register: Engine) -> None:
    """What is declared and what is measured are both given, and whether they differ; the unit is the marketed one."""
    measure(register, "ram_marketed_bytes", 4 * GIB)
    measure(register, "os_support_days_left", 100, {"os_id": "windows", "os_version": "11-24H2"})
    before = item(technician, "ram")
    assert (before["declared"], before["measured"]["value"], before["disagrees"]) == (None, 4 * GIB, None)
    answer = declare(technician, "ram", 8, unit="GB", valid_from="2026-09-05")
    assert answer.status_code == 200
    after = item(technician, "ram")
    assert after["declared"]["value"] == 8 * GIB
    assert after["declared"]["since"] == "2026-09-04T17:00:00Z"
    assert after["declared"]["declared_by"] == "Ban kiểm kê"
    assert after["disagrees"] is True
    declare(technician, "ram", 4)
    assert item(technician, "ram")["disagrees"] is False
    declare(technician, "os", "Windows 11-24H2")
    assert item(technician, "os")["disagrees"] is False
    assert item(technician, "serial_number")["disagrees"] is None


def test_a_correction_stays_in_the_history(technician: TestClient) -> None:
    """The old value, its time and who said it can be asked for; a declaration that was taken back too."""
    declare(technician, "ram", 8, valid_from="2026-01-01")
    declare(technician, "ram", 16, valid_from="2026-06-01")
    assert declare(technician, "ram", None).status_code == 200
    assert item(technician, "ram")["declared"] is None
    history = client_history(technician)
    assert {(row["value"], row["superseded_at"] is None) for row in history} == {
        (8 * GIB, True), (8 * GIB, False), (16 * GIB, True), (16 * GIB, False),
    }  # fmt: skip


def client_history(client: TestClient) -> list[dict[str, Any]]:
    """Give the versions of the own PC's memory."""
    return [row for row in client.get(f"{DEVICE}?history=true").json()["history"] if row["item"] == "ram"]


@pytest.mark.parametrize(
    ("name", "body", "pointer"),
    [
        ("ram", {"value": 9000}, "body/value"),
        ("ram", {"value": "viel"}, "body/value"),
        ("ram", {"value": 8, "unit": "MB"}, "body/unit"),
        ("ram", {"value": 8, "declared_by": "  "}, "body/declared_by"),
        ("ram", {"value": 8, "declared_by": ""}, "body/declared_by"),
        ("ram", {"value": 8, "valid_from": "2099-01-01"}, "body/valid_from"),
        ("ram", {"value": 8, "valid_from": "0001-01-01"}, "body/valid_from"),
        ("ram", {"value": 8, "valid_from": "morgen"}, "body/valid_from"),
        ("ram", {"value": 8, "attachment_sha256": "0" * 64}, "body/attachment_sha256"),
        ("ram", {}, "body/value"),
    ],
)
def test_a_wrong_declaration_is_a_problem_and_stores_nothing(
    technician: TestClient, register: Engine, name: str, body: dict[str, Any], pointer: str
) -> None:
    """Each fault names its place; the register stays as it was."""
    answer = technician.put(f"{DEVICE}/{name}", json={"declared_by": "x", **body})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["pointer"].startswith(pointer)
    with Session(register) as session:
        assert session.scalars(select(Declared).where(Declared.name == "ram")).all() == []


def test_what_is_no_item_of_a_subject_is_not_there(technician: TestClient) -> None:
    """An area is no property of a PC, and there is nothing to declare of a verdict."""
    assert declare(technician, "area", 50).status_code == 404
    assert technician.get("/api/v1/declared/verdict/1").status_code == 404
    assert technician.get(f"/api/v1/declared/device/pc-{SIBLING}").status_code == 404


def test_class_size_is_the_rooms_own(technician: TestClient, register: Engine) -> None:
    """What rules read of a room is what was declared last, with who said so beside it."""
    room = f"/api/v1/declared/room/room-{OWN}"
    assert item(technician, "class_size", room)["declared"]["value"] == 30
    assert declare(technician, "class_size", 41, room).status_code == 200
    assert item(technician, "class_size", room)["declared"]["declared_by"] == "Ban kiểm kê"
    with Session(register) as session:
        assert session.scalars(Room.at().where(Room.id == f"room-{OWN}")).one().class_size == 41


def test_a_file_is_given_back_to_be_saved_only(technician: TestClient) -> None:
    """Type by bytes, disposition attachment, nosniff; the hash is that of what is given back."""
    sent = technician.post(FILES, content=PICTURE, headers={"Content-Type": "text/html"})
    assert sent.status_code == 201
    kept = sent.json()
    assert kept["media_type"] == "image/jpeg"
    back = technician.get(f"{FILES}/{kept['sha256']}")
    assert back.headers["content-type"] == "image/jpeg"
    assert back.headers["content-disposition"] == f'attachment; filename="{kept["sha256"][:12]}.jpg"'
    assert back.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in back.headers["content-security-policy"]
    assert len(back.content) == kept["size"]
    assert declare(technician, "ram", 8, attachment_sha256=kept["sha256"]).status_code == 200
    assert item(technician, "ram")["declared"]["attachment_sha256"] == kept["sha256"]
    assert kept["sha256"] in {row["sha256"] for row in technician.get(FILES).json()["items"]}


@pytest.mark.parametrize(
    ("payload", "code"),
    [(b"<html>", "file_type"), (b"<svg/>", "file_type"), (b"", "file_empty"), (PICTURE[:-9], "file_damaged"),
     (b"%PDF-" + bytes(2**20) + b"%%EOF", "file_large")],
)  # fmt: skip
def test_what_is_not_taken_is_told(technician: TestClient, payload: bytes, code: str) -> None:
    """A page, a drawing with script, half a picture or too much of it is a problem with a name of its own."""
    answer = technician.post(FILES, content=payload)
    assert (answer.status_code, answer.json()["type"]) == (422, f"urn:phongmay:problem:{code}")


def test_a_file_belongs_to_the_school_that_handed_it_in(client: TestClient, key: Callable[..., dict[str, str]]) -> None:
    """Knowing a hash opens nothing: another school's file is not there, and cannot be named as evidence."""
    mine = client.post(FILES, content=PDF, headers=key(Role.TECHNICIAN)).json()["sha256"]
    other = key(Role.ADMIN, "sibling")
    assert client.get(f"{FILES}/{mine}", headers=other).status_code == 404
    assert client.get(f"/api/v1/organisation-units/unit-{SIBLING}/attachments/{mine}", headers=other).status_code == 404
    body = {"value": 8, "declared_by": "x", "attachment_sha256": mine}
    path = f"/api/v1/declared/device/pc-{SIBLING}/ram"
    assert client.put(path, json=body, headers=other).status_code == 422
    assert client.get(f"{FILES}/{mine}", headers=key(Role.VIEWER)).status_code == 200


def test_a_missing_folder_is_a_sentence(technician: TestClient, tmp_path: Path) -> None:
    """Without its folder the server says that it cannot keep files, and stores nothing."""
    shutil.rmtree(tmp_path / "attachments")
    for answer in (technician.post(FILES, content=PDF), technician.get(f"{FILES}/{_paper(technician)}")):
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:phongmay:problem:files_unavailable")
    assert len(technician.get(FILES).json()["items"]) == 1


def _paper(client: TestClient) -> str:
    return str(client.get(FILES).json()["items"][0]["sha256"])


def test_nobody_can_send_without_end(client: TestClient) -> None:
    """A body beyond the limit is refused before anybody is known, with or without its size told beforehand."""
    much = bytes(6 * 2**20)
    assert (
        client.post("/sign-in", content=much, headers={"Content-Type": "application/x-www-form-urlencoded"}).status_code
        == 413
    )

    def pieces() -> Any:
        for _ in range(6):
            yield bytes(2**20)

    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert client.post("/sign-in", content=pieces(), headers=form).status_code == 413


def test_preview_and_apply(technician: TestClient, register: Engine) -> None:
    """The preview stores nothing; its mark applies exactly that file once; a second time nothing changes."""
    day = {"name": "may.csv", "since": "2026-09-05"}
    preview = technician.post(f"{IMPORT}/preview", content=CSV, params=day).json()
    assert [(row["action"], row["line"]) for row in preview["changes"]] == [("created", 2)]
    with Session(register) as session:
        assert session.scalar(select(func.count()).select_from(Declared).where(Declared.name == "ram")) == 0
    apply = {**day, "preview": preview["preview"]}
    assert technician.post(f"{IMPORT}/apply", content=CSV, params=day).status_code == 409
    for _ in range(2):
        assert technician.post(f"{IMPORT}/apply", content=CSV, params=apply).status_code == 200
    assert item(technician, "ram")["declared"]["value"] == 8 * GIB
    assert len(client_history(technician)) == 1


def test_a_preview_that_no_longer_holds(technician: TestClient) -> None:
    """Another declaration in between: 409, and the other one stands."""
    day = {"name": "may.csv", "since": "2026-09-05"}
    mark = technician.post(f"{IMPORT}/preview", content=CSV, params=day).json()["preview"]
    declare(technician, "ram", 16)
    answer = technician.post(f"{IMPORT}/apply", content=CSV, params={**day, "preview": mark})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:phongmay:problem:preview_moved")
    assert item(technician, "ram")["declared"]["value"] == 16 * GIB


def test_faults_of_a_file_are_listed(technician: TestClient) -> None:
    """Row and column of each; apply refuses with the same list."""
    bad = CSV.replace(b",8,", b",viel,")
    day = {"name": "may.csv", "since": "2026-09-05"}
    preview = technician.post(f"{IMPORT}/preview", content=bad, params=day).json()
    assert [(e["line"], e["column"], e["value"]) for e in preview["errors"]] == [(2, "ram_gb", "viel")]
    answer = technician.post(f"{IMPORT}/apply", content=bad, params={**day, "preview": preview["preview"]})
    assert answer.status_code == 409
    assert answer.json()["errors"][0]["pointer"] == "may.csv/2/ram_gb"


def test_listing_pages_through_everything(technician: TestClient) -> None:
    """A list of declarations is complete over its pages."""
    for name, value in (("ram", 8), ("cpu_threads", 4), ("purchase_year", 2021)):
        declare(technician, name, value)
    found, cursor = [], None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = technician.get(f"/api/v1/schools/unit-{OWN}/declared", params=params).json()
        found += [row["item"] for row in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sorted(found) == ["cpu_threads", "purchase_year", "ram", "students"]


def test_a_future_moment_is_refused_to_the_second(technician: TestClient) -> None:
    """What has not begun cannot be declared as being so."""
    soon = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    assert declare(technician, "ram", 8, valid_from=soon).status_code == 422


def test_a_unit_above_schools_declares_its_own_reports(client: TestClient, key: Callable[..., dict[str, str]]) -> None:
    """Who may declare for the district enters when its report was sent; a school's technician sees nothing of it, and
    neither a day to come nor a school's item is taken."""
    above = "/api/v1/declared/district/unit-zz-parent-zz"
    assert client.get(above, headers=key(Role.TECHNICIAN)).status_code == 404
    client.headers.update(key(Role.OFFICER, "parent"))
    answer = declare(client, "quarterly_report_q2", "24/06/2024", above, valid_from="2024-06-24")
    assert answer.status_code == 200
    assert item(client, "quarterly_report_q2", above)["declared"]["value"] == "2024-06-24"
    assert [row["item"] for row in client.get(above).json()["items"]] == [f"quarterly_report_q{n}" for n in range(1, 5)]
    assert declare(client, "self_report_q2", "2024-06-18", above).status_code == 404
    assert declare(client, "quarterly_report_q3", "2999-01-01", above).status_code == 422
    assert client.get(f"/api/v1/declared/district/unit-{OWN}").status_code == 404
    assert client.get("/api/v1/declared/school/unit-zz-parent-zz").status_code == 404
    school = f"/api/v1/declared/school/unit-{OWN}"
    assert declare(client, "self_report_q2", "2024-06-18", school).status_code == 200
    assert item(client, "self_report_q2", school)["declared"]["value"] == "2024-06-18"
