"""What a person names on the command line becomes ids: units by id or issuer:value, devices by their codes too.

A unit that the register never had raises OperatorError. Units that have ended are found as well: the past is asked for.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from phongmay_contract.errors import OperatorError
from phongmay_store.register.device import Device
from phongmay_store.register.organisation import ExternalId, Unit, find_external
from phongmay_store.register.place import Room


def unit_named(session: Session, name: str) -> Unit:
    """Give the newest version of the unit that an id or issuer:value means.

    Raises:
        OperatorError: there never was one.
    """
    issuer, _, value = name.partition(":")
    unit_id = find_external(session, issuer, value) or name
    newest = select(Unit).where(Unit.id == unit_id, Unit.known()).order_by(Unit.valid_from.desc()).limit(1)
    found = session.scalar(newest)
    if found is None:
        raise OperatorError(f"the register has no organisation unit {name!r}; give its id or its issuer:value")
    return found


def subjects_named(session: Session, name: str) -> set[str]:
    """Give the ids that a name may mean: itself, devices that ever had that code, the unit of that external id."""
    issuer, _, value = name.partition(":")
    codes = select(Device.id).where(Device.code == name, Device.known())
    units = select(ExternalId.unit_id).where(ExternalId.issuer == issuer, ExternalId.value == value)
    return {name, *session.scalars(codes), *session.scalars(units)}


def subject_named(session: Session, name: str) -> str:
    """Give the one present device, room or unit that a name means.

    Raises:
        OperatorError: there is none, or the code stands on devices of several schools.
    """
    found = [one for one in sorted(subjects_named(session, name)) if _is_there(session, one)]
    if len(found) > 1:
        raise OperatorError(f"{name!r} may mean any of {', '.join(found)}; give the id of one")
    if not found:
        raise OperatorError(
            f"there is no device, room or unit {name!r}; give its id, a device's code or a unit's issuer:value"
        )
    return found[0]


def _is_there(session: Session, subject: str) -> bool:
    return any(
        session.scalar(select(kind.id).where(kind.holds() & (kind.id == subject))) for kind in (Device, Room, Unit)
    )
