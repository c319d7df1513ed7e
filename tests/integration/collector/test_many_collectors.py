"""Three collectors on one shared subscription of the real Mosquitto, one of them killed: nothing lost, nothing doubled.

Mosquitto goes on routing to a dead member's session until it expires (collector.share_expiry_s): its share waits for so
long, then the broker forgets it. The agents' rule - what has no receipt is sent again as backfill - makes up for both.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from typing import Any

import pytest

from phongmay_collector.settings import BrokerSettings, CollectorSettings, check_member
from phongmay_contract.errors import OperatorError

pytestmark = pytest.mark.integration
THREE = {"broker": "collectors = 3", "collector": 'share = "district"\nshare_expiry_s = 10'}


@pytest.mark.parametrize("house", [THREE], indirect=True)
def test_one_of_three_is_killed_and_nothing_is_lost_or_doubled(house: Any, mosquitto: str, wait_until: Any) -> None:
    """Each member gets a part; the dead one's part has no receipts, is sent again, and lands in the living."""
    identities = [house.enrol() for _ in range(6)]
    house.start_broker()
    members = {number: house.start_collector(number) for number in (1, 2, 3)}
    senders = [house.sender(identity).connect() for identity in identities]
    time.sleep(1.5)  # every member's marker has come round, so messages teach clocks
    first = {sender: [sender.send() for _ in range(10)] for sender in senders}
    for sender, envelopes in first.items():
        sender.wait_for_receipts(*envelopes)
    house.processes.kill(members[2])
    killed_at = time.monotonic()
    later = {sender: [sender.send() for _ in range(9)] for sender in senders}

    def settled() -> int:
        return sum(sender.has_receipt(one) for sender, sent in later.items() for one in sent)

    wait_until(lambda: settled() >= 30, "the living members' parts have receipts")
    time.sleep(2)
    missing = {sender: [one for one in sent if not sender.has_receipt(one)] for sender, sent in later.items()}
    waiting = sum(map(len, missing.values()))
    assert 6 <= waiting <= 24, "about a third waits for the dead member"

    def all_settled() -> bool:
        """Send again what has no receipt, as agents do: each try goes to the next member."""
        left = {sender: [one for one in sent if not sender.has_receipt(one)] for sender, sent in missing.items()}
        for sender, sent in left.items():
            if sent:
                sender.send_past(sent)
        time.sleep(0.5)
        return not any(left.values())

    wait_until(all_settled, "everything has its receipt")
    assert house.stored() == 6 * 19
    with house.series() as series:
        for sender in senders:
            rows = series.range(sender.device, "usage", 0, 2e10)
            assert len(rows) == 19, "each once"
            assert {row.basis for row in rows} == {"live"}
    with closing(sqlite3.connect(house.settings.store.series_path)) as connection:
        offsets = connection.execute("SELECT device, count(*) FROM series_offset GROUP BY device").fetchall()
    assert sorted(offsets) == sorted((sender.device, 1) for sender in senders), "one offset a run, for all members"
    while time.monotonic() < killed_at + 12:
        time.sleep(0.2)
    after = {sender: [sender.send() for _ in range(6)] for sender in senders}
    for sender, sent in after.items():
        sender.wait_for_receipts(*sent)  # the dead session has expired: the two living get all, without a second try
    house.start_collector(2)  # it comes back to an empty session and takes its part again
    for sender in senders:
        sender.wait_for_receipts(*[sender.send() for _ in range(6)])
    assert house.stored() == 6 * 31


def test_a_group_needs_a_name_and_numbers_that_the_broker_knows() -> None:
    """Two collectors without a group would each store everything; an unknown one could not connect."""
    with pytest.raises(OperatorError, match=r"collector\.share"):
        check_member(BrokerSettings(collectors=2), CollectorSettings())
    with pytest.raises(OperatorError, match=r"broker\.collectors is 2"):
        check_member(BrokerSettings(collectors=2), CollectorSettings(share="a", number=3))
    with pytest.raises(OperatorError, match="letters, digits"):
        check_member(BrokerSettings(collectors=2), CollectorSettings(share="a/b"))
    check_member(BrokerSettings(collectors=2), CollectorSettings(share="a", number=2))
