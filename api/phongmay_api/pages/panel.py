"""The evidence panel: what one device, room or school is, whether it is heard of, and all verdicts on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from phongmay_api.access.scope import Scope
from phongmay_api.context import SeriesOpener
from phongmay_api.devices import queries as devices
from phongmay_api.pages.judged import Item, worst_first
from phongmay_api.pages.rendering import local_time
from phongmay_api.pages.texts import Texts
from phongmay_store.errors import StoreError
from phongmay_store.register.compliance import SubjectKind
from phongmay_store.register.place import Room


@dataclass(frozen=True, slots=True)
class Panel:
    """Evidence of one subject: labelled properties, an identity conflict if there is one, verdicts worst first.

    Attributes:
        disputed: newest step of the open dispute, by rule.
    """

    id: str
    name: str
    about: Sequence[tuple[str, str]]
    conflict: bool
    judged: Sequence[Item]
    disputed: Mapping[str, str]


def subject_panel(
    scope: Scope,
    series: SeriesOpener,
    subject: tuple[str, str],
    name: str,
    judged: list[Item],
    words: Texts,
    disputed: Mapping[str, str] | None = None,
) -> Panel:
    """Gather the panel of a subject of the scope."""
    kind, subject_id = subject
    about: list[tuple[str, str]] = []
    conflict = False
    if kind == SubjectKind.DEVICE:
        device = devices.device(scope, subject_id)
        conflict = bool(devices.in_conflict(scope, [device]))
        room = scope.session.scalar(scope.select(Room).where(Room.id == device.room_id))
        about = [
            (words("device_code"), device.code),
            (words.word("subject", kind), words.word("device_kind", device.kind)),
            (words("room"), room.name if room else "–"),
            (words("presence"), _presence(series, device.id, words)),
        ]
        if device.state != "in_service":
            about.append((words("result"), words.word("device_state", device.state)))
    else:
        about = [(words.word("subject", kind), name)]
    return Panel(subject_id, name, about, conflict, worst_first(judged), disputed or {})


def _presence(series: SeriesOpener, device: str, words: Texts) -> str:
    """Say whether a device is heard of; a series store that cannot be read must not hide the verdicts."""
    try:
        with series() as reader:
            found = devices.presences(reader, [device]).get(device)
    except StoreError:
        return words("presence_unreadable")
    if found is None:
        return words("presence_never")
    since = local_time(datetime.fromtimestamp(found.since, UTC), words)
    seen = local_time(datetime.fromtimestamp(found.last_seen, UTC), words)
    return f"{words('presence_' + found.state, time=since)}; {words('last_seen').lower()}: {seen}"
