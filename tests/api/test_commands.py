"""`phongmay api` and `phongmay access` from the command line: what they make, and how they refuse."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from phongmay.main import main
from phongmay_api.access.passwords import password_matches
from phongmay_store.register.access import Account, ApiKey

pytestmark = pytest.mark.one_register

UNIT = "unit-zz-own-zz"


@pytest.fixture
def config(tmp_path: Path, register: Engine, series_path: Path) -> Path:
    """A settings file for this test's register and series."""
    path = tmp_path / "phongmay.toml"
    url = register.url.render_as_string(hide_password=False)
    path.write_text(
        f'[store]\nregister_url = "{url}"\nseries_path = "{series_path}"\n',
        "utf-8",
    )
    return path


def _run(config: Path, *words: str) -> int:
    return main(["--config", str(config), *words])


def test_key_from_the_command_line(
    config: Path, client: TestClient, register: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    """`key add` prints a key that opens the API, `list` shows it without its text, `key revoke` ends it."""
    assert _run(config, "access", "key", "add", "báo cáo", "--unit", "moet:zz-own-zz", "--role", "viewer") == 0
    text = capsys.readouterr().out.strip()
    headers = {"Authorization": f"Bearer {text}"}
    assert client.get("/api/v1/me", headers=headers).json() == {"name": "báo cáo", "roles": {UNIT: "viewer"}}
    assert _run(config, "access", "list") == 0
    listed = capsys.readouterr().out
    assert "báo cáo" in listed
    assert text not in listed
    with Session(register) as session:
        key_id = session.scalars(select(ApiKey.id)).one()
    assert _run(config, "access", "key", "revoke", key_id) == 0
    assert client.get("/api/v1/me", headers=headers).status_code == 401


def test_account_from_the_command_line(config: Path, register: Engine, tmp_path: Path) -> None:
    """`user add` takes the password from a file; `user disable` ends the account."""
    file = tmp_path / "password"
    file.write_text("một mật khẩu dài\n", "utf-8")
    words = ("access", "user", "add", "truong1", "--unit", UNIT, "--role", "technician", "--password-file", str(file))
    assert _run(config, *words) == 0
    with Session(register) as session:
        account = session.scalars(select(Account)).one()
        assert password_matches("một mật khẩu dài", account.password_hash)
    assert _run(config, "access", "user", "disable", "truong1") == 0
    with Session(register) as session:
        assert session.scalars(select(Account)).one().disabled_at is not None


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("access", "key", "add", "x", "--unit", "unit-none", "--role", "viewer"), "no organisation unit"),
        (("access", "key", "add", "x", "--unit", "moet:none", "--role", "viewer"), "--unit moet:none"),
        (("access", "key", "revoke", "key-none"), "no API key"),
        (("access", "user", "disable", "nobody"), "no login"),
        (
            ("access", "user", "add", "a1", "--unit", UNIT, "--role", "viewer", "--password-file", "/nowhere"),
            "/nowhere",
        ),
    ],
)
def test_refusals(config: Path, words: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be done is one sentence that names it, exit code 2, and no traceback."""
    assert _run(config, *words) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


def test_port_in_use(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A port that another program has is named with its key; exit code 2."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config.write_text(config.read_text("utf-8") + f"[api]\nport = {port}\n", "utf-8")
        assert _run(config, "api", "run") == 2
    assert f"api.port {port}" in capsys.readouterr().err


def test_no_password_on_the_command_line() -> None:
    """There is no option that takes a password itself: every user of the machine could read it."""
    with pytest.raises(SystemExit):
        main(["access", "user", "add", "a1", "--unit", UNIT, "--role", "viewer", "--password", "x"])
