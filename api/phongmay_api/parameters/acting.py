"""Looks at parameters of a unit of the scope, tries other values, and sets them: by the same functions as the command.

Outside the scope 404; no right to sign 403; a value that cannot be set 422; set by somebody else meanwhile 409.
"""

from __future__ import annotations

from datetime import date
from http import HTTPStatus

from phongmay_api.access.scope import Scope
from phongmay_api.problems import Problem
from phongmay_rules import adopting
from phongmay_rules.adopting import Effect
from phongmay_rules.deciding import require_officer
from phongmay_rules.model import Pack
from phongmay_rules.places import read_organisation
from phongmay_rules.setting import InForce, Settings, beginning, in_force_for, require_settable
from phongmay_store.register.base import utc_now
from phongmay_store.register.organisation import Unit


def lineage(scope: Scope, unit_id: str) -> list[str]:
    """Give a unit of the scope and those above it, nearest first.

    Raises:
        Problem: 404 or 403.
    """
    unit = scope.one(Unit, "organisation unit", Unit.id == unit_id)
    return list(read_organisation(scope.session, utc_now(), only=()).ancestry(unit.id))


def in_force(scope: Scope, pack: Pack, unit_id: str) -> Settings:
    """Give every parameter as it holds for a unit of the scope."""
    return in_force_for(scope.session, pack, lineage(scope, unit_id))


def preview(scope: Scope, pack: Pack, unit_id: str, name: str, value: float) -> Effect:
    """Tell what a value would change in a unit and below it; nothing is written.

    Raises:
        SettingError: it cannot be set.
        RightError: the principal may not set it there.
        Problem: outside the scope.
    """
    scope.one(Unit, "organisation unit", Unit.id == unit_id)
    require_officer(scope.session, scope.principal.name, unit_id)
    require_settable(pack, name, value)
    return adopting.effect(scope.session, pack, {name: value}, unit_id, within=unit_id)


def publish(
    scope: Scope, pack: Pack, unit_id: str, name: str, value: float, *, reason: str, was: float | None,
    day: date | None = None,
) -> InForce:  # fmt: skip
    """Set a value for a unit from now on, or from a local day on; what was judged before stands.

    Raises:
        SettingError: it cannot be set.
        RightError: the principal may not set it there.
        AdoptionError: there is no reason, it is too long, or the value would begin before the newest one (OrderError).
        Problem: outside the scope; 409: another value is in force than at the preview.
    """
    present = in_force(scope, pack, unit_id).get(name)
    require_settable(pack, name, value)
    assert present is not None  # noqa: S101 the packs have it
    if was is not None and was != present.value:
        detail = f"'{name}' is {present.value:g} by now, not {was:g}; look at the preview again."
        raise Problem(HTTPStatus.CONFLICT, "parameter_moved", detail)
    found = Effect({name: (present.value, value)} if day or value != present.value else {}, (), 0)
    adopting.publish(
        scope.session, pack, found, unit_id=unit_id, signed_by=scope.principal.name, reason=reason,
        valid_from=beginning(day),
    )  # fmt: skip
    scope.session.commit()
    return in_force(scope, pack, unit_id)[name]
