"""Routes of compliance as a whole."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Response

from phongmay_api.access.scope import CurrentScope, Scope
from phongmay_api.compliance import queries
from phongmay_api.compliance.csv import write_csv
from phongmay_api.compliance.queries import UnitShares
from phongmay_api.compliance.schemas import ComplianceOut, GroupOut, UnitCompliance, shares
from phongmay_api.context import Shared
from phongmay_api.language import ApiLanguage
from phongmay_api.problems import forbidden
from phongmay_api.routing import api_router
from phongmay_rules.explain import state_name
from phongmay_rules.model import Pack
from phongmay_store.register.compliance import State
from phongmay_store.register.organisation import Unit

router = api_router("compliance")
UnitId = Annotated[str | None, Query(description="Unit to sum up; default: the highest that you may see.")]


def _units(scope: Scope, unit: str | None) -> list[Unit]:
    if unit is None and not scope.units:
        raise forbidden("No organisation unit is granted to you.")
    return scope.below(unit or scope.units[0].id)


def _out(scope: Scope, pack: Pack, found: UnitShares) -> UnitCompliance:
    unit = found.unit
    return UnitCompliance(
        unit_id=unit.id,
        parent_id=unit.parent_id if unit.parent_id in scope.visible else None,
        kind=unit.kind,
        level=unit.level,
        name=unit.name,
        is_sample=unit.is_sample,
        evaluated_at=found.evaluated_at,
        stale=found.stale,
        groups=[
            GroupOut(group=group, title=queries.group_title(pack, group), shares=shares(counts))
            for group, counts in found.groups.items()
        ],
        shares=shares(found.total),
        clauses=shares(found.clauses),
    )


@router.get("/compliance", summary="Shares per school and district")
def compliance(scope: CurrentScope, context: Shared, unit: UnitId = None) -> ComplianceOut:
    """Count the verdicts of a unit and of each unit below it by group of rules and state. All states are counted."""
    found = [_out(scope, context.pack, entry) for entry in queries.shares_of(scope, context.pack, _units(scope, unit))]
    return ComplianceOut(unit=found[0], below=found[1:])


@router.get(
    "/compliance.csv",
    summary="Shares per school and district as CSV",
    response_class=Response,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "UTF-8 with BOM."}},
)
def compliance_csv(scope: CurrentScope, context: Shared, language: ApiLanguage, unit: UnitId = None) -> Response:
    """Give the same counts as a table, one line a unit and group; headings in the language asked for."""
    states = [state.value for state in State]
    header = ["unit_id", "name", "kind", "level", "sample", "group", "group_title"]
    header += [state_name(state, language).lower() for state in states]
    header += ["total", "evaluated_at", "stale"]
    rows: list[list[object]] = []
    for entry in queries.shares_of(scope, context.pack, _units(scope, unit)):
        for group, counts in entry.groups.items():
            title = queries.group_title(context.pack, group).in_(language)
            about = [entry.unit.id, entry.unit.name, entry.unit.kind, entry.unit.level, int(entry.unit.is_sample)]
            at = entry.evaluated_at.isoformat() if entry.evaluated_at else ""
            numbers = [counts[state] for state in states]
            rows.append([*about, group, title, *numbers, sum(numbers), at, int(entry.stale)])
    return Response(
        write_csv(header, rows),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="compliance.csv"'},
    )
