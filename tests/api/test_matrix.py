"""Every route as every role for own, child, parent and sibling organisation, generated from the application's routes.

Expectations are computed from the two tables of permissions and from where the key's unit stands, and from nothing
else: a route that is new in the application is called here without anybody adding it. Long because it holds one body a
route that takes one.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from phongmay_api.access.accounts import add_key, revoke_key
from phongmay_api.access.permissions import ROLES, ROUTES, SIGNED, Permission
from phongmay_rules.model import Assessment, Pack
from phongmay_store.register.access import Account, BrowserSession, Grant, Role
from phongmay_store.register.base import utc_now
from phongmay_store.register.calendar import CalendarEntry
from phongmay_store.register.compliance import CurrentVerdict, Verdict
from phongmay_store.register.decisions import Dispute, Waiver
from phongmay_store.register.enrolment import token_hash

pytestmark = pytest.mark.one_register

PLACES = ("parent", "own", "child", "sibling")
INSIDE = ("own", "child")
FREE = {
    "name": "style.css",
    "rule_id": "TB-01",
    "measurement": "usage",
    "quantity": "cpu_busy_ratio",
    "kind": "device",
    "item": "ram",
    "parameter": "ram_min",
    "sha256": "65570c034ee4d33dce178a3ed601dbcb5c40844cf3ebc79aa27daa4d5b855bb9",
}
"""Path parameters that name nothing of an organisation."""


def _mark(place: str) -> str:
    return f"zz-{place}-zz"


ICS = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nEND:VCALENDAR\r\n"
"""A calendar without events."""
LATER = "2099-12-31T00:00:00+07:00"


def _target(name: str, path: str, place: str, made: Made) -> str:
    """Give the value of a path parameter that names something of a place."""
    if name in ("waiver", "dispute"):
        return str(made.rows[name, "page" if not path.startswith("/api/") else "api", place])
    if name == "verdict_id":
        return str(made.verdict(place, RULE_OF.get(path, "TB-01")))
    return {
        "unit_id": f"unit-{_mark(place)}",
        "device_id": f"pc-{_mark(place)}",
        "campaign_id": f"camp-{_mark(place)}",
        "run_id": f"run-{_mark(place)}",
        "subject_id": f"pc-{_mark(place)}",
        "room_id": f"room-{_mark(place)}",
        "entry": f"cal-{'api' if path.startswith('/api/') else 'page'}-{_mark(place)}",
    }[name]


QUERIES = {
    "/api/v1/organisation-units/{unit_id}/verdicts": {"at": "2026-01-02T03:04:05Z"},
    "/units/{unit_id}/at": {"at": "2026-01-02T10:00"},
    "/verdicts/{verdict_id}/at": {"at": "2026-01-02T10:00"},
}
"""What a route must be asked with."""
RULE_OF = {"/verdicts/{verdict_id}/dispute": "TB-02", "/verdicts/{verdict_id}/waiver": "TB-03"}
"""Rules whose verdicts the pages decide about: others than the API, so that decisions do not disturb each other."""


def _json(path: str, place: str, made: Made) -> dict[str, Any] | None:
    """Give the JSON body of the routes that need one."""
    unit = f"unit-{_mark(place)}"
    return {
        "/api/v1/enrolment-tokens": {"unit": unit},
        "/api/v1/campaigns": {"unit": unit},
        "/api/v1/declared/{kind}/{subject_id}/{item}": {"value": 8, "declared_by": "Văn phòng"},
        "/api/v1/organisation-units/{unit_id}/parameters/{parameter}/preview": {"value": 2.0**33},
        "/api/v1/organisation-units/{unit_id}/parameters/{parameter}": {"value": 2.0**33, "reason": "x"},
        "/api/v1/organisation-units/{unit_id}/calendar-entries": {"kind": "holiday", "first": "2026-10-02"},
        "/api/v1/rooms/{room_id}/timetable": {"timetable": "Mon-Fri 07:00-11:30"},
        "/api/v1/waivers": {"subject_id": unit, "rule_id": "TB-01", "reason": "x", "valid_to": LATER},
        "/api/v1/waivers/{waiver}/withdrawal": {"reason": "x"},
        "/api/v1/attestations": {
            "unit": unit,
            "clause": made.clause,
            "met": True,
            "statement": "x",
            "valid_to": LATER,
            "attachment_hash": FREE["sha256"],
        },
        "/api/v1/disputes": {"verdict_id": made.verdict(place, "TB-01"), "text": "x"},
        "/api/v1/disputes/{dispute}/answer": {"upheld": True, "text": "x"},
    }.get(path)


def _file(path: str, place: str, made: Made) -> dict[str, Any] | None:
    """Give what the routes need that take a file."""
    known = f"school,name,value,declared_by\nmoet:{_mark(place)},students,700,Văn phòng\n".encode()
    name = {"name": "khai-bao.csv", "since": "2026-01-02"}
    mark = hashlib.sha256(json.dumps([f"unit-{_mark(place)}", []]).encode() + ICS).hexdigest()[:32]
    sent: dict[str, dict[str, Any]] = {
        "/api/v1/organisation-units/{unit_id}/attachments": {"content": b"%PDF-1.4\nhop dong\n%%EOF\n"},
        "/api/v1/schools/{unit_id}/declared-file/preview": {"content": known, "params": name},
        "/api/v1/schools/{unit_id}/declared-file/apply": {"content": known, "params": name},
        "/schools/{unit_id}/declared/file": {"files": {"file": ("a.csv", known)}, "data": {"since": "2026-01-02"}},
        "/schools/{unit_id}/declared/file/apply": {
            "data": {**name, "content": base64.urlsafe_b64encode(known).decode()}
        },
        "/api/v1/organisation-units/{unit_id}/calendar-file/preview": {"content": ICS},
        "/api/v1/organisation-units/{unit_id}/calendar-file/apply": {"content": ICS, "params": {"preview": mark}},
        "/units/{unit_id}/calendar/file": {"files": {"file": ("a.ics", ICS)}, "data": {"kind": "exam"}},
        "/units/{unit_id}/attestation": {
            "data": {"clause": made.clause, "met": "yes", "statement": "x", "until": "2099-12-31"},
            "files": {"file": ("a.pdf", b"%PDF-1.4\nbien ban\n%%EOF\n")},
        },
    }
    return sent.get(path)


def _sent(method: str, path: str, place: str, made: Made) -> dict[str, Any]:
    """Give what a request must bring to be a right one: body and parameters, as the client takes them."""
    if method == "GET":
        return {"params": QUERIES[path]} if path in QUERIES else {}
    if (form := _form(path, made)) is not None:
        return {"data": form}
    return _file(path, place, made) or {"json": _json(path, place, made)}


def _form(path: str, made: Made) -> dict[str, str] | None:
    """Give the fields of the pages' forms."""
    return {
        "/verdicts/{verdict_id}/dispute": {"text": "x"},
        "/verdicts/{verdict_id}/waiver": {"reason": "x", "until": "2099-12-31"},
        "/units/{unit_id}/parameters": {"parameter": "ram_min", "value": "8", "reason": "x"},
        "/units/{unit_id}/calendar": {"kind": "exam", "first": "2026-10-02"},
        "/units/{unit_id}/calendar/{entry}/removal": {"x": "x"},
        "/rooms/{room_id}/timetable": {"timetable": "Mon-Fri 07:00-11:30"},
        "/waivers/{waiver}/withdrawal": {"reason": "x"},
        "/disputes/{dispute}/answer": {"text": "x", "decision": "rejected"},
        "/units/{unit_id}/campaigns": {"kind": "floor", "mode": "planned"},
        "/campaigns/{campaign_id}/stop": {},
        "/runs/{run_id}/stop": {},
    }.get(path)


BOUND_BODIES = (
    "/api/v1/campaigns",
    "/api/v1/enrolment-tokens",
    "/api/v1/waivers",
    "/api/v1/attestations",
    "/api/v1/disputes",
)
"""Routes whose body names something of an organisation."""


@dataclass(frozen=True)
class Made:
    """Rows that decisions are about: two waivers and two disputes a place, one for the API and one for the page."""

    engine: Engine
    clause: str
    rows: dict[tuple[str, str, str], int]

    def verdict(self, place: str, rule: str) -> int:
        """Give the newest verdict of a rule on the PC of a place (a dispute evaluates anew, so ids change)."""
        newest = select(func.max(Verdict.id)).where(Verdict.subject_id == f"pc-{_mark(place)}", Verdict.rule_id == rule)
        with Session(self.engine) as session:
            return session.scalars(newest).one()


def _routes(app: FastAPI) -> Iterator[tuple[str, APIRoute]]:
    for route in app.routes:
        assert isinstance(route, APIRoute), f"{route} is no ordinary route: nothing guards it"
        for method in sorted(route.methods):
            yield method, route


Call = tuple[str, str, str, str | None, dict[str, Any]]


def _calls(app: FastAPI, made: Made) -> Iterator[Call]:
    """Give (method, path template, path, place or None, what is sent) of every call; routes without a target once.

    What is sent is a JSON body, a file, or the fields of a form; made at the moment of the call.
    """
    for method, route in _routes(app):
        names = list(route.param_convertors)
        bound = [name for name in names if name not in FREE]
        template = route.path
        body_is_bound = method == "POST" and template in BOUND_BODIES
        for place in PLACES if bound or body_is_bound else (None,):
            here = place or "own"
            values = {name: FREE.get(name) or _target(name, template, here, made) for name in names}
            sent = _sent(method, template, here, made)
            yield method, template, template.format(**values), place, sent


@pytest.fixture
def made(register: Engine, pack: Pack) -> Made:
    """The rows that decisions are about."""
    now, rows = utc_now(), {}
    clause = next(clause.id for clause in pack.standard.clause if clause.assessment is Assessment.MANUAL)
    with Session(register) as session:
        for place in PLACES:
            unit, device = f"unit-{_mark(place)}", f"pc-{_mark(place)}"
            first = session.scalars(
                select(Verdict).where(Verdict.subject_id == device, Verdict.rule_id == "TB-01")
            ).one()
            columns = {c.name: getattr(first, c.name) for c in Verdict.__table__.columns if c.name != "id"}
            verdict = Verdict(**columns | {"rule_id": "TB-03"})
            session.add(verdict)
            session.flush()
            session.add(
                CurrentVerdict(subject_kind="device", subject_id=device, rule_id="TB-03", unit_id=unit,
                               verdict_id=verdict.id)
            )  # fmt: skip
            for door in ("api", "page"):
                entry = f"cal-{door}-{_mark(place)}"
                session.add(CalendarEntry(id=entry, unit_id=unit, kind="exam", name="Thi", uid=entry,
                                          valid_from=now, valid_to=now + timedelta(days=1)))  # fmt: skip
                waiver = Waiver(unit_id=unit, subject_id=device, rule_id="TB-05", reason=_mark(place), signed_by="s",
                                valid_from=now - timedelta(days=1), valid_to=now + timedelta(days=9))  # fmt: skip
                dispute = Dispute(step="opened", unit_id=unit, verdict_id=verdict.id, text=_mark(place), signed_by="s")
                session.add_all([waiver, dispute])
                session.flush()
                rows["waiver", door, place], rows["dispute", door, place] = waiver.number, dispute.number
        session.commit()
    return Made(register, clause, rows)


def _leaks(text: str, path: str, places: tuple[str, ...]) -> list[str]:
    """Give the places whose mark stands in an answer (what the question itself said does not count)."""
    return [place for place in places if _mark(place) in text.replace(path, "")]


def _expected(permission: Permission, role: Role, place: str | None, *, is_account: bool = False) -> set[int]:
    """Give the statuses that are right: 403 without the permission, 404 outside, success inside.

    Decisions are signed by accounts only: a key gets 403 wherever it points.
    """
    if role not in ROLES[permission] or (permission in SIGNED and not is_account):
        return {403}
    if place is not None and place not in INSIDE:
        return {404}
    return {200, 201, 303}


def test_every_route_has_a_permission_and_every_permission_a_route(app: FastAPI) -> None:
    """The table of permissions and the application name exactly the same routes."""
    assert {(method, route.path) for method, route in _routes(app)} == set(ROUTES)


@pytest.mark.parametrize("role", list(Role))
def test_key_of_each_role(
    role: Role, app: FastAPI, client: TestClient, key: Callable[..., dict[str, str]], made: Made
) -> None:
    """A key reaches its own unit and what is below it, as far as its role goes; elsewhere nothing exists for it."""
    headers = key(role)
    wrong = []
    for method, template, path, place, sent in _calls(app, made):
        permission = ROUTES[method, template]
        if permission is Permission.PUBLIC:
            continue
        answer = client.request(method, path, headers=headers, **sent)
        if answer.status_code not in _expected(permission, role, place):
            wrong.append(f"{method} {path} as {role}: {answer.status_code}")
        if leaks := _leaks(answer.text + answer.headers.get("location", ""), path, ("parent", "sibling")):
            wrong.append(f"{method} {path} as {role}: tells of {leaks}")
    assert wrong == []


@pytest.mark.parametrize("role", list(Role))
def test_browser_session_of_each_role(
    role: Role, app: FastAPI, client: TestClient, register: Engine, made: Made
) -> None:
    """An account in a browser has exactly the rights that a key of the same role has, given its form token."""
    with Session(register) as session:
        session.add(Account(id="user-1", login="vp", password_hash="x"))
        session.add(Grant(account_id="user-1", unit_id=f"unit-{_mark('own')}", role=role.value))
        expires = utc_now() + timedelta(hours=1)
        session.add(BrowserSession(token_hash=token_hash("t"), account_id="user-1", form_token="f", expires_at=expires))
        session.commit()
    wrong = []
    for method, template, path, place, sent in _calls(app, made):
        permission = ROUTES[method, template]
        if permission is Permission.PUBLIC or path == "/sign-out":
            continue
        client.cookies.set("phongmay_session", "t")
        if sent.get("data"):
            sent["data"]["form_token"] = "f"
        answer = client.request(method, path, headers={"X-Form-Token": "f"}, **sent)
        right = _expected(permission, role, place, is_account=True)
        if permission is Permission.DECIDE and place == "own" and 403 not in right:
            right = {403}  # for a school signs a unit above it
        if answer.status_code not in right:
            wrong.append(f"{method} {path} as {role}: {answer.status_code}")
        if leaks := _leaks(answer.text + answer.headers.get("location", ""), path, ("parent", "sibling")):
            wrong.append(f"{method} {path} as {role}: tells of {leaks}")
    assert wrong == []


def _dead_headers(kind: str, register: Engine) -> dict[str, str]:
    if kind == "anonymous":
        return {}
    if kind == "unknown":
        return {"Authorization": "Bearer pmk-nobody"}
    if kind == "basic":
        return {"Authorization": "Basic YWRtaW46YWRtaW4="}
    with Session(register) as session:
        valid = timedelta(hours=-1) if kind == "expired" else timedelta(hours=1)
        key_id, text = add_key(session, "dead", f"unit-{_mark('own')}", Role.ADMIN, valid)
        if kind == "revoked":
            revoke_key(session, key_id)
        session.commit()
    return {"Authorization": f"Bearer {text}"}


@pytest.mark.parametrize("kind", ["anonymous", "unknown", "basic", "expired", "revoked"])
def test_nobody(kind: str, app: FastAPI, client: TestClient, register: Engine, made: Made) -> None:
    """Without a valid key or session every route that is not public says 401 (a page: leads to the sign-in)."""
    headers = _dead_headers(kind, register)
    wrong = []
    for method, template, path, _, sent in _calls(app, made):
        answer = client.request(method, path, headers=headers, **sent)
        if ROUTES[method, template] is not Permission.PUBLIC:
            page = not path.startswith("/api/")
            right = (
                answer.status_code == 303 and answer.headers["location"].startswith("/sign-in?")
                if page
                else (answer.status_code == 401 and "Bearer" in answer.headers["www-authenticate"])
            )
            if not right:
                wrong.append(f"{method} {path} as {kind}: {answer.status_code}")
        if leaks := _leaks(answer.text, path, PLACES):
            wrong.append(f"{method} {path} as {kind}: tells of {leaks}")
    assert wrong == []


@pytest.mark.parametrize("place", ["parent", "sibling"])
@pytest.mark.parametrize(
    "query",
    [
        "/api/v1/organisation-units?parent=unit-{}",
        "/api/v1/rooms?unit=unit-{}",
        "/api/v1/devices?unit=unit-{}",
        "/api/v1/devices?room=room-{}",
        "/api/v1/verdicts?unit=unit-{}",
        "/api/v1/compliance?unit=unit-{}",
        "/api/v1/compliance.csv?unit=unit-{}",
        "/api/v1/waivers?unit=unit-{}",
        "/api/v1/attestations?unit=unit-{}",
        "/api/v1/disputes?unit=unit-{}",
        "/api/v1/quality?unit=unit-{}",
        "/api/v1/gaps?unit=unit-{}",
        "/api/v1/subjects/room/room-{}/verdicts",
        "/api/v1/subjects/school/unit-{}/verdicts",
        "/api/v1/subjects/district/unit-{}/verdicts?history=true",
    ],
)
def test_filters_outside(query: str, place: str, client: TestClient, key: Callable[..., dict[str, str]]) -> None:
    """A filter or subject outside the scope answers 404 exactly like one that does not exist."""
    headers = key()
    outside = client.get(query.format(_mark(place)), headers=headers)
    absent = client.get(query.format("nowhere"), headers=headers)
    assert outside.status_code == absent.status_code == 404
    assert outside.json() | {"instance": ""} == absent.json() | {"instance": ""}


def test_panel_of_a_foreign_device_shows_nothing(client: TestClient, key: Callable[..., dict[str, str]]) -> None:
    """The school page shows evidence only of its own subjects, whatever the address asks for."""
    path = f"/schools/unit-{_mark('own')}?subject=device:pc-{_mark('sibling')}"
    answer = client.get(path, headers=key())
    assert answer.status_code == 200
    assert f"ma-{_mark('sibling')}" not in answer.text


def test_form_token_is_needed(client: TestClient, register: Engine) -> None:
    """A browser session cannot change anything without its form token, so another site cannot do it either."""
    with Session(register) as session:
        session.add(Account(id="user-1", login="vp", password_hash="x"))
        session.add(Grant(account_id="user-1", unit_id=f"unit-{_mark('own')}", role="admin"))
        expires = utc_now() + timedelta(hours=1)
        session.add(BrowserSession(token_hash=token_hash("t"), account_id="user-1", form_token="f", expires_at=expires))
        session.commit()
    client.cookies.set("phongmay_session", "t")
    body = {"unit": f"unit-{_mark('own')}"}
    assert client.post("/api/v1/enrolment-tokens", json=body).status_code == 403
    assert client.post("/sign-out", data={"form_token": "guess"}).status_code == 403
    assert client.get("/api/v1/me").status_code == 200
    assert client.post("/sign-out", data={"form_token": "f"}).status_code == 303
    client.cookies.set("phongmay_session", "t")
    assert client.get("/api/v1/me").status_code == 401


def test_roles_differ_by_unit(client: TestClient, register: Engine) -> None:
    """A role on one unit gives no right on another that the same account may only look at: 403, not 404, not 201."""
    with Session(register) as session:
        session.add(Account(id="user-1", login="vp", password_hash="x"))
        session.add(Grant(account_id="user-1", unit_id=f"unit-{_mark('own')}", role="viewer"))
        session.add(Grant(account_id="user-1", unit_id=f"unit-{_mark('child')}", role="technician"))
        expires = utc_now() + timedelta(hours=1)
        session.add(BrowserSession(token_hash=token_hash("t"), account_id="user-1", form_token="f", expires_at=expires))
        session.commit()
    client.cookies.set("phongmay_session", "t")
    client.headers["X-Form-Token"] = "f"

    def ask(place: str) -> tuple[int, int]:
        token = client.post("/api/v1/enrolment-tokens", json={"unit": f"unit-{_mark(place)}"})
        return token.status_code, client.get(f"/api/v1/devices/pc-{_mark(place)}/measurements/latest").status_code

    assert [ask(place) for place in ("child", "own", "sibling")] == [(201, 200), (403, 403), (404, 404)]
    listed = client.get("/api/v1/devices").json()["items"]
    assert {device["id"] for device in listed} == {f"pc-{_mark('own')}", f"pc-{_mark('child')}"}
