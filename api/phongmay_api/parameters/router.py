"""Routes of parameters: what holds for a unit, what another value would change, setting it."""

from __future__ import annotations

from collections import Counter

from phongmay_api.access.scope import CurrentScope, Scope
from phongmay_api.context import Shared
from phongmay_api.language import ApiLanguage
from phongmay_api.paging import Page
from phongmay_api.parameters import acting
from phongmay_api.parameters.schemas import (
    ChangedOut,
    EffectOut,
    InForceDetail,
    InForceOut,
    KeptOut,
    MoveOut,
    SetOut,
    SettingIn,
    WantedIn,
)
from phongmay_api.problems import Problem, bad_value, forbidden, not_found
from phongmay_api.routing import api_router
from phongmay_api.rules.queries import parameter_names
from phongmay_rules.adopting import AdoptionError, OrderError
from phongmay_rules.deciding import RightError
from phongmay_rules.explain import sentence
from phongmay_rules.model import Pack
from phongmay_rules.setting import InForce, SettingError, past_values
from phongmay_store.register.compliance import Parameter

router = api_router("parameters")
_MOST = 500


@router.get("/organisation-units/{unit_id}/parameters", summary="List parameters as they hold for a unit")
def list_parameters(scope: CurrentScope, context: Shared, unit_id: str) -> Page[InForceOut]:
    """Give every parameter of the packs with the value in force, its default, bounds, and who set it, when and why."""
    found = acting.in_force(scope, context.pack, unit_id)
    return Page(items=[InForceOut(**_out(scope, context.pack, one)) for one in found.values()], next_cursor=None)


@router.get("/organisation-units/{unit_id}/parameters/{parameter}", summary="Get a parameter as it holds for a unit")
def get_parameter(scope: CurrentScope, context: Shared, unit_id: str, parameter: str) -> InForceDetail:
    """Give one parameter with all that was set for it."""
    above = acting.lineage(scope, unit_id)
    found = acting.in_force(scope, context.pack, unit_id).get(parameter)
    if found is None:
        raise not_found("parameter")
    return _detail(scope, context.pack, found, above)


@router.post(
    "/organisation-units/{unit_id}/parameters/{parameter}/preview", summary="See what another value would change"
)
def preview_parameter(
    scope: CurrentScope, context: Shared, language: ApiLanguage, unit_id: str, parameter: str, wanted: WantedIn
) -> EffectOut:
    """Judge the unit and everything below it twice, by the present value and by the wanted one; nothing is written."""
    present = acting.in_force(scope, context.pack, unit_id).get(parameter)
    if present is None:
        raise not_found("parameter")
    try:
        found = acting.preview(scope, context.pack, unit_id, parameter, wanted.value)
    except (SettingError, RightError) as error:
        raise _problem(error) from error
    moves = Counter((change.key[2], change.before.state, change.after.state) for change in found.changes)
    return EffectOut(
        before=present.value,
        after=wanted.value,
        judged=found.judged,
        changed=len(found.changes),
        kept=[KeptOut(unit_id=one.unit_id, value=one.value, in_bounds=one.in_bounds) for one in found.kept],
        moves=[
            MoveOut(rule_id=rule, before=before, after=after, count=count)
            for (rule, before, after), count in sorted(moves.items())
        ],
        changes=[
            ChangedOut(
                subject_kind=change.key[0], subject_id=change.key[1], rule_id=change.key[2],
                before=change.before.state, after=change.after.state,
                sentence=sentence(change.after, context.pack.rules[change.key[2]], language),
            )
            for change in found.changes[:_MOST]
        ],
    )  # fmt: skip


@router.put("/organisation-units/{unit_id}/parameters/{parameter}", summary="Set a parameter for a unit")
def put_parameter(
    scope: CurrentScope, context: Shared, unit_id: str, parameter: str, wanted: SettingIn
) -> InForceDetail:
    """Set a value from now or from a day on: the next evaluation then judges by it, old verdicts stand."""
    above = acting.lineage(scope, unit_id)
    try:
        done = acting.publish(
            scope, context.pack, unit_id, parameter, wanted.value, reason=wanted.reason, was=wanted.was,
            day=wanted.valid_from,
        )  # fmt: skip
    except (SettingError, RightError, AdoptionError) as error:
        raise _problem(error) from error
    return _detail(scope, context.pack, done, above)


def _problem(error: SettingError | RightError | AdoptionError) -> Problem:
    if isinstance(error, RightError):
        return forbidden(str(error))
    if isinstance(error, OrderError):
        return bad_value("body/valid_from", str(error))
    if isinstance(error, AdoptionError):
        return bad_value("body/reason", str(error))
    return not_found("parameter") if error.code == "unknown" else bad_value("body/value", str(error))


def _set(scope: Scope, row: Parameter) -> SetOut:
    return SetOut(
        unit_id=row.unit_id if row.unit_id in scope.visible else None, value=row.value, set_by=row.set_by,
        reason=row.reason, recorded_at=row.recorded_at, valid_from=row.begins_at,
    )  # fmt: skip


def _detail(scope: Scope, pack: Pack, one: InForce, above: list[str]) -> InForceDetail:
    rows = past_values(scope.session, pack, one.name, scope.visible.intersection(above))
    return InForceDetail(**_out(scope, pack, one), history=[_set(scope, row) for row in rows])


def _out(scope: Scope, pack: Pack, one: InForce) -> dict[str, object]:
    declared = one.declared
    return {
        "parameter": one.name,
        "pack_id": one.pack_id,
        "about": declared.about,
        "unit": declared.unit,
        "value": one.value,
        "default": declared.value,
        "low": declared.low,
        "high": declared.high,
        "fixed": one.is_fixed,
        "in_bounds": one.in_bounds,
        "number_from": declared.number_from,
        "source": declared.source,
        "rules": sorted(rule.id for rule in pack.rules.values() if one.name in set(parameter_names(pack, rule))),
        "set": _set(scope, one.row) if one.row else None,
        "pending": _set(scope, one.pending) if one.pending else None,
    }
