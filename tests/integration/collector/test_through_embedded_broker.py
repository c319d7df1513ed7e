"""The embedded broker (amqtt) with the same agent side and collector: enough for a demo where Mosquitto is missing."""

from __future__ import annotations

import importlib.util
import signal
from typing import Any

import pytest

from phongmay_contract import topics
from phongmay_contract.envelope import GOODBYE, Transit, encode_live
from phongmay_contract.topics import Kind

pytestmark = pytest.mark.integration


@pytest.fixture
def embedded(house: Any) -> Any:
    """A server with the embedded broker and a collector running."""
    if importlib.util.find_spec("amqtt") is None:
        pytest.skip("amqtt is not installed: pip install 'phongmay[embedded]'")
    house.embedded = True
    house.start_broker()
    house.start_collector()
    return house


def test_envelopes_get_rows_and_receipts(embedded: Any) -> None:
    """Live and past envelopes of several devices are stored and receipted, as through Mosquitto."""
    senders = [embedded.sender(embedded.enrol()).connect() for _ in range(5)]
    for sender in senders:
        live = [sender.send() for _ in range(20)]
        past = [sender.envelope(ago=60.0 * minute) for minute in range(30)]
        sender.send_past(past)
        sender.wait_for_receipts(*live, *past)
    assert embedded.stored() == 5 * 50


def test_presence_knows_birth_loss_and_goodbye(embedded: Any, wait_until: Any) -> None:
    """Retained births, wills and goodbyes do through this broker too."""
    sender = embedded.sender(embedded.enrol()).connect()

    def state() -> Any:
        with embedded.series() as series:
            return next((p.state for p in series.presence([sender.device])), None)

    wait_until(lambda: state() == "online", "the birth")
    sender.cut()
    wait_until(lambda: state() == "lost", "the last will")
    sender.connect()
    wait_until(lambda: state() == "online", "the second birth")
    sender.publish(sender.topic(Kind.STATUS), sender.status(GOODBYE), retain=True)
    wait_until(lambda: state() == "goodbye", "the goodbye")


def test_rights_are_those_of_the_generated_files(embedded: Any) -> None:
    """A foreign topic is dropped, a foreign receipt is not heard, and a wrong password is refused."""
    victim = embedded.sender(embedded.enrol()).connect()
    sender = embedded.sender(embedded.enrol()).connect()
    foreign = sender.envelope()
    payload = encode_live(foreign, Transit(sender.session, sender.instant()))
    sender.publish(topics.build(victim.device, Kind.ROUND), payload)
    sender._client.subscribe([(f"{topics.ROOT}/#", 1), (victim.topic(Kind.RECEIPT), 1), (f"{topics.ROOT}/+/status", 1)])
    victim.wait_for_receipts(victim.send())
    before = sender.receipts
    sender.wait_for_receipts(sender.send())
    assert sender.receipts == before + 1
    assert embedded.stored() == 2
    with embedded.series() as series:
        assert series.dead_letters() == []
    stranger = embedded.sender(embedded.enrol(), user=victim.device)
    with pytest.raises(AssertionError):
        stranger.connect(patience_s=3)


def test_it_ends_by_sigterm_and_the_collector_comes_back_to_a_new_one(embedded: Any, wait_until: Any) -> None:
    """The demo stops it cleanly; a collector outlives a restart of the broker."""
    sender = embedded.sender(embedded.enrol()).connect()
    sender.wait_for_receipts(sender.send())
    assert embedded.processes.kill(embedded.broker, signal.SIGTERM) == 0
    sender.cut()
    embedded.start_broker()
    wait_until(lambda: embedded.log("collector").count("broker_back") == 4, "both sessions stand again")
    sender.connect()
    sender.wait_for_receipts(sender.send())
    assert "Traceback" not in embedded.log("broker")
