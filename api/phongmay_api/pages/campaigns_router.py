"""Pages of bandwidth tests: those of a unit with the form that orders one, one run with its charts, its PDF and CSV."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from phongmay_api.access.scope import CurrentScope, Scope, authorize
from phongmay_api.campaigns import queries
from phongmay_api.campaigns.schemas import CampaignIn
from phongmay_api.context import Context, Shared
from phongmay_api.language import page_language
from phongmay_api.pages.campaigns import run_view, tests_view
from phongmay_api.pages.forms import Sent, texts_of
from phongmay_api.pages.rendering import language_texts, render
from phongmay_api.problems import Problem
from phongmay_campaigns.reporting.pdf import to_pdf
from phongmay_campaigns.reporting.table import to_csv
from phongmay_store.register.base import utc_now
from phongmay_store.register.organisation import Unit

router = APIRouter(dependencies=[Depends(authorize)], include_in_schema=False)


def _page(
    request: Request,
    context: Context,
    scope: Scope,
    unit_id: str,
    problem: str = "",
    status: HTTPStatus = HTTPStatus.OK,
) -> Response:
    unit = scope.one(Unit, "organisation unit", Unit.id == unit_id)
    return render(
        request,
        "campaigns.html",
        scope=scope,
        status=status,
        secure=context.settings.secure_cookies,
        path=f"/units/{unit_id}/campaigns",
        view=tests_view(scope, unit, page_language(request)),
        problem=problem,
        sample=unit.is_sample,
    )


@router.get("/units/{unit_id}/campaigns")
def campaigns_page(request: Request, context: Shared, scope: CurrentScope, unit_id: str) -> Response:
    """Show the tests of a unit and everything below it."""
    return _page(request, context, scope, unit_id)


@router.post("/units/{unit_id}/campaigns")
def order_campaign(request: Request, context: Shared, scope: CurrentScope, unit_id: str, sent: Sent) -> Response:
    """Order a test; what cannot be ordered is told on the page."""
    form = texts_of(sent)
    try:
        wanted = CampaignIn.model_validate(
            {
                "unit": unit_id, "room": form.get("room") or None, "kind": form.get("kind", "floor"),
                "mode": form.get("mode", "planned"), "wake": form.get("wake") == "yes",
            }
        )  # fmt: skip
        queries.start(scope, wanted)
    except (Problem, ValidationError) as error:
        if isinstance(error, Problem) and error.status is not HTTPStatus.UNPROCESSABLE_ENTITY:
            raise
        why = error.detail if isinstance(error, Problem) else str(error.errors()[0]["msg"])
        told = language_texts(request)("tests_refused", why=why)
        return _page(request, context, scope, unit_id, told, HTTPStatus.UNPROCESSABLE_ENTITY)
    return _back(f"/units/{unit_id}/campaigns")


@router.post("/campaigns/{campaign_id}/stop")
def stop_campaign(scope: CurrentScope, campaign_id: str) -> Response:
    """Stop a campaign."""
    return _back(f"/units/{queries.stop(scope, campaign_id).unit_id}/campaigns")


@router.get("/runs/{run_id}")
def run_page(request: Request, context: Shared, scope: CurrentScope, run_id: str) -> Response:
    """Show one run."""
    view = run_view(scope, queries.evidence(scope, run_id), page_language(request))
    return render(
        request, "run.html", scope=scope, secure=context.settings.secure_cookies, view=view, sample=view.unit.is_sample
    )


@router.post("/runs/{run_id}/stop")
def stop_run(scope: CurrentScope, run_id: str) -> Response:
    """Stop one run."""
    queries.stop_one(scope, run_id)
    return _back(f"/runs/{run_id}")


@router.get("/runs/{run_id}/report.pdf")
def run_pdf(request: Request, scope: CurrentScope, run_id: str) -> Response:
    """Give one run as a record for the provider."""
    content = to_pdf(queries.evidence(scope, run_id), page_language(request), utc_now())
    return _file(content, f"bien-ban-{run_id}.pdf", "application/pdf")


@router.get("/runs/{run_id}/report.csv")
def run_csv(request: Request, scope: CurrentScope, run_id: str) -> Response:
    """Give the figures of every PC of one run."""
    content = to_csv(queries.evidence(scope, run_id), page_language(request))
    return _file(content, f"so-lieu-{run_id}.csv", "text/csv; charset=utf-8")


def _file(content: bytes, name: str, kind: str) -> Response:
    return Response(content, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _back(path: str) -> Response:
    return RedirectResponse(path, HTTPStatus.SEE_OTHER.value)
