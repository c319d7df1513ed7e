"""What the collector must know of the register: which devices exist, and whether one may speak for another.

In: device ids. Out: kind and school, or None. A register that does not answer raises StoreError: then nothing is
acknowledged, since a device that cannot be looked up is not an unknown one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from phongmay_store.errors import StoreError
from phongmay_store.register.device import Device, DeviceKind
from phongmay_store.register.failures import sentence


class Entry(NamedTuple):
    """A device of the register."""

    kind: str
    school_id: str


Entries = dict[str, Entry]
Ask = Callable[[Callable[[], Entries]], Entries]
"""Has the register asked a question, and gives its answer."""


def _at_once(question: Callable[[], Entries]) -> Entries:
    return question()


class Directory:
    """The devices of the register as of the last reading; one that is missing is asked for by itself.

    Args:
        engine: the register.
        ask: asks for a device that is missing; by default whoever wants to know waits for the answer.

    Attributes:
        loads: how often it was read: as long as it stays, a device that was found is there.
    """

    def __init__(self, engine: Engine, ask: Ask = _at_once) -> None:
        self._engine = engine
        self._ask = ask
        self._entries: Entries = {}
        self.loads = 0

    def load(self) -> None:
        """Read all devices anew: devices move, retire, and get another kind.

        Raises:
            StoreError: the register does not answer.
        """
        self.take(self.read())

    def read(self) -> Entries:
        """Read all devices, in any thread, and change nothing.

        Raises:
            StoreError: the register does not answer.
        """
        return self._read(None)

    def take(self, entries: Entries) -> None:
        """Go on with what was read."""
        self._entries = entries
        self.loads += 1

    def find(self, device: str) -> Entry | None:
        """Give a device, also one that was enrolled a moment ago.

        Raises:
            StoreError: the register does not answer.
        """
        found = self._entries.get(device)
        if found is None:
            found = self._ask(partial(self._read, device)).get(device)
            if found is not None:
                self._entries[device] = found
        return found

    def may_speak_for(self, sender: str, subject: str) -> bool:
        """Tell whether a device may report what it saw of another: a gateway of the same school may."""
        if subject in ("", sender):
            return True
        speaker, other = self.find(sender), self.find(subject)
        return (
            speaker is not None
            and other is not None
            and speaker.kind == DeviceKind.GATEWAY.value
            and speaker.school_id == other.school_id
        )

    def _read(self, device: str | None) -> Entries:
        query = select(Device.id, Device.kind, Device.school_id).where(Device.holds())
        if device is not None:
            query = query.where(Device.id == device)
        try:
            with self._engine.connect() as connection:
                return {row.id: Entry(row.kind, row.school_id) for row in connection.execute(query)}
        except SQLAlchemyError as error:
            raise StoreError(f"register cannot be read: {sentence(error)}") from error
