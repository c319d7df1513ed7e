"""What API and pages say while PostgreSQL is away, and that they need no restart afterwards."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from benchmarks._postgres import PASSWORD, Cluster
from phongmay_api.access.accounts import add_key
from phongmay_api.app import create_app
from phongmay_api.settings import ApiSettings
from phongmay_rules.model import Pack
from phongmay_store.attachments import MIB, AttachmentFolder
from phongmay_store.register.access import Role
from phongmay_store.register.base import utc_now
from phongmay_store.register.engine import migrate, open_register
from phongmay_store.register.organisation import Unit
from phongmay_store.series import readers
from phongmay_store.settings import StoreSettings


def test_a_register_that_goes_away_and_comes_back(
    postgres: Cluster, pack: Pack, series_path: Path, tmp_path: Path, caplog: Any
) -> None:
    """503 with Retry-After while it is away, never an error of the server nor a word of its password; then the data."""
    name = postgres.create()
    engine = open_register(postgres.url(name))
    migrate(engine)
    with Session(engine) as session:
        session.add(Unit(id="u", valid_from=utc_now() - timedelta(days=1), kind="district", name="Quận", level=""))
        _, key = add_key(session, "test", "u", Role.ADMIN, valid=timedelta(hours=1))
        session.commit()
    settings, folder = ApiSettings(), AttachmentFolder(tmp_path, MIB)
    app = create_app(settings, engine, readers(StoreSettings(series_path=series_path)), pack, folder)
    client = TestClient(app, headers={"Authorization": f"Bearer {key}"}, raise_server_exceptions=False)
    assert client.get("/api/v1/organisation-units").status_code == 200
    with postgres.connect() as connection:
        connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
    try:
        for path in ("/api/v1/organisation-units", "/api/v1/devices", "/"):
            answer = client.get(path)
            assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "10"), path
            assert PASSWORD not in answer.text
        assert client.get("/ready").status_code == 503
        assert "store_unavailable" in client.get("/api/v1/devices").text
        assert PASSWORD not in caplog.text
    finally:
        with postgres.connect() as connection:
            connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode())
    assert client.get("/api/v1/organisation-units").status_code == 200
    engine.dispose()
    postgres.drop(name)
