"""Which of several collectors one is: its users at the broker, its marker, and what it subscribes to.

In: its number, and the name of the group that shares the load ("" = it is alone). Out: names and topic filters.
Envelopes and backfills are shared: the broker gives each message to one member. Statuses (births and last wills, few a
day) go to every member, so that each knows every session and none judges by a session that another saw end.
"""

from __future__ import annotations

from dataclasses import dataclass

from phongmay_contract import topics
from phongmay_contract.topics import LIVE_KINDS, Kind

MOST = 64
"""Collectors that a broker's files can name."""
BROKER_TOPICS = (
    "$SYS/broker/publish/messages/dropped",
    "$SYS/broker/store/messages/count",
    "$SYS/broker/store/messages/bytes",
    "$SYS/broker/clients/connected",
)
"""What the broker says of itself: what it dropped because a queue was full, and how full its queues are."""


@dataclass(frozen=True, slots=True)
class Member:
    """One collector of a group; number 1 is also the name of one that is alone."""

    number: int = 1

    @property
    def suffix(self) -> str:
        """What its names have behind them."""
        return "" if self.number == 1 else f"-{self.number}"

    @property
    def live_user(self) -> str:
        """User, and so client id, of its session for the living."""
        return f"collector{self.suffix}"

    @property
    def past_user(self) -> str:
        """The same for backfill: `use_username_as_clientid` makes the user name the client id, so it needs another."""
        return f"collector-backfill{self.suffix}"

    @property
    def marker(self) -> str:
        """Where it hears itself (see `clocks`): outside the contract's root, so no device's topic can be like it."""
        return f"phongmay/collector/{self.live_user}/marker"


def live_filters(member: Member, share: str) -> list[str]:
    """Give what the session for the living subscribes to."""
    shared = [kind for kind in LIVE_KINDS if kind is not Kind.STATUS]
    own = [topics.subscription(Kind.STATUS), member.marker, *BROKER_TOPICS]
    return [*own, *(_shared(share, topics.subscription(kind)) for kind in shared)]


def past_filters(share: str) -> list[str]:
    """Give what the session for backfill subscribes to."""
    return [_shared(share, topics.subscription(Kind.BACKFILL))]


def _shared(share: str, topic_filter: str) -> str:
    return f"$share/{share}/{topic_filter}" if share else topic_filter


LIVE_USER, PAST_USER, MARKER = Member().live_user, Member().past_user, Member().marker
"""Names of a collector that is alone."""
