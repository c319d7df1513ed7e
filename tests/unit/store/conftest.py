"""A real register on disk for the store's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from phongmay_store.register.engine import migrate, open_register


@pytest.fixture
def register_engine(tmp_path: Path) -> Iterator[Engine]:
    """An empty register with the present tables."""
    engine = open_register(f"sqlite:///{tmp_path / 'register.db'}")
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def register(register_engine: Engine) -> Iterator[Session]:
    """A session on an empty register."""
    with Session(register_engine) as session:
        yield session
