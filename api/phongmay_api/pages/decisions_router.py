"""Pages of decisions and the forms by which people decide. After a form the browser is led back to a page (303).

What cannot be decided is told on that page in the reader's language; what is outside the scope is a 404 as elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Path, Request, Response
from fastapi.responses import RedirectResponse

from phongmay_api.access.scope import CurrentScope, authorize
from phongmay_api.context import Shared
from phongmay_api.decisions import acting
from phongmay_api.pages.decisions import decisions_view
from phongmay_api.pages.rendering import language_texts, render
from phongmay_rules.deciding import CODES, DecisionError
from phongmay_store.register.compliance import Verdict
from phongmay_store.register.decisions import Dispute, Waiver
from phongmay_store.register.organisation import Unit
from phongmay_store.register.timetable import LOCAL

router = APIRouter(dependencies=[Depends(authorize)], include_in_schema=False)
Number = Annotated[int, Path(ge=1, le=2**53)]
Line = Annotated[str, Form(max_length=2000)]


def end_of(day: str) -> datetime:
    """Give the first instant after a local day of a form ("2026-11-30").

    Raises:
        DecisionError: it is no day.
    """
    try:
        following = date.fromisoformat(day) + timedelta(days=1)
    except (ValueError, OverflowError) as error:
        raise DecisionError(f"{day!r} is not a day such as 2026-11-30", "period") from error
    return datetime.combine(following, time(), LOCAL)


def told(request: Request) -> tuple[str, bool]:
    """Give what the page says about the form that led to it, and whether that is a problem."""
    words = language_texts(request)
    code = request.query_params.get("problem", "")
    if code in CODES:
        return words.word("decision_problem", code), True
    done = {"yes": "decision_done", "later": "decision_not_rechecked"}.get(request.query_params.get("done", ""))
    return (words(done), False) if done else ("", False)


def _back(path: str, decide: Callable[[], str]) -> Response:
    """Decide, and lead to a page that tells what came of it."""
    try:
        query = {"done": decide()}
    except DecisionError as error:
        query = {"problem": error.code}
    return RedirectResponse(f"{path}?{urlencode(query)}#decisions", HTTPStatus.SEE_OTHER.value)


@router.get("/units/{unit_id}/decisions")
def decisions_page(request: Request, context: Shared, scope: CurrentScope, unit_id: str) -> Response:
    """Show the disputes, waivers and statements of a unit and everything below it."""
    unit = scope.one(Unit, "organisation unit", Unit.id == unit_id)
    view = decisions_view(scope, context.pack, unit, language_texts(request))
    return render(
        request,
        "decisions.html",
        scope=scope,
        secure=context.settings.secure_cookies,
        view=view,
        told=told(request),
        today=datetime.now(LOCAL).date(),
        sample=view.sample,
    )


@router.post("/verdicts/{verdict_id}/dispute")
def dispute_verdict(context: Shared, scope: CurrentScope, verdict_id: Number, text: Line = "") -> Response:
    """Open a dispute."""

    def decide() -> str:
        found = acting.dispute(scope, context, verdict_id, text=text)
        return "yes" if found.recheck else "later"

    return _back(f"/verdicts/{verdict_id}", decide)


@router.post("/verdicts/{verdict_id}/waiver")
def waive_verdict(
    context: Shared, scope: CurrentScope, verdict_id: Number, reason: Line = "", until: Line = ""
) -> Response:
    """Waive the rule of a verdict for its subject."""
    verdict = scope.one(Verdict, "verdict", Verdict.id == verdict_id)

    def decide() -> str:
        acting.waive(
            scope, context.pack, verdict.subject_id, verdict.rule_id, reason=reason, valid_to=end_of(until)
        )  # fmt: skip
        return "yes"

    return _back(f"/verdicts/{verdict_id}", decide)


@router.post("/waivers/{waiver}/withdrawal")
def withdraw_waiver(scope: CurrentScope, waiver: Number, reason: Line = "") -> Response:
    """End a waiver."""
    unit = scope.one(Waiver, "waiver", Waiver.number == waiver).unit_id

    def decide() -> str:
        acting.withdraw(scope, waiver, reason=reason)
        return "yes"

    return _back(f"/units/{unit}/decisions", decide)


@router.post("/disputes/{dispute}/answer")
def answer_dispute(
    scope: CurrentScope, dispute: Number, text: Line = "", decision: Annotated[str, Form(max_length=20)] = ""
) -> Response:
    """Answer a dispute; only the button for it upholds."""
    unit = scope.one(Dispute, "dispute", Dispute.number == dispute, Dispute.opened.is_(None)).unit_id

    def decide() -> str:
        acting.answer(scope, dispute, upheld=decision == "upheld", text=text)
        return "yes"

    return _back(f"/units/{unit}/decisions", decide)


@router.post("/units/{unit_id}/attestation")
def attest_clause(
    context: Shared,
    scope: CurrentScope,
    unit_id: str,
    clause: Annotated[str, Form(max_length=100)] = "",
    met: Annotated[str, Form(max_length=3)] = "",
    statement: Line = "",
    until: Line = "",
    attachment_name: Annotated[str, Form(max_length=200)] = "",
    attachment_hash: Annotated[str, Form(pattern=r"^([0-9a-f]{64})?$")] = "",
) -> Response:
    """Record a statement on a clause."""

    def decide() -> str:
        acting.attest(
            scope, context.pack, unit_id, clause, met=met == "yes", statement=statement, valid_to=end_of(until),
            attachment=(attachment_name, attachment_hash),
        )  # fmt: skip
        return "yes"

    return _back(f"/units/{unit_id}/decisions", decide)
