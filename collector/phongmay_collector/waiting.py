"""Messages that came and were not read yet: the living go first, and the past fills what room a batch has left.

In: messages of two sessions. Out: those that a batch takes next, in order. What an earlier connection brought is left
out: it cannot be acknowledged any more, and the broker delivers it again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from phongmay_collector.link import Inbound, Link
from phongmay_contract.envelope import MAX_BACKFILL


class Waiting:
    """The messages of both sessions.

    Args:
        live: the session of what is sent when it is measured.
        past: the session of backfills, each of up to MAX_BACKFILL envelopes.
        most: unacknowledged messages that the broker sends to each of the two.
    """

    def __init__(self, live: Link, past: Link, most: tuple[int, int]) -> None:
        self._live: deque[Inbound] = deque()
        self._past: deque[Inbound] = deque()
        self._past_user = past.user
        self._of = {live.user: (live, self._live, most[0]), past.user: (past, self._past, most[1])}

    def __len__(self) -> int:
        return len(self._live) + len(self._past)

    @property
    def envelopes(self) -> int:
        """Count what waits, a backfill as many envelopes as it can hold."""
        return len(self._live) + len(self._past) * MAX_BACKFILL

    @property
    def oldest(self) -> float | None:
        """Tell when the oldest came (monotonic clock)."""
        return min((queue[0].arrived for queue in (self._live, self._past) if queue), default=None)

    def of(self, link: Link) -> deque[Inbound]:
        """Give the queue to which a session's messages are added."""
        return self._of[link.user][1]

    def is_full(self, link: Link) -> bool:
        """Tell whether a session must not be read for now: messages of QoS 0 come without limit."""
        _, queue, most = self._of[link.user]
        return len(queue) > 2 * most

    def take(self, room: int) -> list[Inbound]:
        """Take what a batch with room for so many envelopes reads next."""
        for link, queue, _ in self._of.values():
            while queue and queue[0].connection != link.connection:
                queue.popleft()
        live, past = self._live, self._past
        messages = [live.popleft() for _ in range(min(room, len(live)))]
        room -= len(messages)
        while past and (room >= MAX_BACKFILL or not messages):
            messages.append(past.popleft())
            room -= MAX_BACKFILL
        return messages

    def pieces(self, messages: Sequence[Inbound], most: int) -> Iterator[Sequence[Inbound]]:
        """Give messages that were taken in pieces of so many envelopes; a backfill counts with all that it can hold."""
        lives = len(messages)
        while lives and messages[lives - 1].user == self._past_user:
            lives -= 1
        for start in range(0, lives, most):
            yield messages[start : min(start + most, lives)]
        step = max(1, most // MAX_BACKFILL)
        for start in range(lives, len(messages), step):
            yield messages[start : start + step]

    def put_back(self, messages: Sequence[Inbound]) -> None:
        """Take back what could not be read now; it stays the next."""
        for message in reversed(messages):
            self._of[message.user][1].appendleft(message)
