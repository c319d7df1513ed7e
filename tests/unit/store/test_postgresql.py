"""What a register in PostgreSQL does when something is wrong: one sentence, exit code 2, and nothing half-written."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from benchmarks._postgres import PASSWORD, USER, Cluster, programs
from phongmay.main import main
from phongmay_store.errors import StoreError, UnstorableTextError
from phongmay_store.register import answering
from phongmay_store.register.base import utc_now
from phongmay_store.register.engine import hold_one_state, open_register, reading_one_state, require_current
from phongmay_store.register.failures import sentence, without_password
from phongmay_store.register.organisation import ExternalId, Unit
from phongmay_store.register.place import Room


@pytest.fixture
def database(postgres: Cluster) -> Iterator[str]:
    """An empty database."""
    name = postgres.create()
    yield name
    postgres.drop(name)


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Run `phongmay` with a register's URL; gives exit code and what it said on stderr."""

    def call(url: str, *words: str) -> tuple[int, str]:
        config = tmp_path / "phongmay.toml"
        config.write_text(
            f'[store]\nregister_url = "{url}"\nseries_path = "{tmp_path}/series.db"\n'
            f'[broker]\ndirectory = "{tmp_path}/broker"\n',
            "utf-8",
        )
        capsys.readouterr()
        code = main(["--config", str(config), *words])
        return code, capsys.readouterr().err

    return call


NUL = "\0"
VERBS = (
    ("register", "migrate"),
    ("register", "import", "nowhere.csv"),
    ("rules", "run", "--once"),
    ("collector", "check-config"),
    ("collector", "run"),
    ("api", "run"),
    ("verdicts", "verify"),
    ("calendar", "list", "--unit", "u"),
)


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_no_server_is_one_sentence(run: Callable[..., tuple[int, str]], free_port: int, verb: tuple[str, ...]) -> None:
    """Every kind of command tells that nobody listens, without a traceback and without the password."""
    url = f"postgresql+psycopg://phongmay:{PASSWORD}@127.0.0.1:{free_port}/phongmay"
    code, said = run(url, *verb)
    assert (code, said.count("\n")) == (2, 1), said
    assert "PostgreSQL does not listen there; start it or correct store.register_url" in said
    assert PASSWORD not in said


def test_wrong_password_database_role_and_host(
    run: Callable[..., tuple[int, str]], postgres: Cluster, database: str
) -> None:
    """What is wrong with the URL is told as what must be corrected."""
    right = make_url(postgres.url(database))
    for url, told in (
        (right.set(password="wrong-password"), "user or password is wrong"),
        (right.set(username="nobody-known"), "user or password is wrong"),
        (right.set(database="no_such_database"), "there is no such database; create it (docs/postgresql.md)"),
        (right.set(host="no-such-host.invalid"), "there is no such host"),
        (make_url(postgres.url(database).replace(":" + PASSWORD, "")), "the server wants a password"),
    ):
        code, said = run(url.render_as_string(hide_password=False), "register", "migrate")
        assert (code, said.count("\n")) == (2, 1), said
        assert told in said
        assert "wrong-password" not in said
        assert PASSWORD not in said


def test_a_role_without_rights_is_told(run: Callable[..., tuple[int, str]], postgres: Cluster, database: str) -> None:
    """A role that may connect but owns nothing learns that it must own the database."""
    with postgres.connect(database) as connection:
        connection.execute("CREATE ROLE stranger LOGIN PASSWORD 's'")
    try:
        url = make_url(postgres.url(database)).set(username="stranger", password="s")
        code, said = run(url.render_as_string(hide_password=False), "register", "migrate")
        assert (code, said.count("\n")) == (2, 1), said
        assert "make it the owner of the database" in said
    finally:
        with postgres.connect(database) as connection:
            connection.execute("DROP ROLE stranger")


def test_a_database_that_cannot_keep_vietnamese_is_refused(postgres: Cluster) -> None:
    """An encoding other than UTF-8 is found at the first connection, not at the first school's name."""
    with postgres.connect() as connection:
        connection.execute(
            "CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LOCALE 'C'"
        )
    try:
        with pytest.raises(StoreError, match=r"encoding SQL_ASCII.*ENCODING 'UTF8'"):
            require_current(open_register(postgres.url("ascii")))
    finally:
        postgres.drop("ascii")


def test_a_missing_driver_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package the sentence says which one to install, and does not repeat the password."""
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(StoreError, match=r"pip install 'phongmay\[server,postgresql\]'") as refused:
        open_register("postgresql+psycopg://someone:secret@db/phongmay")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["mysql://a:geheim@b/c", "postgresql+psycopg2://a:geheim@b/c", "nonsense:geheim@b"])
def test_other_databases_and_drivers_are_refused(url: str) -> None:
    """Only what is tested is taken; no message shows a password."""
    with pytest.raises(StoreError, match="cannot be used") as refused:
        open_register(url)
    assert "geheim" not in str(refused.value).replace("nonsense:geheim", "")
    assert without_password("postgresql://u:p@ss:word@h/d") == "postgresql://u:***@h/d"


def test_a_unix_socket_serves(postgres: Cluster, database: str) -> None:
    """The URL of docs/postgresql.md for a server on the same machine works, with the short name of the driver too."""
    url = f"postgresql://phongmay:{PASSWORD}@/{database}?host={postgres.socket_folder}&port={postgres.port}"
    engine = open_register(url)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT inet_server_addr() IS NULL"))
    engine.dispose()


def test_a_dump_comes_back_whole(postgres: Cluster, postgres_registers: Any, database: str, tmp_path: Path) -> None:
    """What docs/postgresql.md says about pg_dump and pg_restore gives every row back, and numbers go on behind them."""
    name = postgres_registers.take()
    engine = open_register(postgres.url(name))
    room = {"school_id": "s", "name": "Phòng máy 1", "kind": "computer_room", "class_size": 45}
    with Session(engine) as session:
        session.add(Room(id="r", valid_from=utc_now(), **room))
        session.commit()
        before = [row.properties() | {"row_id": row.row_id} for row in session.scalars(select(Room))]
    engine.dispose()
    dump, place = tmp_path / "phongmay.dump", f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{postgres.port}"
    tools = programs()
    for command in (
        [tools / "pg_dump", "--format=custom", f"--file={dump}", f"{place}/{name}"],
        [tools / "pg_restore", "--no-owner", f"--role={USER}", f"--dbname={place}/{database}", "--exit-on-error", dump],
    ):
        subprocess.run(list(map(str, command)), check=True, capture_output=True)
    postgres_registers.give_back(name)
    restored = open_register(postgres.url(database))
    require_current(restored)
    with Session(restored) as session:
        assert [row.properties() | {"row_id": row.row_id} for row in session.scalars(select(Room))] == before
        session.add(Room(id="q", valid_from=utc_now(), **room))
        session.commit()
    restored.dispose()


def test_text_with_nul_is_refused_alike(register: Session) -> None:
    """U+0000 is refused with the same sentence on both engines, in a row as in a question; nothing is stored."""
    register.add(ExternalId(unit_id="u", issuer="moet", value="79" + NUL + "01"))
    with pytest.raises(UnstorableTextError, match=r"'79.01' holds the character NUL"):
        register.flush()
    register.rollback()
    with pytest.raises(UnstorableTextError):
        register.scalars(select(ExternalId).where(ExternalId.issuer == NUL)).all()
    register.rollback()
    assert register.scalars(select(ExternalId)).all() == []


def test_two_who_revise_the_same_room_leave_no_instant_with_two_versions(register_engine: Engine) -> None:
    """Many programs that revise one thing at once: some may be refused, but the history stays whole."""
    with Session(register_engine) as session:
        session.add(Room(id="r", valid_from=utc_now(), school_id="s", name="A", kind="computer_room", class_size=0))
        session.commit()
    begin = threading.Barrier(4)

    def work(number: int) -> None:
        begin.wait()
        for step in range(6):
            try:
                with Session(register_engine) as session:
                    row = session.scalars(Room.at().where(Room.id == "r")).one()
                    row.revise(session, {"class_size": 100 * number + step + 1})
                    session.commit()
            except SQLAlchemyError as error:
                refused.append(sentence(error))

    refused: list[str] = []
    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Session(register_engine) as session:
        known = session.scalars(select(Room).where(Room.known()).order_by(Room.valid_from)).all()
    assert sum(row.valid_to is None for row in known) == 1
    for earlier, later in pairwise(known):
        assert earlier.valid_to is not None
        assert earlier.valid_to <= later.valid_from
    assert len(refused) < 24


def test_who_holds_one_state_is_refused_when_it_has_changed(postgres: Cluster, postgres_registers: Any) -> None:
    """Two who count up from the same number: the second one is told to try again, instead of writing over the first."""
    name = postgres_registers.take()
    engine = open_register(postgres.url(name))
    with Session(engine) as session:
        session.add(Unit(id="u", valid_from=utc_now(), kind="school", name="A"))
        session.commit()
    with Session(engine) as first, Session(engine) as second:
        row = hold_one_state(first).scalars(select(Unit)).one()
        other = second.scalars(select(Unit)).one()
        other.name = "B"
        second.commit()
        row.name = "C"
        with pytest.raises(DBAPIError) as refused:
            first.commit()
    assert sentence(refused.value).startswith("another program changed the same rows at the same time")
    with reading_one_state(engine) as session:
        before = session.scalars(select(Unit.name)).all()
        with Session(engine) as other_session:
            other_session.add(Unit(id="v", valid_from=utc_now(), kind="school", name="D"))
            other_session.commit()
        assert session.scalars(select(Unit.name)).all() == before == ["B"]
    engine.dispose()
    postgres_registers.give_back(name)


def test_a_connection_that_was_cut_is_told_and_replaced(postgres: Cluster, database: str) -> None:
    """In the middle of a transaction the loss is told in a sentence; the next question gets a new connection."""
    engine = open_register(postgres.url(database))
    with engine.connect() as connection:
        number = connection.scalar(text("SELECT pg_backend_pid()"))
        with postgres.connect() as killer:
            killer.execute("SELECT pg_terminate_backend(%s)", (number,))
        with pytest.raises(DBAPIError) as lost:
            connection.execute(text("SELECT 1"))
    assert sentence(lost.value).startswith(("the database server is stopping", "the connection to the database was"))
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
    engine.dispose()


IMPATIENT = "?tcp_user_timeout=1000&connect_timeout=2"


def test_a_server_that_stands_still_is_given_up(postgres: Cluster, database: str) -> None:
    """A stopped server acknowledges every packet and answers none: who asks is told within seconds instead of waiting
    for ever, and goes on by a new connection as soon as the server does."""
    engine = open_register(postgres.url(database) + IMPATIENT)
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    postgres.tell(signal.SIGSTOP)
    try:
        start = time.monotonic()
        with pytest.raises(DBAPIError) as told, engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        took_s = time.monotonic() - start
    finally:
        postgres.tell(signal.SIGCONT)
    assert took_s < 15
    time.sleep(answering.REST_S)
    assert "does not answer in time" in sentence(told.value), "the ping before it found out"
    with engine.begin() as connection:  # in the middle of work there is no ping
        connection.execute(text("CREATE TABLE half (done int)"))
        postgres.tell(signal.SIGSTOP)
        try:
            with pytest.raises(DBAPIError, match="PostgreSQL has said nothing for 1 s") as lost:
                connection.execute(text("SELECT 1"))
        finally:
            postgres.tell(signal.SIGCONT)
        assert "connection to the database was lost" in sentence(lost.value)
        assert lost.value.connection_invalidated
        connection.rollback()
    time.sleep(answering.REST_S)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT to_regclass('half')")) is None
    engine.dispose()


def test_a_silent_server_is_asked_soon_and_not_twice(
    postgres: Cluster, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for a statement learns of a frozen server long before the network gives up (`tcp_user_timeout`,
    15 s), and the pool, which would make a new connection at once, does not wait for `connect_timeout` once more."""
    engine = open_register(postgres.url(database))
    with engine.connect() as connection:
        raw: Any = connection.connection.driver_connection
        assert raw.silence_s == answering.SILENCE_S < 5
    engine.dispose()
    monkeypatch.setattr(answering, "_silent", {})
    monkeypatch.setattr(answering, "REST_S", 3600.0)
    engine = open_register(postgres.url(database) + IMPATIENT)
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    postgres.tell(signal.SIGSTOP)
    try:
        with pytest.raises(DBAPIError, match="no answer a moment ago") as told, engine.connect():
            pass
    finally:
        postgres.tell(signal.SIGCONT)
    assert "does not answer in time" in sentence(told.value)
    with pytest.raises(DBAPIError, match="no answer a moment ago"), engine.connect():
        pass
    monkeypatch.setattr(answering, "REST_S", 0.0)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
    engine.dispose()


def test_a_long_statement_is_no_silence(postgres: Cluster, database: str) -> None:
    """A statement may take several times as long as a silence: the server answers the second connection, and that it
    refuses that one is an answer too."""
    engine = open_register(postgres.url(database) + IMPATIENT)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT 7 FROM pg_sleep(2.5)")) == 7
        raw: Any = connection.connection.driver_connection
        raw.again["password"] = "wrong"
        assert connection.scalar(text("SELECT 8 FROM pg_sleep(2.5)")) == 8
    engine.dispose()


def test_no_text_of_the_server_is_needed_to_tell_an_error() -> None:
    """Errors with a code are told by it, whatever language the server speaks."""
    original = psycopg.errors.DeadlockDetected("phát hiện khóa chết")
    said = sentence(DBAPIError("SELECT 1", {}, original))
    assert said == "another program changed the same rows at the same time; nothing was written, try again " \
        "(phát hiện khóa chết)"  # fmt: skip
