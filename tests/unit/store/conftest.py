"""A real register on disk for the store's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from phongmay_store.register.engine import open_register


@pytest.fixture
def register_engine(register_url: str) -> Iterator[Engine]:
    """An empty register with the present tables."""
    engine = open_register(register_url)
    yield engine
    engine.dispose()


@pytest.fixture
def register(register_engine: Engine) -> Iterator[Session]:
    """A session on an empty register."""
    with Session(register_engine) as session:
        yield session
