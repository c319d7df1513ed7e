"""Who is connected, by MQTT sessions and never by a device's clock.

In: status messages and live envelopes with their true times, in order of arrival. Out: the Presence rows that changed.
A birth makes its session the current one; goodbye and last will count only for the current session (or for a later
one whose birth was lost), so that an old will that comes after a new birth changes nothing. A birth is retained and
comes again when the collector subscribes: the same session is nothing new, and a retained one from before the current
session is an old one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from phongmay_contract.envelope import ONLINE, Status
from phongmay_store.series.interface import Presence, TimeBasis


class PresenceBook:
    """Presence of every device, kept in memory; `take_changes` gives what the store does not know yet."""

    def __init__(self, known: Iterable[Presence] = ()) -> None:
        self._by_device = {presence.device: presence for presence in known}
        self._changed: set[str] = set()
        self._seen: dict[str, float] = {}  # signs of life since the last call of take_changes: one a message, so cheap

    def get(self, device: str) -> Presence | None:
        """Give the presence of a device, if it was ever heard of."""
        found, seen = self._by_device.get(device), self._seen.get(device)
        return found if found is None or seen is None else found._replace(last_seen=seen)

    def status(self, status: Status, at: float, basis: TimeBasis, *, retained: bool, received: float) -> None:
        """Take a birth, goodbye or last will into account.

        Args:
            status: the message.
            at: true time of the message's own instant (for a last will: of the connect at which it was written).
            basis: how that time is known.
            retained: the broker gave it out of its memory, not because it was just sent.
            received: when the collector got it.
        """
        current = self.get(status.sender)
        if status.state == ONLINE:
            if current is not None and (
                current.session == status.session  # born already, and perhaps gone since
                or (retained and at < current.since)  # of a broker that fell back to an old state
            ):
                return
            last_seen = at if current is None else max(at, current.last_seen)
            self._set(Presence(status.sender, ONLINE, status.session, status.run, at, last_seen, status.agent))
        elif current is None:
            self._set(Presence(status.sender, status.state, status.session, status.run, at, at, status.agent))
        elif current.session == status.session:
            if current.state == ONLINE:
                # A will carries the time of its connect; that the session ended is known only by its arrival, and of
                # a retained one not even that: then the last sign of life stands for it.
                self._set(current._replace(state=status.state, since=current.last_seen if retained else received))
        elif basis is not TimeBasis.GUESS and at > current.since:
            # A session whose birth never reached us, begun after the one we know: so both have ended.
            last_seen = max(at, current.last_seen)
            self._set(Presence(status.sender, status.state, status.session, status.run, at, last_seen, status.agent))

    def alive(self, device: str, run: str, session: str, at: float, agent: str) -> None:
        """Take a live envelope into account: a sign of life at its true time of measuring."""
        current = self._by_device.get(device)
        if current is None:  # its birth was lost or refused; the envelope proves as much
            self._set(Presence(device, ONLINE, session, run, at, at, agent))
        elif at > self._seen.get(device, current.last_seen):
            self._seen[device] = at

    def all_alive(self, seen: Mapping[str, float]) -> bool:
        """Take many signs of life at once: device to true time; False, and nothing is taken, when one is unknown."""
        if not seen.keys() <= self._by_device.keys():
            return False
        for device, at in seen.items():
            if at > self._seen.get(device, self._by_device[device].last_seen):
                self._seen[device] = at
        return True

    def take_changes(self) -> list[Presence]:
        """Give what changed since the last call."""
        for device, at in self._seen.items():
            _, state, session, run, since, _, agent = self._by_device[device]
            self._by_device[device] = Presence(device, state, session, run, since, at, agent)
        self._changed.update(self._seen)
        self._seen.clear()
        changes = [self._by_device[device] for device in sorted(self._changed)]
        self._changed.clear()
        return changes

    def _set(self, presence: Presence) -> None:
        self._by_device[presence.device] = presence
        self._changed.add(presence.device)
        self._seen.pop(presence.device, None)
