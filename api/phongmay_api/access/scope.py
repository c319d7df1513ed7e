"""Where somebody may do something: `authorize()` guards every route, and a Scope is the only way to the register.

Nobody: 401. A role that lacks the permission: 403. A row outside the organisation subtree: 404, as if it did not
exist. A form of a browser session without its form token: 403.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Request
from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from phongmay_api.access.permissions import ROLES, ROUTES, SIGNED, Permission
from phongmay_api.access.principal import Principal, identify
from phongmay_api.context import RegisterSession
from phongmay_api.problems import forbidden, not_found, unauthorized
from phongmay_store.register.attachment import Attachment
from phongmay_store.register.base import Base, Versioned
from phongmay_store.register.campaign import Campaign, CampaignResult, CampaignRun
from phongmay_store.register.compliance import CurrentFact, CurrentVerdict, EvaluationRun, Fact, Verdict
from phongmay_store.register.decisions import Attestation, Dispute, Waiver
from phongmay_store.register.declared import Declared
from phongmay_store.register.device import Device
from phongmay_store.register.organisation import Unit, subtree
from phongmay_store.register.place import Line, Room

T = TypeVar("T", bound=Base)
FORM_TOKEN = "form_token"  # noqa: S105 the name of the field, not a secret
MAX_FIELD_BYTES = 4 * 1024**2
"""Characters of one field of a form: a school's file of 2 MiB travels in one, between preview and confirmation."""
_SAFE = frozenset({"GET", "HEAD"})
_UNIT_OF: dict[type[Base], InstrumentedAttribute[str]] = {
    Unit: Unit.id,
    Room: Room.school_id,
    Line: Line.school_id,
    Declared: Declared.school_id,
    Attachment: Attachment.unit_id,
    Device: Device.school_id,
    Verdict: Verdict.unit_id,
    CurrentVerdict: CurrentVerdict.unit_id,
    Fact: Fact.unit_id,
    CurrentFact: CurrentFact.unit_id,
    EvaluationRun: EvaluationRun.unit_id,
    Waiver: Waiver.unit_id,
    Attestation: Attestation.unit_id,
    Dispute: Dispute.unit_id,
    Campaign: Campaign.unit_id,
    CampaignRun: CampaignRun.school_id,
    CampaignResult: CampaignResult.school_id,
}
"""Which column of a table says to whom its rows belong. A table that is not here cannot be read through a scope."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What one request may touch.

    Attributes:
        session: the register.
        principal: who asks.
        units: units where the route's permission is held; of each grant parents before children.
        visible: units where any role is held; only decides between 403 and 404.
    """

    session: Session
    principal: Principal
    units: tuple[Unit, ...]
    visible: frozenset[str]

    @property
    def unit_ids(self) -> frozenset[str]:
        """Ids of the units where the permission is held."""
        return frozenset(unit.id for unit in self.units)

    def select(self, table: type[T], within: Iterable[str] | None = None) -> Select[T]:
        """Select rows of a table inside the scope; of versioned tables those that hold now.

        Args:
            table: one of those that belong to a unit.
            within: only rows of these units, as far as they are in the scope.
        """
        units = self.unit_ids if within is None else self.unit_ids.intersection(within)
        statement = select(table).where(_UNIT_OF[table].in_(sorted(units)))
        return statement.where(table.holds()) if issubclass(table, Versioned) else statement

    def one(self, table: type[T], what: str, *conditions: ColumnElement[bool]) -> T:
        """Give the one row that meets the conditions.

        Raises:
            Problem: 404 when there is none in any visible unit, 403 when it is in one without the permission.
        """
        statement = select(table).where(_UNIT_OF[table].in_(sorted(self.visible)), *conditions)
        if issubclass(table, Versioned):
            statement = statement.where(table.holds())
        row = self.session.scalar(statement)
        if row is None:
            raise not_found(what)
        if getattr(row, _UNIT_OF[table].key) not in self.unit_ids:
            raise forbidden()
        return row

    def may(self, permission: Permission, unit_id: str) -> bool:
        """Tell whether another permission is held on a unit: a page shows its form only to those who may send it."""
        return any(
            role in ROLES[permission] and any(unit.id == unit_id for unit in subtree(self.session, granted))
            for granted, role in self.principal.grants.items()
        )

    def below(self, unit_id: str) -> list[Unit]:
        """Give a unit and everything below it, parents first.

        Raises:
            Problem: 404 when the unit is outside, 403 when the permission is not held there.
        """
        self.one(Unit, "organisation unit", Unit.id == unit_id)
        return [unit for unit in subtree(self.session, unit_id) if unit.id in self.unit_ids]


def permission_of(request: Request) -> Permission:
    """Look the matched route up in the table of permissions."""
    method = "GET" if request.method == "HEAD" else request.method
    return ROUTES[method, request.scope["route"].path]


async def submitted_form_token(request: Request) -> str:
    """Give the form token that an unsafe request brings, in its form or in the header X-Form-Token."""
    if request.method in _SAFE:
        return ""
    if request.headers.get("content-type", "").startswith(("application/x-www-form-urlencoded", "multipart/form-data")):
        form = await request.form(max_files=1, max_part_size=MAX_FIELD_BYTES)
        return str(form.get(FORM_TOKEN, "")) or request.headers.get("x-form-token", "")
    return request.headers.get("x-form-token", "")


def authorize(
    request: Request, session: RegisterSession, form_token: Annotated[str, Depends(submitted_form_token)]
) -> Scope | None:
    """Decide whether this request may go on, and how far it reaches; None for public routes.

    Raises:
        Problem: 401 for nobody, 403 without the permission or the form token.
    """
    permission = permission_of(request)
    if permission is Permission.PUBLIC:
        return None
    principal = identify(session, request)
    if principal is None:
        raise unauthorized()
    if (
        request.method not in _SAFE
        and principal.form_token is not None
        and not hmac.compare_digest(form_token.encode(), principal.form_token.encode())
    ):
        raise forbidden("This form is too old or does not come from this site; load the page again.")
    if permission in SIGNED and not principal.is_account:
        raise forbidden("Decisions are signed by a person: sign in with an account; an API key cannot sign.")
    roles = ROLES[permission]
    if not any(role in roles for role in principal.grants.values()):
        raise forbidden()
    permitted: dict[str, Unit] = {}
    visible: set[str] = set()
    for unit_id, role in principal.grants.items():
        units = subtree(session, unit_id)
        visible.update(unit.id for unit in units)
        if role in roles:
            permitted.update((unit.id, unit) for unit in units)
    return Scope(session, principal, tuple(permitted.values()), frozenset(visible))


def required_scope(scope: Annotated[Scope | None, Depends(authorize)]) -> Scope:
    """Give the scope of a route that is not public."""
    if scope is None:
        raise AssertionError("a route that the table calls public asks for a scope")
    return scope


CurrentScope = Annotated[Scope, Depends(required_scope)]
