"""Keeps one flooding device from the others' time: so many messages a minute of one device and kind, and no more.

In: topics as messages come. Out: whether a message is read at all, and who was too loud. A message that is not read is
acknowledged to the broker and gets no receipt, so an honest sender has it in its spool still and sends it again. The
limit is far above what an agent sends after days without a collector.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from phongmay_collector.link import Inbound
from phongmay_collector.log import event

WINDOW_S = 60.0
_REMEMBERED = 1000


class Throttle:
    """Counts by topic in windows of a minute.

    Args:
        limit: messages of one topic in a window.

    Attributes:
        dropped: messages that were not read since the start, by topic; the loudest thousand.
        unread: all of them.
    """

    def __init__(self, limit: int) -> None:
        self.dropped: Counter[str] = Counter()
        self.unread = 0
        self._limit = limit
        self._counts: dict[str, int] = {}
        self._loud: dict[str, float] = {}
        self._until = 0.0

    def allows(self, topic: str, now: float) -> bool:
        """Tell whether one more message of a topic is read.

        Args:
            topic: of the message.
            now: monotonic time.
        """
        self._turn(now)
        count = self._counts[topic] = self._counts.get(topic, 0) + 1
        if count <= self._limit:
            return True
        if count == self._limit + 1:
            event("device_throttled", topic=topic, limit_a_minute=self._limit)
        self._loud[topic] = now
        self.dropped[topic] += 1
        self.unread += 1
        if len(self.dropped) > 2 * _REMEMBERED:
            self.dropped = Counter(dict(self.dropped.most_common(_REMEMBERED)))
        return False

    def sift(
        self,
        messages: Iterable[Inbound],
        now: float,
        known: Callable[[Inbound], None],
        other: Callable[[Inbound], None],
    ) -> None:
        """Give messages of topics that are below the limit to `known`, all others, and new topics, to `other`.

        Their order stays. What `other` gets is counted only when it asks `allows`.
        """
        self._turn(now)
        counts, limit = self._counts, self._limit
        get = counts.get
        for message in messages:
            topic = message.topic
            count = get(topic, limit)
            if count < limit:
                counts[topic] = count + 1
                known(message)
            else:
                other(message)

    def _turn(self, now: float) -> None:
        """Begin a new window when the last is over."""
        if now >= self._until:
            self._counts.clear()
            self._loud = {topic: at for topic, at in self._loud.items() if now - at < 2 * WINDOW_S}
            self._until = now + WINDOW_S

    def loud(self, now: float) -> list[str]:
        """Give the topics that were over the limit within the last two windows."""
        return sorted(topic for topic, at in list(self._loud.items()) if now - at < 2 * WINDOW_S)
