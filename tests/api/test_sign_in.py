"""Signing in with a browser: cookies, form tokens, throttle, and the headers on every answer."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from phongmay_api.access import passwords
from phongmay_api.access.accounts import AccessError, add_account, disable_account
from phongmay_api.throttle import Throttle
from phongmay_store.register.access import Account, BrowserSession, Role
from phongmay_store.register.base import utc_now

LOGIN, PASSWORD = "truong1", "mật khẩu dài 1"


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash at a low cost: what is tested here is not how long scrypt takes."""
    monkeypatch.setattr(passwords, "_COST", 2**4)
    monkeypatch.setattr(passwords, "_NOBODY", passwords.hash_password("nobody"))


@pytest.fixture
def account(register: Engine) -> None:
    """An account on the unit `own`."""
    with Session(register) as session:
        add_account(session, LOGIN, PASSWORD, "unit-zz-own-zz", Role.TECHNICIAN)
        session.commit()


def _form_token(client: TestClient, path: str = "/sign-in") -> str:
    found = re.search(r'name="form_token" value="([^"]+)"', client.get(path).text)
    assert found
    return found[1]


def _sign_in(client: TestClient, login: str = LOGIN, password: str = PASSWORD, following: str = "/") -> int:
    data = {"login": login, "password": password, "form_token": _form_token(client), "next": following}
    return client.post("/sign-in", data=data).status_code


@pytest.mark.usefixtures("account")
def test_sign_in_and_out(client: TestClient, register: Engine) -> None:
    """After signing in the pages open, after signing out they do not, and the register keeps only a hash."""
    assert client.get("/").headers["location"] == "/sign-in?next=%2F"
    data = {"login": LOGIN, "password": PASSWORD, "form_token": _form_token(client), "next": "/"}
    answer = client.post("/sign-in", data=data)
    cookie = next(value for value in answer.headers.get_list("set-cookie") if value.startswith("phongmay_session="))
    assert answer.headers["location"] == "/"
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    token = client.cookies["phongmay_session"]
    with Session(register) as session:
        assert token not in session.scalars(select(BrowserSession.token_hash)).one()
    assert client.get("/").headers["location"] == "/schools/unit-zz-own-zz"
    page = client.get("/schools/unit-zz-own-zz")
    assert page.status_code == 200
    form_token = re.search(r'name="form_token" value="([^"]+)"', page.text)
    assert form_token
    assert client.post("/sign-out", data={"form_token": form_token[1]}).status_code == 303
    client.cookies.set("phongmay_session", token)
    assert client.get("/schools/unit-zz-own-zz").status_code == 303


@pytest.mark.usefixtures("account")
def test_wrong_login_and_wrong_password_look_alike(client: TestClient) -> None:
    """Nobody learns which logins exist."""

    def answer(login: str) -> tuple[int, str]:
        data = {"login": login, "password": "not this one", "form_token": _form_token(client)}
        found = client.post("/sign-in", data=data)
        return found.status_code, re.sub(r'value="[^"]*"', "", found.text)

    assert answer(LOGIN) == answer("nobody")
    assert answer(LOGIN)[0] == 401


@pytest.mark.usefixtures("account")
def test_disabled_account(client: TestClient, register: Engine) -> None:
    """An account that was ended signs in no more, and its open sessions end at once."""
    assert _sign_in(client) == 303
    with Session(register) as session:
        disable_account(session, LOGIN)
        session.commit()
    assert client.get("/schools/unit-zz-own-zz").status_code == 303
    assert _sign_in(client) == 401


@pytest.mark.usefixtures("account")
def test_sign_in_needs_its_own_form(client: TestClient) -> None:
    """A sign-in that another site posts (no or another form token) is refused, even with the right password."""
    data = {"login": LOGIN, "password": PASSWORD}
    assert client.post("/sign-in", data=data).status_code == 403
    _form_token(client)
    assert client.post("/sign-in", data=data | {"form_token": "guess"}).status_code == 403


@pytest.mark.usefixtures("account")
def test_guessing_is_throttled(client: TestClient) -> None:
    """The sixth attempt on a login from an address waits, even with the right password; others are not hindered."""
    assert [_sign_in(client, password="wrong wrong") for _ in range(5)] == [401] * 5
    assert _sign_in(client) == 429
    assert _sign_in(client, login="another") == 401


@pytest.mark.parametrize("elsewhere", ["https://x.example/", "//x.example/", "/\\x.example", "javascript:alert(1)"])
@pytest.mark.usefixtures("account")
def test_the_way_back_stays_here(client: TestClient, elsewhere: str) -> None:
    """`next` never leads to another site."""
    data = {"login": LOGIN, "password": PASSWORD, "form_token": _form_token(client), "next": elsewhere}
    assert client.post("/sign-in", data=data).headers["location"] == "/"


@pytest.mark.parametrize("path", ["/sign-in", "/static/style.css", "/api/v1/devices", "/nowhere", "/health", "/"])
def test_security_headers(client: TestClient, path: str) -> None:
    """Every answer, also an error, forbids frames, sniffing and anything that is not this server's own."""
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


def test_password_hashes() -> None:
    """A hash accepts its password only, is salted, and is never accepted when there is no account."""
    first, second = passwords.hash_password("mật khẩu"), passwords.hash_password("mật khẩu")
    assert first != second
    assert passwords.password_matches("mật khẩu", first)
    assert not passwords.password_matches("mat khau", first)
    assert not passwords.password_matches("nobody", None)


def test_real_cost_of_a_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of tests a hash costs 32 MiB three times over, and the cost is read from the hash."""
    monkeypatch.undo()
    stored = passwords.hash_password("mật khẩu")
    assert stored.startswith("scrypt$32768$8$3$")
    assert passwords.password_matches("mật khẩu", stored)


@pytest.mark.parametrize(
    ("login", "password", "unit", "says"),
    [
        ("Nguyễn Văn A", PASSWORD, "unit-zz-own-zz", "no names"),
        ("ok", "short", "unit-zz-own-zz", "at least 10"),
        ("ok", PASSWORD, "unit-none", "no organisation unit"),
    ],
)
def test_accounts_that_cannot_be(register: Engine, login: str, password: str, unit: str, says: str) -> None:
    """A refusal says what to change, and nothing is made."""
    with Session(register) as session:
        with pytest.raises(AccessError, match=says):
            add_account(session, login, password, unit, Role.VIEWER)
        assert session.scalars(select(Account)).all() == []


def test_throttle_window() -> None:
    """A throttle lets `limit` attempts through in a window, then says how long to wait, key by key."""
    now = 0.0
    throttle = Throttle(2, 10, lambda: now)
    assert [throttle.attempt("a"), throttle.attempt("a"), throttle.attempt("b")] == [0, 0, 0]
    now = 4.0
    assert throttle.attempt("a") == 6
    now = 10.0
    assert throttle.attempt("a") == 0
    throttle.forgive("a")
    assert [throttle.attempt("a"), throttle.attempt("a")] == [0, 0]


def test_expired_session(app: FastAPI, client: TestClient, register: Engine, account: None) -> None:
    """A session past its end is nobody's."""
    assert _sign_in(client) == 303
    with Session(register) as session:
        session.query(BrowserSession).update({"expires_at": utc_now() - timedelta(seconds=1)})
        session.commit()
    assert client.get("/api/v1/me").status_code == 401
