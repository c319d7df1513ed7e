"""One device that floods costs the others nothing, and somebody learns its name."""

from __future__ import annotations

import logging

import pytest

from phongmay_collector.link import Inbound
from phongmay_collector.throttle import WINDOW_S, Throttle


def test_beyond_the_limit_a_topic_is_not_read_and_others_are(caplog: pytest.LogCaptureFixture) -> None:
    """It is named once a window; a new window begins anew."""
    throttle = Throttle(3)
    with caplog.at_level(logging.INFO):
        assert [throttle.allows("loud", 10.0) for _ in range(6)] == [True] * 3 + [False] * 3
        assert throttle.allows("quiet", 10.0)
        assert throttle.allows("loud", 10.0 + WINDOW_S)
    assert [record.getMessage() for record in caplog.records] == ["device_throttled topic=loud limit_a_minute=3"]
    assert (throttle.unread, dict(throttle.dropped)) == (3, {"loud": 3})
    assert throttle.loud(11.0 + WINDOW_S) == ["loud"]
    assert throttle.loud(11.0 + 3 * WINDOW_S) == []


def test_sifting_lets_through_what_asking_singly_would(caplog: pytest.LogCaptureFixture) -> None:
    """In order, however a read mixes topics; only new and loud topics are looked at one by one."""
    topics = ["a", "b", "a", "a", "c", "a", "a", "b"]
    messages = [Inbound("u", 1, number, 1, topic, b"", False, 0.0, 10.0, 0.0) for number, topic in enumerate(topics)]
    sifted, single = Throttle(3), Throttle(3)
    through: list[int] = []
    looked_at: list[int] = []

    def look_at(message: Inbound) -> None:
        looked_at.append(message.packet)
        if sifted.allows(message.topic, 10.0):
            through.append(message.packet)

    sifted.sift(messages, 10.0, lambda message: through.append(message.packet), look_at)
    assert (
        through == [message.packet for message in messages if single.allows(message.topic, 10.0)] == [0, 1, 2, 3, 4, 7]
    )
    assert looked_at == [0, 1, 4, 5, 6]
    assert sifted.unread == single.unread == 2
