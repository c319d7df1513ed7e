"""Makes enrolment tokens inside a scope and turns tokens into identities."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from phongmay_api.access.scope import Scope
from phongmay_api.enrolment.schemas import EnrolmentIn, TokenIn
from phongmay_api.problems import bad_value
from phongmay_store.register.base import utc_now
from phongmay_store.register.enrolment import Identity, enrol, make_token
from phongmay_store.register.organisation import Unit, UnitKind
from phongmay_store.register.place import Room
from phongmay_store.register.sealing import Seal


def new_token(scope: Scope, wanted: TokenIn) -> tuple[str, datetime]:
    """Make a token for a school (and room) of the scope and commit it; give its text and end.

    Raises:
        Problem: 404 or 403 for school or room, 422 when the unit is not a school.
    """
    unit = scope.one(Unit, "organisation unit", Unit.id == wanted.unit)
    if unit.kind != UnitKind.SCHOOL:
        raise bad_value("body/unit", f"{unit.id} is a {unit.kind}; devices belong to schools")
    if wanted.room is not None:
        scope.one(Room, "room", Room.id == wanted.room, Room.school_id == unit.id)
    valid = timedelta(hours=wanted.valid_hours)
    text = make_token(scope.session, unit.id, room_id=wanted.room, uses=wanted.uses, valid=valid)
    ends = utc_now() + valid
    scope.session.commit()
    return text, ends


def new_identity(session: Session, wanted: EnrolmentIn, seal: Seal | None) -> Identity:
    """Enrol a machine and commit it.

    Raises:
        EnrolmentError: the token does not serve.
    """
    identity = enrol(session, wanted.token, fingerprint=wanted.fingerprint, code=wanted.code, seal=seal)
    session.commit()
    return identity
