"""Turns a template and its values into a page: language, words, local times, the frame around every page.

Templates escape everything; there is no inline script or style, so the content policy needs no exception.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote, urlencode

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from phongmay_api.access.scope import Scope
from phongmay_api.language import COOKIE, Language, page_language
from phongmay_api.pages.texts import SYMBOLS, Texts
from phongmay_api.problems import Problem
from phongmay_rules import explain
from phongmay_store.register.compliance import State
from phongmay_store.register.timetable import LOCAL

REFRESH_S = 5
"""Seconds between looks for new content, with JavaScript."""
RELOAD_S = 20
"""Seconds between reloads, without it."""
STATIC = Path(__file__).parent / "static"
STATIC_TYPES = {
    "style.css": "text/css; charset=utf-8",
    "declared.css": "text/css; charset=utf-8",
    "refresh.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
ORDER = (
    State.FAIL,
    State.ERROR,
    State.UNKNOWN,
    State.MANUAL,
    State.WAIVED,
    State.PASS,
    State.NOT_APPLICABLE,
)
"""States from the worst to the least pressing; so are bars, counts and lists ordered."""
_VERSION = hashlib.sha256(b"".join((STATIC / name).read_bytes() for name in sorted(STATIC_TYPES))).hexdigest()[:12]
_YEAR_S = 365 * 86400


def local_time(at: datetime | None, words: Texts) -> str:
    """Write a time as the clock on the wall of a school in Vietnam shows it."""
    return words("time_none") if at is None else at.astimezone(LOCAL).strftime("%H:%M:%S %d/%m/%Y")


_environment = Environment(
    loader=PackageLoader("phongmay_api.pages", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.globals.update(
    symbols=SYMBOLS,
    states=[state.value for state in ORDER],
    static=lambda name: f"/static/{name}?v={_VERSION}",
    refresh_s=REFRESH_S,
    reload_s=RELOAD_S,
)


def render(
    request: Request,
    template: str,
    *,
    scope: Scope | None = None,
    status: HTTPStatus = HTTPStatus.OK,
    secure: bool = False,
    path: str = "",
    **values: object,
) -> HTMLResponse:
    """Make a page in the language of the request.

    Args:
        request: decides the language; `?lang=` is remembered in a cookie.
        template: name of the template.
        scope: of a signed-in page: who is named in the frame and which form token the sign-out has.
        status: HTTP status.
        secure: send the language cookie over HTTPS only.
        path: address of the page where it also answers a form sent elsewhere ("" = that of the request).
        values: what the template shows.
    """
    language = page_language(request)
    words = Texts(language)
    html = _environment.get_template(template).render(
        t=words,
        language=language,
        languages=[(code, _with_language(request, path or request.url.path, code)) for code in ("vi", "en")],
        principal=scope.principal if scope else None,
        state_name=lambda state: explain.state_name(state, language).lower(),
        local=lambda at: local_time(at, words),
        day=lambda at: at.astimezone(LOCAL).strftime("%d/%m/%Y"),
        now=datetime.now(LOCAL),
        **values,
    )
    response = HTMLResponse(html, status.value)
    if "lang" in request.query_params:
        response.set_cookie(COOKIE, language, max_age=_YEAR_S, samesite="lax", httponly=True, secure=secure)
    return response


def _with_language(request: Request, path: str, language: str) -> str:
    kept = [(key, value) for key, value in request.query_params.multi_items() if key != "lang"]
    return f"{quote(path)}?{urlencode([*kept, ('lang', language)])}"


def language_texts(request: Request) -> Texts:
    """Give the words in the language of a request."""
    language: Language = page_language(request)
    return Texts(language)


def error_page(request: Request, problem: Problem) -> Response:
    """Show a problem to a person; without sign-in the way leads to the sign-in page and back."""
    if problem.status is HTTPStatus.UNAUTHORIZED:
        asked = request.url.path if request.method == "GET" else "/"
        query = f"?{request.url.query}" if request.method == "GET" and request.url.query else ""
        return RedirectResponse(f"/sign-in?{urlencode({'next': asked + query})}", HTTPStatus.SEE_OTHER.value)
    words = language_texts(request)
    code = str(problem.status.value)
    message = words.word("error", code)
    if message == code:
        message = words("error_other")
    response = render(request, "error.html", status=problem.status, message=message, detail=problem.detail)
    response.headers.update(problem.headers)
    return response
