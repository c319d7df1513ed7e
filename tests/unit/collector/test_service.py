"""The order of the collector's work: the living first, and nothing of a dead connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from phongmay_collector.broker_files import write_all
from phongmay_collector.link import Inbound
from phongmay_collector.members import LIVE_USER, PAST_USER
from phongmay_collector.service import Collector
from phongmay_collector.settings import BrokerSettings, CollectorSettings
from phongmay_contract.errors import OperatorError
from phongmay_store.register.engine import migrate, open_register
from phongmay_store.series import open_writer
from phongmay_store.settings import StoreSettings


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    """A collector with a real store and register that has not been told to connect."""
    engine = open_register(f"sqlite:///{tmp_path}/register.db")
    migrate(engine)
    broker = BrokerSettings(directory=tmp_path / "broker")
    write_all(broker, engine)
    with closing(open_writer(StoreSettings(series_path=tmp_path / "series.db"))) as series:
        yield Collector(broker, CollectorSettings(batch_size=500), series, engine)
    engine.dispose()


def fill(collector: Collector, user: str, count: int, connection: int) -> None:
    """Put messages into a queue as a connection brings them."""
    link = collector._live if user == LIVE_USER else collector._past
    link.connection = connection
    kind = "round" if user == LIVE_USER else "backfill"
    for number in range(count):
        topic = f"phongmay/v1/pc-one/{kind}"
        message = Inbound(user, connection, number, 1, topic, b"{}", False, 0.0, 0.0, 0.0)
        collector._waiting.of(link).append(message)


def kinds(messages: list[Inbound]) -> list[str]:
    return [message.topic.rpartition("/")[2] for message in messages]


def test_the_living_come_first_and_the_past_fills_the_rest(collector: Collector) -> None:
    """A day's backlog must never delay what happens now; a backfill counts with all that it can hold."""
    fill(collector, PAST_USER, 20, 1)
    fill(collector, LIVE_USER, 260, 1)
    assert kinds(collector._waiting.take(500)) == ["round"] * 260 + ["backfill"] * 4
    fill(collector, LIVE_USER, 700, 1)
    assert kinds(collector._waiting.take(500)) == ["round"] * 500
    assert kinds(collector._waiting.take(500)) == ["round"] * 200 + ["backfill"] * 5


def test_what_a_dead_connection_brought_is_dropped(collector: Collector) -> None:
    """Its packet ids mean nothing any more; the broker delivers those messages again."""
    fill(collector, LIVE_USER, 3, 1)
    fill(collector, LIVE_USER, 2, 2)
    assert len(collector._waiting.take(500)) == 2


def test_few_messages_are_read_when_they_are_due_and_many_at_once(collector: Collector) -> None:
    """A few at a time cost several times as much; but nothing waits longer than a batch may."""
    age = collector._settings.batch_age_s
    collector._tick_at = 10 * age
    assert not collector._is_worth_reading(age + 1)
    fill(collector, LIVE_USER, 3, 1)  # arrived at 0.0
    assert not collector._is_worth_reading(age / 2)
    assert collector._wait_s(age / 2) == pytest.approx(age / 2)
    assert collector._is_worth_reading(age)
    fill(collector, PAST_USER, 10, 1)  # each of up to 60 envelopes
    assert collector._is_worth_reading(age / 2)


def test_the_socket_is_left_alone_while_nothing_can_be_read_but_never_for_long(collector: Collector) -> None:
    """Bytes that wait in memory cost twice as much later; but the marker and the broker's answers must be heard."""
    fill(collector, LIVE_USER, 1000, 1)
    assert collector._is_worth_receiving(10.0)
    assert collector._is_worth_reading(10.0)
    collector._ahead._envelopes = 500  # a batch is read ahead, and two are with the writer
    assert not collector._is_worth_reading(10.1)
    assert not collector._is_worth_receiving(10.1)
    assert not collector._is_worth_receiving(10.9)
    assert collector._is_worth_receiving(11.2)
    collector._ahead._envelopes = 0
    assert collector._is_worth_receiving(11.3)
    collector._ahead._envelopes = 500
    assert not collector._is_worth_receiving(11.4)


def test_messages_are_read_in_pieces_of_like_size(collector: Collector) -> None:
    """A hundred backfills in one piece would be six thousand envelopes."""
    fill(collector, LIVE_USER, 150, 1)
    fill(collector, PAST_USER, 3, 1)
    pieces = list(collector._waiting.pieces(collector._waiting.take(500), 100))
    assert [len(piece) for piece in pieces] == [100, 50, 1, 1, 1]
    assert kinds([message for piece in pieces for message in piece]) == ["round"] * 150 + ["backfill"] * 3


def test_a_collector_without_its_password_says_which_command_makes_it(tmp_path: Path) -> None:
    """It must not connect without one, nor make one that the broker does not know."""
    engine = open_register(f"sqlite:///{tmp_path}/register.db")
    migrate(engine)
    with (
        closing(open_writer(StoreSettings(series_path=tmp_path / "series.db"))) as series,
        pytest.raises(OperatorError, match=r"collector\.password.*phongmay broker files"),
    ):
        Collector(BrokerSettings(directory=tmp_path / "broker"), CollectorSettings(), series, engine)
