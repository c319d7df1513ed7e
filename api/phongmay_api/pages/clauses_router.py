"""Page of how a unit stands against every clause."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response

from phongmay_api.access.scope import CurrentScope, authorize
from phongmay_api.context import Shared
from phongmay_api.pages.clauses import clauses_view
from phongmay_api.pages.rendering import language_texts, render
from phongmay_store.register.organisation import Unit

router = APIRouter(dependencies=[Depends(authorize)], include_in_schema=False)


@router.get("/units/{unit_id}/clauses")
def clauses_page(request: Request, context: Shared, scope: CurrentScope, unit_id: str) -> Response:
    """Show every clause for a unit."""
    unit = scope.one(Unit, "organisation unit", Unit.id == unit_id)
    return render(
        request,
        "clauses.html",
        scope=scope,
        secure=context.settings.secure_cookies,
        view=clauses_view(scope, context.pack, unit, language_texts(request)),
        sample=unit.is_sample,
    )
