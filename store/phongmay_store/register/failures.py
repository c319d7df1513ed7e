"""What a database's error means, in one sentence for a person: errors of SQLAlchemy go in, text comes out.

PostgreSQL is understood by its error codes, which do not depend on its language. Only a refused connection has none:
there the server's own words are searched, and where they are not known a general remedy is given. No sentence holds a
password.
"""

from __future__ import annotations

import re

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

_AGAIN = "another program changed the same rows at the same time; nothing was written, try again"
_BY_CODE = {
    "40001": _AGAIN,
    "40P01": _AGAIN,
    "23505": "another program wrote the same row at the same time; nothing was written, try again",
    "55P03": "another program holds the rows for too long; nothing was written, try again when it is done",
    "53100": "the disk of the database server is full; make room there",
    "53300": "the database server has no connection left; raise its max_connections",
    "42P01": "a table is missing; run 'phongmay register migrate'",
    "42501": "the role of store.register_url may not do this; make it the owner of the database (docs/postgresql.md)",
    "25006": "the database takes no writing, as a standby does not; point store.register_url to the one that does",
    "57P01": "the database server is stopping",
    "57P02": "the database server stopped unexpectedly",
    "57P03": "the database server is starting or stopping",
}
_BY_WORDS = (
    (r"password authentication failed", "user or password is wrong; correct them in store.register_url"),
    (r"no password supplied", "the server wants a password; give it in store.register_url or in ~/.pgpass"),
    (r"peer authentication failed", "the Unix socket lets a role in only from the system user of the same name"),
    (r'database "[^"]*" does not exist', "there is no such database; create it (docs/postgresql.md)"),
    (r'role "[^"]*" does not exist', "there is no such role; create it (docs/postgresql.md)"),
    (r"no pg_hba\.conf entry", "the server lets this machine or user not in; add a line to its pg_hba.conf"),
    (r"refused|No such file or directory", "PostgreSQL does not listen there; start it or correct store.register_url"),
    (r"resolve host|Name or service|nodename nor servname", "there is no such host; correct it in store.register_url"),
    (r"timeout expired|timed out", "PostgreSQL does not answer in time; look at the network and the server"),
    (r"starting up|shutting down", "PostgreSQL is starting or stopping"),
    (r"too many clients|connection slots", "the database server has no connection left; raise its max_connections"),
)
_UNREACHED = "look whether PostgreSQL runs, and at user, password, host and database in store.register_url"
_LOST = "the connection to the database was lost"


def sentence(error: SQLAlchemyError) -> str:
    """Say what went wrong and what helps."""
    original = error.orig if isinstance(error, DBAPIError) else None
    if original is None or not type(original).__module__.startswith("psycopg"):
        return str(error).splitlines()[0]
    code = getattr(original, "sqlstate", None)
    said = next((line.strip() for line in str(original).splitlines() if line.strip()), type(original).__name__)
    if code is not None:
        return f"{_BY_CODE[code]} ({said})" if code in _BY_CODE else said
    whole = str(original)
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return f"{_LOST} ({said})"
    remedy = next((remedy for words, remedy in _BY_WORDS if re.search(words, whole)), None)
    if remedy is None and "connection failed" in whole:
        remedy = _UNREACHED
    elif remedy is None and "connection" in whole:
        remedy = _LOST
    return said if remedy is None else f"{remedy} ({said})"


def place(url: URL) -> str:
    """Name a register without its password."""
    return url.render_as_string(hide_password=True)


def without_password(text: str) -> str:
    """Take the password out of what may be a URL, also out of one that cannot be read."""
    return re.sub(r"(://[^:/@]*):.*@", r"\1:***@", text)
