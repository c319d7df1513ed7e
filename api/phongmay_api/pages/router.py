"""Routes of the pages: sign-in and out, a unit, a school, the catalogue of rules, and the static files."""

from __future__ import annotations

import hmac
import secrets
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import FileResponse, RedirectResponse

from phongmay_api.access.accounts import sign_in, sign_out
from phongmay_api.access.principal import SESSION_COOKIE
from phongmay_api.access.scope import CurrentScope, authorize
from phongmay_api.context import RegisterSession, Shared
from phongmay_api.language import page_language
from phongmay_api.pages.calendar import table_warnings
from phongmay_api.pages.catalogue import catalogue_view
from phongmay_api.pages.district import district_view
from phongmay_api.pages.quality import quality_block
from phongmay_api.pages.rendering import STATIC, STATIC_TYPES, language_texts, render
from phongmay_api.pages.school import school_view
from phongmay_api.parameters.acting import in_force
from phongmay_api.problems import Problem, not_found
from phongmay_store.register.organisation import Unit, UnitKind

router = APIRouter(dependencies=[Depends(authorize)], include_in_schema=False)
FORM_COOKIE = "phongmay_form"
_YEAR = "public, max-age=31536000, immutable"
_SEE_OTHER = HTTPStatus.SEE_OTHER.value


def _local_path(text: str) -> str:
    """Accept only a path of this server as the way back: never an address elsewhere."""
    safe = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable()
    return text if safe else "/"


@router.get("/static/{name}")
def static(name: str) -> Response:
    """Give one of the own static files; their address changes with their content."""
    if name not in STATIC_TYPES:
        raise not_found("such file")
    return FileResponse(STATIC / name, media_type=STATIC_TYPES[name], headers={"Cache-Control": _YEAR})


def _form(
    request: Request, context: Shared, following: str, login: str = "", message: str = "", status: int = 200
) -> Response:
    """Show the sign-in form with a form token that stands in a cookie too: nobody is signed in yet to bind it to."""
    token = secrets.token_urlsafe(24)
    secure = context.settings.secure_cookies
    response = render(
        request,
        "sign_in.html",
        status=HTTPStatus(status),
        secure=secure,
        form_token=token,
        next=following,
        login=login,
        message=message,
    )
    response.set_cookie(FORM_COOKIE, token, max_age=3600, httponly=True, samesite="lax", secure=secure, path="/sign-in")
    return response


@router.get("/sign-in")
def sign_in_form(
    request: Request, context: Shared, following: Annotated[str, Query(alias="next", max_length=500)] = "/"
) -> Response:
    """Show the sign-in form."""
    return _form(request, context, _local_path(following))


@router.post("/sign-in")
def sign_in_now(
    request: Request,
    context: Shared,
    session: RegisterSession,
    login: Annotated[str, Form(max_length=40)] = "",
    password: Annotated[str, Form(max_length=200)] = "",
    form_token: Annotated[str, Form(max_length=100)] = "",
    following: Annotated[str, Form(alias="next", max_length=500)] = "/",
) -> Response:
    """Check login and password, slowly for whoever guesses, and leave the session's cookie."""
    words = language_texts(request)
    following = _local_path(following)
    expected = request.cookies.get(FORM_COOKIE, "")
    if not expected or not hmac.compare_digest(form_token.encode(), expected.encode()):
        return _form(request, context, following, login, words("form_expired"), 403)
    address = request.client.host if request.client else ""
    name = login.strip().lower()
    pair = f"{name}\n{address}"
    wait = max(
        context.sign_in_by_address.attempt(address),
        context.sign_in_by_login.attempt(name),
        context.sign_in_by_login_and_address.attempt(pair),
    )
    if wait:
        message = words("sign_in_wait", minutes=int(wait // 60) + 1)
        response = _form(request, context, following, login, message, 429)
        response.headers["Retry-After"] = str(int(wait) + 1)
        return response
    valid = timedelta(hours=context.settings.session_hours)
    found = sign_in(session, name, password, valid)
    if found is None:
        return _form(request, context, following, login, words("sign_in_failed"), 401)
    session.commit()
    context.sign_in_by_login_and_address.forgive(pair)
    response = RedirectResponse(following, _SEE_OTHER)
    response.set_cookie(
        SESSION_COOKIE,
        found.token,
        max_age=int(valid.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=context.settings.secure_cookies,
    )
    response.delete_cookie(FORM_COOKIE, path="/sign-in")
    return response


@router.post("/sign-out")
def sign_out_now(request: Request, scope: CurrentScope) -> Response:
    """End the browser session."""
    sign_out(scope.session, request.cookies.get(SESSION_COOKIE, ""))
    scope.session.commit()
    response = RedirectResponse("/sign-in", _SEE_OTHER)
    response.delete_cookie(SESSION_COOKIE)
    return response


@router.get("/")
def home(request: Request, scope: CurrentScope) -> Response:
    """Lead to the highest unit that the principal may see."""
    if not scope.units:
        raise Problem(HTTPStatus.FORBIDDEN, "no_unit", language_texts(request)("no_unit"))
    top = scope.units[0]
    where = "schools" if top.kind == UnitKind.SCHOOL else "units"
    return RedirectResponse(_keeping_language(request, f"/{where}/{top.id}"), _SEE_OTHER)


def _keeping_language(request: Request, path: str) -> str:
    """Lead on without losing the language that the address asks for."""
    return f"{path}?lang={page_language(request)}" if "lang" in request.query_params else path


@router.get("/units/{unit_id}")
def unit_page(request: Request, context: Shared, scope: CurrentScope, unit_id: str) -> Response:
    """Show the overview of a unit."""
    unit = scope.one(Unit, "organisation unit", Unit.id == unit_id)
    if unit.kind == UnitKind.SCHOOL:
        return RedirectResponse(_keeping_language(request, f"/schools/{unit.id}"), _SEE_OTHER)
    words = language_texts(request)
    view = district_view(scope, context.pack, unit, words)
    return render(
        request,
        "district.html",
        scope=scope,
        quality=quality_block(scope, context, unit.id, words),
        tables=list(table_warnings(words)),
        secure=context.settings.secure_cookies,
        view=view,
        sample=view.sample,
    )


@router.get("/schools/{unit_id}")
def school_page(
    request: Request,
    context: Shared,
    scope: CurrentScope,
    unit_id: str,
    subject: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """Show a school, and with `?subject=device:<id>` the evidence of one of its devices."""
    unit = scope.one(Unit, "school", Unit.id == unit_id, Unit.kind == UnitKind.SCHOOL)
    kind, _, subject_id = subject.partition(":")
    view = school_view(
        scope,
        context.pack,
        context.series,
        unit,
        language_texts(request),
        (kind, subject_id) if subject_id else None,
    )
    return render(
        request,
        "school.html",
        scope=scope,
        quality=quality_block(scope, context, unit.id, language_texts(request)),
        secure=context.settings.secure_cookies,
        view=view,
        sample=view.sample,
    )


@router.get("/rules")
def catalogue_page(
    request: Request, context: Shared, scope: CurrentScope, unit: Annotated[str, Query(max_length=100)] = ""
) -> Response:
    """Show every pack in force: clauses with their assessment, rules, parameters as they hold for a unit."""
    shown = scope.one(Unit, "organisation unit", Unit.id == unit) if unit else next(iter(scope.units), None)
    settings = in_force(scope, context.pack, shown.id) if shown else {}
    view = catalogue_view(context.pack, language_texts(request), settings)
    secure = context.settings.secure_cookies
    return render(request, "catalogue.html", scope=scope, secure=secure, view=view, unit=shown)
