"""Opens a register by URL and brings its tables to the present revision; anything wrong becomes a StoreError."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.orm import Session

from phongmay_store.errors import StoreError, UnstorableTextError
from phongmay_store.register.failures import place, sentence, without_password

_MIGRATIONS = Path(__file__).parent / "migrations"
_encode = msgspec.json.Encoder().encode
_LOCK_S = 15
"""How long a writer waits for another one."""
_PAGE_CACHE_KIB = 16 * 1024
"""Of one connection: what a block of schools changes fits, so that no page goes out and comes in again before the
commit."""
_LOG_PAGES = 8000
"""In SQLite's log (4 KiB each) before they are copied into the file: a page that many commits change is copied once.
What is committed is on the disk either way."""
TEXTS_ARE_CHECKED = "phongmay_texts_are_checked"
"""Option of a statement whose texts went through `refuse_nul` already."""


def open_register(url: str) -> Engine:
    """Open the register without touching its tables.

    Args:
        url: SQLAlchemy URL, e.g. "sqlite:////var/lib/phongmay/register.db" or "postgresql+psycopg://...".

    Raises:
        StoreError: the URL is malformed, or its directory does not exist.
    """
    try:
        parsed = _known(make_url(url))
        if parsed.get_backend_name() == "sqlite" and parsed.database:
            folder = Path(parsed.database).parent
            if not folder.is_dir():
                raise StoreError(f"register: directory {folder} does not exist; create it or change store.register_url")
        engine = create_engine(
            parsed,
            pool_pre_ping=True,
            json_serializer=json_text,
            json_deserializer=msgspec.json.decode,
            connect_args=_postgresql_arguments(parsed) if parsed.get_backend_name() == "postgresql" else {},
        )
    except ModuleNotFoundError as error:
        raise StoreError(
            f"store.register_url {without_password(url)!r} needs the package {error.name!r}, which is not installed: "
            "pip install 'phongmay[server,postgresql]'"
        ) from error
    except (ArgumentError, ImportError) as error:
        raise StoreError(f"store.register_url {without_password(url)!r} cannot be used: {error}") from error
    settle = _sqlite_settings if engine.dialect.name == "sqlite" else _require_utf8
    if engine.dialect.name == "postgresql":
        event.listen(engine, "do_connect", _connect)
    event.listen(engine, "connect", settle, insert=True)  # before SQLAlchemy asks anything
    event.listen(engine, "before_cursor_execute", _refuse_nul)
    return engine


def _known(url: URL) -> URL:
    """Take the databases that the register is tested on, and the one driver."""
    if url.drivername == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if url.drivername not in ("sqlite", "sqlite+pysqlite", "postgresql+psycopg"):
        raise ArgumentError(f"{url.drivername} is neither sqlite nor postgresql+psycopg")
    return url


def _postgresql_arguments(url: URL) -> dict[str, Any]:
    """Give what a connection needs so that a server that went away is noticed in seconds; the URL may say otherwise.

    A server that stands still (SIGSTOP, a frozen machine) acknowledges what comes all the same: see `answering`.
    """
    wanted: dict[str, Any] = {
        "application_name": "phongmay",
        "connect_timeout": 5,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 15_000,
        "options": f"-c lock_timeout={_LOCK_S}s",
    }
    return {name: value for name, value in wanted.items() if name not in url.query}


def _connect(_dialect: object, _record: object, _arguments: object, wanted: dict[str, Any]) -> Any:
    from phongmay_store.register.answering import connect  # psycopg is an extra

    return connect(wanted)


def _require_utf8(connection: Any, _record: object) -> None:
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise StoreError(
            f"register: database {connection.info.dbname!r} has the encoding {encoding}, which cannot keep Vietnamese; "
            "create it anew with ENCODING 'UTF8' (docs/postgresql.md)"
        )


def _refuse_nul(
    _connection: object, _cursor: object, _statement: str, parameters: Any, context: Any, _executemany: bool
) -> None:
    """Refuse U+0000 before any database does: PostgreSQL cannot keep it, and both engines shall take the same texts."""
    if context is not None and context.execution_options.get(TEXTS_ARE_CHECKED):
        return
    rows: list[Any] = parameters if isinstance(parameters, list) else [parameters or ()]
    if rows and isinstance(rows[0], dict):
        rows = [row.values() for row in rows]
    # All texts of a row, or of a column, are looked at in one go: one by one they would cost more than the statement.
    for some in rows if len(rows) == 1 else zip(*rows, strict=True):
        refuse_nul(some)


def refuse_nul(values: Iterable[Any]) -> None:
    """Refuse U+0000 in the texts among some values.

    Raises:
        UnstorableTextError: shows the first that holds it.
    """
    if "\0" in _text(values):
        value = next(value for value in values if isinstance(value, str) and "\0" in value)
        shown = value.replace("\0", "\N{SYMBOL FOR NULL}")[:60]
        raise UnstorableTextError(
            f"the text '{shown}' holds the character NUL (U+0000), which the register cannot keep; take it out"
        )


def _text(values: Iterable[Any]) -> str:
    """Join all texts among some values."""
    try:
        return "".join(values)
    except TypeError:  # numbers, or some are NULL
        return "".join([value for value in values if isinstance(value, str)])


def json_text(value: object) -> str:
    """Give JSON as the register keeps it."""
    return str(value, "utf-8") if type(value) is msgspec.Raw else _encode(value).decode()


def _sqlite_settings(connection: Any, _record: object) -> None:
    """WAL so that readers in other processes never block the writer; wait rather than fail on a short lock."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute(f"PRAGMA busy_timeout={_LOCK_S * 1000}")
    cursor.execute(f"PRAGMA cache_size=-{_PAGE_CACHE_KIB}")
    cursor.execute(f"PRAGMA wal_autocheckpoint={_LOG_PAGES}")
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
    _make_file(engine.url)
    try:
        command.upgrade(_alembic(engine), revision)
    except SQLAlchemyError as error:
        raise StoreError(f"register {place(engine.url)} cannot be opened for writing: {sentence(error)}") from error
    except Exception as error:
        if type(error).__module__.startswith("alembic"):
            raise StoreError(
                f"register: its revision is unknown to this program ({error}); upgrade the program"
            ) from error
        raise


def _file(url: URL) -> Path | None:
    """Give the file of an SQLite register; None: it lies in memory, or in PostgreSQL."""
    known = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
    return Path(str(url.database)) if known and not str(url.database).startswith("file:") else None


def _make_file(url: URL) -> None:
    """Make an SQLite register's file before SQLite does: hashes and sealed keys in it are its owner's only."""
    file = _file(url)
    if file is None or file.exists():
        return
    with suppress(OSError):  # what is wrong with it, SQLite says a moment later
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def require_current(engine: Engine) -> None:
    """Make sure that the tables have the newest revision.

    Raises:
        StoreError: they do not; the message says which command brings them there.
    """
    file = _file(engine.url)
    if file is not None and not file.exists():  # connecting would make an empty one, of whoever only asked
        raise StoreError(f"register {file} is not there yet: run 'phongmay register migrate'")
    try:
        with engine.connect() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
    except SQLAlchemyError as error:
        raise StoreError(f"register {place(engine.url)} cannot be read: {sentence(error)}") from error
    newest = ScriptDirectory.from_config(_alembic(engine)).get_current_head()
    if current != newest:
        raise StoreError(
            f"register has revision {current or 'none'}, this program needs {newest}: run 'phongmay register migrate'"
        )


@contextmanager
def reading_one_state(engine: Engine) -> Iterator[Session]:
    """Give a session whose reads all see one state of the register, whatever others write meanwhile."""
    with Session(engine) as session:
        hold_one_state(session)
        if engine.dialect.name == "sqlite":  # its driver would begin a transaction at the first write only
            session.connection().exec_driver_sql("BEGIN")
        yield session


def hold_one_state(session: Session) -> Session:
    """Let the transaction that begins now see one state of the register to its end.

    On PostgreSQL a write to a row that another program changed since is refused then, instead of being made upon what
    is not so any more. SQLite has one writer at a time; this changes nothing there.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    return session
