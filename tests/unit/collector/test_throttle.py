"""One device that floods costs the others nothing, and somebody learns its name."""

from __future__ import annotations

import logging

import pytest

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
