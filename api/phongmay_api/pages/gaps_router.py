"""Page of the gap list with a field for the budget, and its workbook for the finance office."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from phongmay_api.access.scope import CurrentScope, Scope, authorize
from phongmay_api.context import Context, Shared
from phongmay_api.gaps.queries import MAX_BUDGET, gap_list
from phongmay_api.pages.district import crumbs
from phongmay_api.pages.gaps import gaps_view
from phongmay_api.pages.rendering import language_texts, render
from phongmay_api.problems import Problem, bad_value
from phongmay_rules.gaps.sheets import workbook
from phongmay_store.register.organisation import Unit

router = APIRouter(dependencies=[Depends(authorize)], include_in_schema=False)
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
Budget = Annotated[str, Query(max_length=40)]
_TOLD = {"no_solver": "gaps_no_solver", "solver_busy": "gaps_busy", "bad_value": "gaps_bad_budget"}


def _amount(text: str) -> int | None:
    """Read an amount as people write it: 500.000.000, 500 000 000, 500000000; "" = no limit.

    Raises:
        Problem: 422, it is no such amount.
    """
    plain = re.sub(r"[\s.,_]|đ$", "", text.strip())
    if not plain:
        return None
    if not re.fullmatch(r"[0-9]{1,14}", plain) or int(plain) > MAX_BUDGET:
        raise bad_value("query/budget", "the budget must be a whole number of VND, 0 or more")
    return int(plain)


def _unit(scope: Scope, unit_id: str) -> Unit:
    return scope.one(Unit, "organisation unit", Unit.id == unit_id)


@router.get("/units/{unit_id}/gaps")
def gaps_page(request: Request, context: Shared, scope: CurrentScope, unit_id: str, budget: Budget = "") -> Response:
    """Show what to buy for a unit; a list that cannot be made says why and what to do."""
    unit, words = _unit(scope, unit_id), language_texts(request)
    view, problem, status = None, "", HTTPStatus.OK
    try:
        view = gaps_view(scope, unit, gap_list(scope, context.pack, unit, _amount(budget)), words)
    except Problem as error:
        problem, status = words(_TOLD.get(error.code, "gaps_too_long")), error.status
    return render(
        request,
        "gaps.html",
        scope=scope,
        status=status,
        secure=context.settings.secure_cookies,
        unit=unit,
        above=[*crumbs(scope, unit), unit],
        view=view,
        problem=problem,
        asked=budget,
        sample=unit.is_sample,
    )


@router.get("/units/{unit_id}/gaps.xlsx")
def gaps_workbook(context: Shared, scope: CurrentScope, unit_id: str, budget: Budget = "") -> Response:
    """Give the list as a workbook."""
    return _workbook(context, scope, _unit(scope, unit_id), _amount(budget))


def _workbook(context: Context, scope: Scope, unit: Unit, budget: int | None) -> Response:
    found = gap_list(scope, context.pack, unit, budget)
    name = f"danh-muc-can-bo-sung-{found.standing.at:%Y%m%d}.xlsx"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(workbook(found), media_type=_XLSX, headers=headers)
