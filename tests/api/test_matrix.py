"""Every route as every role for own, child, parent and sibling organisation, generated from the application's routes.

Expectations are computed from the two tables of permissions and from where the key's unit stands, and from nothing
else: a route that is new in the application is called here without anybody adding it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from phongmay_api.access.accounts import add_key, revoke_key
from phongmay_api.access.permissions import ROLES, ROUTES, Permission
from phongmay_store.register.access import Account, BrowserSession, Grant, Role
from phongmay_store.register.base import utc_now
from phongmay_store.register.compliance import Verdict
from phongmay_store.register.enrolment import token_hash

PLACES = ("parent", "own", "child", "sibling")
INSIDE = ("own", "child")
FREE = {"name": "style.css", "rule_id": "TB-01", "measurement": "usage", "kind": "device"}
"""Path parameters that name nothing of an organisation."""


def _mark(place: str) -> str:
    return f"zz-{place}-zz"


def _target(name: str, place: str, verdicts: dict[str, int]) -> str:
    """Give the value of a path parameter that names something of a place."""
    return {
        "unit_id": f"unit-{_mark(place)}",
        "device_id": f"pc-{_mark(place)}",
        "subject_id": f"pc-{_mark(place)}",
        "verdict_id": str(verdicts[place]),
    }[name]


def _body(path: str, place: str) -> dict[str, Any] | None:
    """Give the JSON body of the routes that name an organisation in it."""
    return {"unit": f"unit-{_mark(place)}"} if path == "/api/v1/enrolment-tokens" else None


def _routes(app: FastAPI) -> Iterator[tuple[str, APIRoute]]:
    for route in app.routes:
        assert isinstance(route, APIRoute), f"{route} is no ordinary route: nothing guards it"
        for method in sorted(route.methods):
            yield method, route


def _calls(app: FastAPI, verdicts: dict[str, int]) -> Iterator[tuple[str, str, str, str | None, dict[str, Any] | None]]:
    """Give (method, path template, path, place or None, body) of every call; routes without a target once."""
    for method, route in _routes(app):
        names = list(route.param_convertors)
        bound = [name for name in names if name not in FREE]
        body_is_bound = _body(route.path, "own") is not None
        for place in PLACES if bound or body_is_bound else (None,):
            values = {name: FREE.get(name) or _target(name, place or "own", verdicts) for name in names}
            yield method, route.path, route.path.format(**values), place, _body(route.path, place or "own")


@pytest.fixture
def verdicts(register: Engine) -> dict[str, int]:
    """Id of one device verdict a place."""
    with Session(register) as session:
        found = {}
        for place in PLACES:
            statement = select(Verdict.id).where(Verdict.subject_id == f"pc-{_mark(place)}", Verdict.rule_id == "TB-01")
            found[place] = session.scalars(statement).one()
        return found


def _leaks(text: str, path: str, places: tuple[str, ...]) -> list[str]:
    """Give the places whose mark stands in an answer (what the question itself said does not count)."""
    return [place for place in places if _mark(place) in text.replace(path, "")]


def _expected(permission: Permission, role: Role, place: str | None) -> set[int]:
    """Give the statuses that are right: 403 without the permission, 404 outside, success inside."""
    if role not in ROLES[permission]:
        return {403}
    if place is not None and place not in INSIDE:
        return {404}
    return {200, 201, 303}


def test_every_route_has_a_permission_and_every_permission_a_route(app: FastAPI) -> None:
    """The table of permissions and the application name exactly the same routes."""
    assert {(method, route.path) for method, route in _routes(app)} == set(ROUTES)


@pytest.mark.parametrize("role", list(Role))
def test_key_of_each_role(
    role: Role, app: FastAPI, client: TestClient, key: Callable[..., dict[str, str]], verdicts: dict[str, int]
) -> None:
    """A key reaches its own unit and what is below it, as far as its role goes; elsewhere nothing exists for it."""
    headers = key(role)
    wrong = []
    for method, template, path, place, body in _calls(app, verdicts):
        permission = ROUTES[method, template]
        if permission is Permission.PUBLIC:
            continue
        answer = client.request(method, path, headers=headers, json=body)
        if answer.status_code not in _expected(permission, role, place):
            wrong.append(f"{method} {path} as {role}: {answer.status_code}")
        if leaks := _leaks(answer.text + answer.headers.get("location", ""), path, ("parent", "sibling")):
            wrong.append(f"{method} {path} as {role}: tells of {leaks}")
    assert wrong == []


@pytest.mark.parametrize("role", list(Role))
def test_browser_session_of_each_role(
    role: Role, app: FastAPI, client: TestClient, register: Engine, verdicts: dict[str, int]
) -> None:
    """An account in a browser has exactly the rights that a key of the same role has, given its form token."""
    with Session(register) as session:
        session.add(Account(id="user-1", login="vp", password_hash="x"))
        session.add(Grant(account_id="user-1", unit_id=f"unit-{_mark('own')}", role=role.value))
        expires = utc_now() + timedelta(hours=1)
        session.add(BrowserSession(token_hash=token_hash("t"), account_id="user-1", form_token="f", expires_at=expires))
        session.commit()
    wrong = []
    for method, template, path, place, body in _calls(app, verdicts):
        permission = ROUTES[method, template]
        if permission is Permission.PUBLIC or path == "/sign-out":
            continue
        client.cookies.set("phongmay_session", "t")
        answer = client.request(method, path, json=body, headers={"X-Form-Token": "f"})
        if answer.status_code not in _expected(permission, role, place):
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
def test_nobody(kind: str, app: FastAPI, client: TestClient, register: Engine, verdicts: dict[str, int]) -> None:
    """Without a valid key or session every route that is not public says 401 (a page: leads to the sign-in)."""
    headers = _dead_headers(kind, register)
    wrong = []
    for method, template, path, _, body in _calls(app, verdicts):
        answer = client.request(method, path, headers=headers, json=body)
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
