"""Holds the verdicts in the register against those that the simulator expects, and receipts against stored rows.

Expected verdicts and the ledger go in as the JSON that `phongmay simulate run` wrote; differences come out as
sentences. An expected verdict that is not there is a difference too, and so is one that nobody expected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from phongmay_simulate.district import REAL_CODE, REAL_SCHOOL
from phongmay_simulate.ledger import compare
from phongmay_store.register.compliance import CurrentVerdict, SubjectKind, Verdict
from phongmay_store.register.device import Device
from phongmay_store.register.organisation import ExternalId, Unit, UnitKind
from phongmay_store.register.place import Room
from phongmay_store.series.interface import SeriesReader

Key = tuple[str, str, str]
"""(kind of subject, natural name of the subject, rule)."""


def natural_names(session: Session) -> dict[tuple[str, str], str]:
    """Give, for (kind, register id), the name by which the simulator knows a subject."""
    names: dict[tuple[str, str], str] = {}
    external = {row.unit_id: f"{row.issuer}:{row.value}" for row in session.scalars(select(ExternalId))}
    for unit in session.scalars(Unit.at()):
        kind = SubjectKind.SCHOOL if unit.kind == UnitKind.SCHOOL else SubjectKind.DISTRICT
        names[kind, unit.id] = external.get(unit.id, unit.id)
    for room in session.scalars(Room.at()):
        names[SubjectKind.ROOM, room.id] = f"{external.get(room.school_id, room.school_id)}/{room.name}"
    for device in session.scalars(Device.at()):
        names[SubjectKind.DEVICE, device.id] = device.code
    return names


def actual_states(session: Session) -> dict[Key, str]:
    """Give the state of every current verdict."""
    names = natural_names(session)
    rows = session.execute(
        select(Verdict.subject_kind, Verdict.subject_id, Verdict.rule_id, Verdict.state).join(
            CurrentVerdict, CurrentVerdict.verdict_id == Verdict.id
        )
    )
    return {(kind, names.get((kind, subject), subject), rule): state for kind, subject, rule, state in rows}


def differences(session: Session, expected: Sequence[Mapping[str, str]]) -> list[str]:
    """Compare; an empty list means that every verdict is the expected one.

    The real PC, its room and its school are left out: what this machine is, the simulator cannot know.
    """
    actual = actual_states(session)
    wanted = {(item["subject_kind"], item["subject"], item["rule"]): item for item in expected}
    out = []
    for key, item in wanted.items():
        state = actual.get(key, "no verdict")
        if state != item["state"]:
            out.append(f"{item['rule']} of {key[0]} {key[1]}: expected {item['state']} ({item['why']}), found {state}")
    for key, state in actual.items():
        real = key[1] == REAL_CODE or key[1].split("/")[0] == REAL_SCHOOL
        if key not in wanted and not real:
            out.append(f"{key[2]} of {key[0]} {key[1]}: {state}, which nobody expected")
    return out


def losses(series: SeriesReader, ledger: Sequence[Mapping[str, Any]], rows_from: float) -> list[str]:
    """Compare the simulator's ledger with the store: what is lost, doubled or refused, to the envelope."""
    out = [f"{entry['code']}: refused {entry['refused']}" for entry in ledger if entry["refused"]]
    found = compare(series, ledger, rows_from=rows_from)
    out += [f"{name}: lost" for name in found.lost]
    return out + [f"{name}: stored twice" for name in found.doubled]
