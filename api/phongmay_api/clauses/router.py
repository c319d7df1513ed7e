"""Routes of clauses: one unit with all of them, or all schools of a unit as a table."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Response

from phongmay_api.access.scope import CurrentScope
from phongmay_api.clauses.queries import standings_of
from phongmay_api.clauses.schemas import ClausesOut, ClauseStandingOut, StatementOut
from phongmay_api.compliance.csv import write_csv
from phongmay_api.compliance.schemas import shares
from phongmay_api.context import Shared
from phongmay_api.language import ApiLanguage
from phongmay_api.problems import forbidden
from phongmay_api.routing import api_router
from phongmay_rules.clauses import ClauseStanding, count
from phongmay_rules.explain import state_name
from phongmay_rules.summary import summarise
from phongmay_store.register.compliance import State
from phongmay_store.register.organisation import Unit

router = api_router("clauses")


def _out(found: ClauseStanding) -> ClauseStandingOut:
    clause, stated = found.clause, found.stated
    return ClauseStandingOut(
        clause=clause.id, document=clause.document, locator=clause.locator, text=clause.text,
        assessment=clause.assessment, note=clause.note, state=found.state.value, rules=list(found.rules),
        switched_off=list(found.off), verdicts=shares(found.verdicts.counts),
        stated=None
        if stated is None
        else StatementOut(
            number=stated.number, met=stated.met, statement=stated.statement, signed_by=stated.signed_by,
            valid_to=stated.valid_to,
        ),
    )  # fmt: skip


@router.get("/organisation-units/{unit_id}/clauses", summary="How a unit stands against every clause")
def unit_clauses(scope: CurrentScope, context: Shared, unit_id: str) -> ClausesOut:
    """Give every clause of the packs in force with its state for a unit, those that no machine judges included."""
    unit = scope.one(Unit, "organisation unit", Unit.id == unit_id)
    summary = summarise(scope.session, [unit.id], pack=context.pack)
    found = standings_of(scope, context.pack, [unit], summary)[unit.id]
    stated = [row.stated.met for row in found if row.state is State.MANUAL and row.stated is not None]
    return ClausesOut(
        unit_id=unit.id, evaluated_at=summary[unit.id].last_run, stale=summary[unit.id].is_stale,
        shares=shares(count(found).counts), stated_met=sum(stated), stated_not_met=len(stated) - sum(stated),
        clauses=[_out(row) for row in found],
    )  # fmt: skip


@router.get(
    "/clauses.csv",
    summary="Every school against every clause as CSV",
    response_class=Response,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "UTF-8 with BOM."}},
)
def clauses_csv(
    scope: CurrentScope,
    context: Shared,
    language: ApiLanguage,
    unit: Annotated[str | None, Query(description="Unit; default: the highest that you may see.")] = None,
) -> Response:
    """Give one line a unit and clause: the unit asked for, then every unit below it."""
    if unit is None and not scope.units:
        raise forbidden("No organisation unit is granted to you.")
    units = scope.below(unit or scope.units[0].id)
    found = standings_of(scope, context.pack, units)
    header = ["unit_id", "name", "kind", "level", "sample", "clause", "locator", "text", "assessment", "state",
              "state_name", "rules", "stated_met", "signed_by", "switched_off"]  # fmt: skip
    rows: list[list[object]] = []
    for entry in units:
        for row in found[entry.id]:
            said = row.stated
            rows.append([
                entry.id, entry.name, entry.kind, entry.level, int(entry.is_sample), row.clause.id,
                row.clause.locator.in_(language), row.clause.text.in_(language), row.clause.assessment.value,
                row.state.value, state_name(row.state, language), " ".join(row.rules),
                "" if said is None else int(said.met), "" if said is None else said.signed_by, " ".join(row.off),
            ])  # fmt: skip
    return Response(
        write_csv(header, rows),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="clauses.csv"'},
    )
