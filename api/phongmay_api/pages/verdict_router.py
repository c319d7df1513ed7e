"""The page of a verdict and the two forms on it: dispute it, waive its rule."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from phongmay_api.access.scope import CurrentScope, Scope, authorize
from phongmay_api.context import Context, Shared
from phongmay_api.decisions import acting
from phongmay_api.pages.deciding import NOT_REFUSED, Refused, decide_or_show, end_of, told
from phongmay_api.pages.decisions import disputes_about
from phongmay_api.pages.forms import Sent, texts_of
from phongmay_api.pages.proof import verdict_view
from phongmay_api.pages.rendering import language_texts, render
from phongmay_api.verdicts import queries as verdicts
from phongmay_rules.deciding import may_decide
from phongmay_store.register.compliance import State, Verdict
from phongmay_store.register.timetable import LOCAL

router = APIRouter(dependencies=[Depends(authorize)], include_in_schema=False)
Number = Annotated[int, Path(ge=1, le=2**53)]
_WAIVABLE = (State.FAIL, State.ERROR)


def _page(
    request: Request, context: Context, scope: Scope, verdict_id: int, refused: Refused = NOT_REFUSED
) -> Response:
    words = language_texts(request)
    view = verdict_view(scope, context.pack, verdicts.one(scope, verdict_id), words)
    verdict = view.item
    disputes = disputes_about(
        scope, context.pack, words, view.unit.id, (verdict.subject_kind, verdict.subject_id), [verdict.rule_id]
    ).get(verdict.rule_id, [])
    forms = set()
    if view.current_id is None and scope.principal.is_account:
        if not any(case.is_open for case in disputes):
            forms.add("dispute")
        if verdict.state in _WAIVABLE and may_decide(scope.session, scope.principal.name, view.unit.id):
            forms.add("waiver")
    return render(
        request,
        "verdict.html",
        scope=scope,
        status=refused.status,
        path=f"/verdicts/{verdict_id}",
        secure=context.settings.secure_cookies,
        view=view,
        disputes=disputes,
        forms=forms,
        refused=refused,
        told=told(request, refused),
        today=datetime.now(LOCAL).date(),
        sample=view.sample,
    )


@router.get("/verdicts/{verdict_id}")
def verdict_page(request: Request, context: Shared, scope: CurrentScope, verdict_id: Number) -> Response:
    """Show a verdict with everything needed to follow it."""
    return _page(request, context, scope, verdict_id)


@router.post("/verdicts/{verdict_id}/dispute")
def dispute_verdict(request: Request, context: Shared, scope: CurrentScope, verdict_id: Number, sent: Sent) -> Response:
    """Open a dispute."""
    form = texts_of(sent)

    def decide() -> str:
        found = acting.dispute(scope, context, verdict_id, text=form.get("text", ""))
        return "yes" if found.recheck else "later"

    return decide_or_show(
        request, context, scope, Refused("dispute", typed=form), decide, f"/verdicts/{verdict_id}",
        lambda refused: _page(request, context, scope, verdict_id, refused),
    )  # fmt: skip


@router.post("/verdicts/{verdict_id}/waiver")
def waive_verdict(request: Request, context: Shared, scope: CurrentScope, verdict_id: Number, sent: Sent) -> Response:
    """Waive the rule of a verdict for its subject."""
    verdict = scope.one(Verdict, "verdict", Verdict.id == verdict_id)
    form = texts_of(sent)

    def decide() -> str:
        acting.waive(
            scope, context.pack, verdict.subject_id, verdict.rule_id, reason=form.get("reason", ""),
            valid_to=end_of(form.get("until", "")),
        )  # fmt: skip
        return "yes"

    return decide_or_show(
        request, context, scope, Refused("waiver", typed=form), decide, f"/verdicts/{verdict_id}",
        lambda refused: _page(request, context, scope, verdict_id, refused),
    )  # fmt: skip
