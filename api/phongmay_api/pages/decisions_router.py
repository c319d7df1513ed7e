"""The page of decisions of a unit and the forms on it: withdraw a waiver, answer a dispute, state something.

What cannot be decided is told on that page with what was typed; what is outside the scope is a 404 as elsewhere.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from phongmay_api.access.scope import CurrentScope, Scope, authorize
from phongmay_api.attachments import queries as attachments
from phongmay_api.context import Context, Shared
from phongmay_api.decisions import acting
from phongmay_api.pages.deciding import NOT_REFUSED, Refused, decide_or_show, end_of, told
from phongmay_api.pages.decisions import decisions_view
from phongmay_api.pages.forms import Sent, file_of, texts_of
from phongmay_api.pages.rendering import language_texts, render
from phongmay_store.attachments import MIB
from phongmay_store.register.decisions import Dispute, Waiver
from phongmay_store.register.organisation import Unit
from phongmay_store.register.timetable import LOCAL

router = APIRouter(dependencies=[Depends(authorize)], include_in_schema=False)
Number = Annotated[int, Path(ge=1, le=2**53)]


def _page(request: Request, context: Context, scope: Scope, unit_id: str, refused: Refused = NOT_REFUSED) -> Response:
    unit = scope.one(Unit, "organisation unit", Unit.id == unit_id)
    view = decisions_view(scope, context.pack, unit, language_texts(request))
    return render(
        request,
        "decisions.html",
        scope=scope,
        status=refused.status,
        path=f"/units/{unit_id}/decisions",
        secure=context.settings.secure_cookies,
        view=view,
        forms=view.forms,
        refused=refused,
        told=told(request, refused),
        today=datetime.now(LOCAL).date(),
        max_mib=context.attachments.max_bytes // MIB,
        sample=view.sample,
    )


@router.get("/units/{unit_id}/decisions")
def decisions_page(request: Request, context: Shared, scope: CurrentScope, unit_id: str) -> Response:
    """Show the disputes, waivers and statements of a unit and everything below it."""
    return _page(request, context, scope, unit_id)


@router.post("/waivers/{waiver}/withdrawal")
def withdraw_waiver(request: Request, context: Shared, scope: CurrentScope, waiver: Number, sent: Sent) -> Response:
    """End a waiver."""
    unit = scope.one(Waiver, "waiver", Waiver.number == waiver).unit_id
    form = texts_of(sent)

    def decide() -> str:
        acting.withdraw(scope, waiver, reason=form.get("reason", ""))
        return "yes"

    return decide_or_show(
        request, context, scope, Refused(f"withdraw-{waiver}", typed=form), decide, f"/units/{unit}/decisions",
        lambda refused: _page(request, context, scope, unit, refused),
    )  # fmt: skip


@router.post("/disputes/{dispute}/answer")
def answer_dispute(request: Request, context: Shared, scope: CurrentScope, dispute: Number, sent: Sent) -> Response:
    """Answer a dispute; only the button for it upholds."""
    unit = scope.one(Dispute, "dispute", Dispute.number == dispute, Dispute.opened.is_(None)).unit_id
    form = texts_of(sent)

    def decide() -> str:
        acting.answer(scope, dispute, upheld=form.get("decision") == "upheld", text=form.get("text", ""))
        return "yes"

    return decide_or_show(
        request, context, scope, Refused(f"answer-{dispute}", typed=form), decide, f"/units/{unit}/decisions",
        lambda refused: _page(request, context, scope, unit, refused),
    )  # fmt: skip


@router.post("/units/{unit_id}/attestation")
def attest_clause(request: Request, context: Shared, scope: CurrentScope, unit_id: str, sent: Sent) -> Response:
    """Record a statement on a clause, with the file that shows it; the file's name is not kept: names name people."""
    form = texts_of(sent)
    uploaded = file_of(sent)

    def decide() -> str:
        file = None if uploaded is None else attachments.checked(context.attachments, uploaded[1])
        acting.attest(
            scope, context, unit_id, form.get("clause", ""), met=form.get("met") == "yes",
            statement=form.get("statement", ""), valid_to=end_of(form.get("until", "")), file=file,
        )  # fmt: skip
        return "yes"

    scope.one(Unit, "organisation unit", Unit.id == unit_id)
    return decide_or_show(
        request, context, scope, Refused("attestation", typed=form, with_file=uploaded is not None), decide,
        f"/units/{unit_id}/decisions", lambda refused: _page(request, context, scope, unit_id, refused),
    )  # fmt: skip
