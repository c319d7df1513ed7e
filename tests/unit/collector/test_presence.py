"""Presence by sessions: what is old changes nothing."""

from __future__ import annotations

import pytest

from phongmay_collector.presence import PresenceBook
from phongmay_contract.envelope import GOODBYE, LOST, ONLINE, Instant, Status
from phongmay_store.series.interface import TimeBasis

DEVICE = "pc-one"
NOW = 1_795_000_000.0


def status(state: str, session: str, run: str = "a") -> Status:
    return Status(DEVICE, run * 16, session * 16, state, Instant(0, 0), "test")


def hear(
    book: PresenceBook,
    state: str,
    session: str,
    at: float,
    *,
    retained: bool = False,
    basis: TimeBasis = TimeBasis.LIVE,
    received: float | None = None,
) -> None:
    book.status(status(state, session), NOW + at, basis, retained=retained, received=NOW + (received or at))


def state(book: PresenceBook) -> tuple[str, str]:
    found = book.get(DEVICE)
    assert found is not None
    return found.state, found.session[0]


def test_birth_loss_birth_goodbye() -> None:
    """The plain course of days."""
    book = PresenceBook()
    hear(book, ONLINE, "1", 0)
    hear(book, LOST, "1", 0, received=90)
    assert state(book) == (LOST, "1")
    assert book.take_changes()[0].since == NOW + 90, "the loss is known by its arrival: a will is written at connect"
    hear(book, ONLINE, "2", 100)
    hear(book, GOODBYE, "2", 200)
    assert state(book) == (GOODBYE, "2")


@pytest.mark.parametrize("retained", [False, True])
def test_an_old_will_after_a_new_birth_changes_nothing(retained: bool) -> None:
    """The broker notices a dead connection late, or keeps the old will: the device is back already."""
    book = PresenceBook()
    hear(book, ONLINE, "1", 0)
    hear(book, ONLINE, "2", 100)
    hear(book, LOST, "1", 0, retained=retained, received=150)
    assert state(book) == (ONLINE, "2")


def test_the_retained_birth_comes_again_and_is_nothing_new() -> None:
    """Every subscribe brings the retained births; they must not move `since`, nor bring back who has gone."""
    book = PresenceBook()
    hear(book, ONLINE, "1", 0)
    book.take_changes()
    hear(book, ONLINE, "1", 50, retained=True)
    assert book.take_changes() == []
    hear(book, LOST, "1", 0, received=90)
    hear(book, ONLINE, "1", 0, retained=True, received=100)
    assert state(book) == (LOST, "1")


def test_a_broker_that_fell_back_to_an_old_birth_is_not_believed() -> None:
    """A killed broker wakes up with the retained births of its last snapshot."""
    book = PresenceBook()
    hear(book, ONLINE, "1", 0)
    hear(book, ONLINE, "2", 100)
    hear(book, GOODBYE, "2", 200)
    hear(book, ONLINE, "1", 0, retained=True, received=300)
    assert state(book) == (GOODBYE, "2")


def test_the_end_of_a_later_session_counts_although_its_birth_was_never_heard() -> None:
    """While the collector was away the device came back and went again: only the retained will is left."""
    book = PresenceBook()
    hear(book, ONLINE, "1", 0)
    hear(book, LOST, "2", 100, retained=True, received=500)
    assert state(book) == (LOST, "2")


def test_a_guessed_time_makes_no_session_later() -> None:
    """With a clock in 2009 the order of two sessions is unknown: the known one stays."""
    book = PresenceBook()
    hear(book, ONLINE, "1", 0)
    hear(book, LOST, "0", 400, basis=TimeBasis.GUESS)
    assert state(book) == (ONLINE, "1")


def test_live_envelopes_move_last_seen_forward_only() -> None:
    """The newest sign of life, by true time of measuring."""
    book = PresenceBook()
    hear(book, ONLINE, "1", 0)
    book.alive(DEVICE, "a" * 16, "1" * 16, NOW + 60, "test")
    book.alive(DEVICE, "a" * 16, "1" * 16, NOW + 30, "test")
    (presence,) = book.take_changes()
    assert (presence.last_seen, presence.since, presence.state) == (NOW + 60, NOW, ONLINE)


def test_an_envelope_without_a_birth_proves_presence_too() -> None:
    """Its birth may have been refused by an older collector."""
    book = PresenceBook()
    book.alive(DEVICE, "a" * 16, "1" * 16, NOW, "test")
    assert state(book) == (ONLINE, "1")


def test_changes_survive_a_restart() -> None:
    """What the store knew is where the next collector begins."""
    book = PresenceBook()
    hear(book, ONLINE, "1", 0)
    again = PresenceBook(book.take_changes())
    hear(again, ONLINE, "1", 0, retained=True, received=10)
    assert again.take_changes() == []
    hear(again, LOST, "1", 0, received=20)
    assert state(again) == (LOST, "1")
