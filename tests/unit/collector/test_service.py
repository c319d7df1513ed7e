"""The order of the collector's work: the living first, and nothing of a dead connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from phongmay_collector.broker_files import LIVE_USER, PAST_USER, write_all
from phongmay_collector.link import Inbound
from phongmay_collector.service import Collector
from phongmay_collector.settings import BrokerSettings, CollectorSettings
from phongmay_contract.errors import OperatorError
from phongmay_store.errors import StoreError
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


def fill(collector: Collector, user: str, count: int, client: mqtt.Client) -> None:
    """Put messages into a queue as a connection brings them."""
    link = collector._live if user == LIVE_USER else collector._past
    link.client = client
    kind = "round" if user == LIVE_USER else "backfill"
    for number in range(count):
        collector._queues[user].append(
            Inbound(client, number, 1, f"phongmay/v1/pc-one/{kind}", b"{}", False, 0.0, 0.0, 0.0)
        )


def kinds(messages: list[Inbound]) -> list[str]:
    return [message.topic.rpartition("/")[2] for message in messages]


def client() -> mqtt.Client:
    return mqtt.Client(CallbackAPIVersion.VERSION2)


def test_the_living_come_first_and_the_past_fills_the_rest(collector: Collector) -> None:
    """A day's backlog must never delay what happens now; a backfill counts with all that it can hold."""
    fill(collector, PAST_USER, 20, client())
    fill(collector, LIVE_USER, 260, client())
    assert kinds(collector._next_messages()) == ["round"] * 260 + ["backfill"] * 4
    fill(collector, LIVE_USER, 700, collector._live.client or client())
    assert kinds(collector._next_messages()) == ["round"] * 500
    assert kinds(collector._next_messages()) == ["round"] * 200 + ["backfill"] * 5


def test_what_a_dead_connection_brought_is_dropped(collector: Collector) -> None:
    """Its packet ids mean nothing any more; the broker delivers those messages again."""
    fill(collector, LIVE_USER, 3, client())
    fill(collector, LIVE_USER, 2, client())
    assert len(collector._next_messages()) == 2


def test_a_collector_without_its_password_says_which_command_makes_it(tmp_path: Path) -> None:
    """It must not connect without one, nor make one that the broker does not know."""
    engine = open_register(f"sqlite:///{tmp_path}/register.db")
    migrate(engine)
    with (
        closing(open_writer(StoreSettings(series_path=tmp_path / "series.db"))) as series,
        pytest.raises(OperatorError, match=r"collector\.password.*phongmay broker files"),
    ):
        Collector(BrokerSettings(directory=tmp_path / "broker"), CollectorSettings(), series, engine)


def test_only_a_marker_that_came_back_shows_that_the_collector_hears(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without broker, or with a batch that the store refuses, no PC's silence may be held against its school."""
    minute = 1_764_000_000.0
    monkeypatch.setattr("phongmay_collector.service.time.time", lambda: minute + 7)
    series = collector._series
    collector._note_listening(1000.0)
    assert series.listening(minute - 3600, minute + 3600) == {}, "no marker was ever heard"
    collector._marker_at = 990.0
    collector._note_listening(1000.0)
    assert series.listening(minute - 3600, minute + 3600) == {}, "the marker is old: the broker is away"
    collector._marker_at, collector._retry_at = 999.0, 1001.0
    collector._note_listening(1000.0)
    assert series.listening(minute - 3600, minute + 3600) == {}, "the store is away"
    collector._retry_at = 0.0
    collector._note_listening(1000.0)
    hour = int(minute // 3600) * 3600
    assert series.listening(minute - 3600, minute + 3600) == {hour: 1 << int((minute - hour) // 60)}


def test_each_minute_of_listening_is_written_once(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop runs many times a second; the store gets one small write a minute, and after a failure the next try."""
    written: list[list[float]] = []
    now = [1_764_000_000.0]
    monkeypatch.setattr("phongmay_collector.service.time.time", lambda: now[0])
    monkeypatch.setattr(collector._series, "listened", lambda times: written.append(list(times)))
    collector._marker_at = 1000.0
    for step in (0.0, 0.5, 59.9, 60.0, 61.0):
        now[0] = 1_764_000_000.0 + step
        collector._note_listening(1000.0)
    assert written == [[1_764_000_000.0], [1_764_000_060.0]]

    def fails(times: list[float]) -> None:
        raise StoreError("disk full")

    now[0] += 60
    monkeypatch.setattr(collector._series, "listened", fails)
    collector._note_listening(1000.0)
    monkeypatch.setattr(collector._series, "listened", lambda times: written.append(list(times)))
    collector._note_listening(1000.0)
    assert written[2:] == [[1_764_000_120.0]]
