"""Opens a register by URL and brings its tables to the present revision; anything wrong becomes a StoreError."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.orm import Session

from phongmay_store.errors import StoreError

_MIGRATIONS = Path(__file__).parent / "migrations"


def open_register(url: str) -> Engine:
    """Open the register without touching its tables.

    Args:
        url: SQLAlchemy URL, e.g. "sqlite:////var/lib/phongmay/register.db" or "postgresql+psycopg://...".

    Raises:
        StoreError: the URL is malformed, or its directory does not exist.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite" and parsed.database:
            folder = Path(parsed.database).parent
            if not folder.is_dir():
                raise StoreError(f"register: directory {folder} does not exist; create it or change register.url")
        engine = create_engine(
            parsed, pool_pre_ping=True, json_serializer=_json_text, json_deserializer=msgspec.json.decode
        )
    except (ArgumentError, ImportError) as error:
        raise StoreError(f"register.url {url!r} cannot be used: {error}") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _sqlite_settings)
    return engine


def _json_text(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _sqlite_settings(connection: Any, _record: object) -> None:
    """WAL so that readers in other processes never block the writer; wait rather than fail on a short lock."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA busy_timeout=15000")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _alembic(engine: Engine) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["engine"] = engine
    return config


def migrate(engine: Engine, revision: str = "head") -> None:
    """Bring the tables to a revision (default: the newest).

    Raises:
        StoreError: the database cannot be reached or written, or is newer than this program.
    """
    try:
        command.upgrade(_alembic(engine), revision)
    except SQLAlchemyError as error:
        where = engine.url.render_as_string(hide_password=True)
        raise StoreError(f"register {where} cannot be opened for writing: {_first_line(error)}") from error
    except Exception as error:
        if type(error).__module__.startswith("alembic"):
            raise StoreError(
                f"register: its revision is unknown to this program ({error}); upgrade the program"
            ) from error
        raise


def require_current(engine: Engine) -> None:
    """Make sure that the tables have the newest revision.

    Raises:
        StoreError: they do not; the message says which command brings them there.
    """
    try:
        with engine.connect() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
    except SQLAlchemyError as error:
        where = engine.url.render_as_string(hide_password=True)
        raise StoreError(f"register {where} cannot be read: {_first_line(error)}") from error
    newest = ScriptDirectory.from_config(_alembic(engine)).get_current_head()
    if current != newest:
        raise StoreError(
            f"register has revision {current or 'none'}, this program needs {newest}: run 'phongmay register migrate'"
        )


@contextmanager
def reading_one_state(engine: Engine) -> Iterator[Session]:
    """Give a session whose reads all see one state of the register, whatever others write meanwhile."""
    is_sqlite = engine.dialect.name == "sqlite"
    with Session(engine if is_sqlite else engine.execution_options(isolation_level="REPEATABLE READ")) as session:
        if is_sqlite:  # its driver would begin a transaction at the first write only
            session.connection().exec_driver_sql("BEGIN")
        yield session


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
