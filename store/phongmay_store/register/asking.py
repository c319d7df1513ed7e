"""Questions that are asked again and again: a statement built beforehand and its values go in, rows come out.

Building a statement of SQLAlchemy and finding its compiled form takes some five times as long as a small answer of the
database. A statement that is kept (with `bindparam` for what varies, `expanding=True` for lists) pays once; asking the
connection leaves out what the ORM does around plain columns. What the database refuses is SQLAlchemy's own error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select
from sqlalchemy.orm import Session

Question = Select[*tuple[Any, ...]]
"""A statement that selects columns."""
Answer = Sequence[Row[*tuple[Any, ...]]]


def ask(session: Session, statement: Question, **values: object) -> Answer:
    """Ask for columns; what the session was given and has not written yet is seen, as in `Session.execute`.

    Args:
        session: the register.
        statement: selects columns, not mapped classes.
        values: of its parameters by name; those that it does not have are not looked at.
    """
    session.flush()
    return session.connection().execute(statement, values).all()
