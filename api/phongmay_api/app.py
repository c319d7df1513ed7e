"""Puts the application together: context, routes, error documents, security headers, OpenAPI.

Refuses to start (RuntimeError) when a route is missing in the table of permissions or lacks its guard: an open door
must not survive the first start.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from sqlalchemy import Engine
from sqlalchemy.orm import sessionmaker

from phongmay_api import problems
from phongmay_api.access.permissions import ROUTES
from phongmay_api.access.scope import MAX_FIELD_BYTES, authorize
from phongmay_api.attachments.router import router as attachments_router
from phongmay_api.bodies import FORM_BYTES, BodyLimit
from phongmay_api.calendar.router import router as calendars
from phongmay_api.campaigns.router import router as campaigns
from phongmay_api.clauses.router import router as clauses
from phongmay_api.compliance.router import router as compliance
from phongmay_api.context import Context, SeriesOpener
from phongmay_api.decisions.router import router as decisions
from phongmay_api.declared.router import router as declared
from phongmay_api.devices.router import router as devices
from phongmay_api.enrolment.router import router as enrolment
from phongmay_api.gaps.router import router as gaps
from phongmay_api.headers import SecurityHeaders
from phongmay_api.measurements.router import router as measurements
from phongmay_api.organisation.calendar import router as calendar
from phongmay_api.organisation.router import router as organisation
from phongmay_api.overview.router import router as overview
from phongmay_api.pages.calendar_router import router as calendar_pages
from phongmay_api.pages.campaigns_router import router as campaign_pages
from phongmay_api.pages.clauses_router import router as clause_pages
from phongmay_api.pages.decisions_router import router as decision_pages
from phongmay_api.pages.declared_router import router as declared_pages
from phongmay_api.pages.gaps_router import router as gap_pages
from phongmay_api.pages.parameters_router import router as parameter_pages
from phongmay_api.pages.past_router import router as past_pages
from phongmay_api.pages.rendering import error_page
from phongmay_api.pages.router import router as pages
from phongmay_api.pages.verdict_router import router as verdict_pages
from phongmay_api.parameters.router import router as parameters
from phongmay_api.past.router import router as past
from phongmay_api.problems import ProblemDocument
from phongmay_api.quality.router import router as quality
from phongmay_api.rules.router import router as rules
from phongmay_api.settings import ApiSettings
from phongmay_api.system.router import router as system
from phongmay_api.verdicts.router import router as verdicts
from phongmay_contract.tls import read_ca
from phongmay_rules.model import Pack
from phongmay_store.attachments import AttachmentFolder
from phongmay_store.register.sealing import Seal

_ROUTERS = (
    system,
    organisation,
    calendar,
    calendars,
    devices,
    measurements,
    overview,
    rules,
    verdicts,
    past,
    parameters,
    compliance,
    enrolment,
    decisions,
    declared,
    attachments_router,
    quality,
    clauses,
    gaps,
    campaigns,
    pages,
    verdict_pages,
    declared_pages,
    decision_pages,
    clause_pages,
    gap_pages,
    campaign_pages,
    past_pages,
    parameter_pages,
    calendar_pages,
)
_TITLE = "Phòng Máy"
_ABOUT = """What schools have, what is measured, and how it is judged - with evidence.

Times are RFC 3339; values are in base units. Lists give `items` and `next_cursor`. Errors are problem documents
(RFC 9457). Everything outside the organisation units of your key or account answers 404."""


def create_app(
    settings: ApiSettings,
    engine: Engine,
    series: SeriesOpener,
    pack: Pack,
    attachments: AttachmentFolder,
    interval_s: float = 60.0,
    seal: Seal | None = None,
) -> FastAPI:
    """Make the application.

    Args:
        settings: the table [api].
        engine: the register, at its newest revision.
        series: opens the series for one request.
        pack: the rule pack in force, for the texts of rules and clauses.
        attachments: folder of papers and photographs.
        interval_s: seconds between evaluations of the engine.
        seal: seals command keys at enrolment; without one what enrols can be given no commands.

    Raises:
        OperatorError: api.broker_ca_file cannot be used.
        RuntimeError: a route has no permission in the table or no guard.
    """
    app = FastAPI(title=_TITLE, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.context = Context(
        settings, engine, sessionmaker(engine, expire_on_commit=False), series, pack, attachments, interval_s, seal,
        read_ca("api.broker_ca_file", settings.broker_ca_file) if settings.broker_ca_file else "",
    )  # fmt: skip
    for router in _ROUTERS:
        app.router.routes.extend(router.routes)
    _require_guards(app)
    problems.install(app, error_page)
    app.add_middleware(BodyLimit, max_bytes=max(attachments.max_bytes, MAX_FIELD_BYTES) + FORM_BYTES)
    app.add_middleware(SecurityHeaders)
    app.openapi = lambda: _describe(app)  # type: ignore[method-assign] # FastAPI's documented way to extend it
    return app


def _require_guards(app: FastAPI) -> None:
    found = set()
    for route in app.routes:
        if not isinstance(route, APIRoute):
            raise RuntimeError(f"route {route} is not an ordinary route: nothing would guard it")
        for method in route.methods or ():
            found.add((method, route.path))
            if (method, route.path) not in ROUTES:
                raise RuntimeError(f"{method} {route.path} has no permission in access/permissions.py")
        if not _depends_on(route.dependant, authorize):
            raise RuntimeError(f"{route.path} does not pass through authorize()")
    if missing := ROUTES.keys() - found:
        raise RuntimeError(f"access/permissions.py names routes that do not exist: {sorted(missing)}")


def _depends_on(dependant: Dependant, call: object) -> bool:
    return dependant.call is call or any(_depends_on(inner, call) for inner in dependant.dependencies)


def _describe(app: FastAPI) -> dict[str, Any]:
    """Give the OpenAPI description: the problem document and the two ways to say who you are are added by hand."""
    if app.openapi_schema is None:
        routes = [route for route in app.routes if isinstance(route, APIRoute)]
        schema = get_openapi(title=_TITLE, version="1", description=_ABOUT, routes=routes)
        components = schema.setdefault("components", {})
        components.setdefault("schemas", {})["ProblemDocument"] = ProblemDocument.model_json_schema()
        components["securitySchemes"] = {
            "key": {"type": "http", "scheme": "bearer", "description": "API key of 'phongmay access key add'."},
            "session": {"type": "apiKey", "in": "cookie", "name": "phongmay_session", "description": "Browser."},
        }
        for path, operations in schema["paths"].items():
            for method, operation in operations.items():
                public = ROUTES[method.upper(), path] == "public"
                operation["security"] = [] if public else [{"key": []}, {"session": []}]
                operation["operationId"] = f"{method}_{path.removeprefix('/api/v1').lstrip('/')}".translate(_PLAIN)
        app.openapi_schema = schema
    return app.openapi_schema


_PLAIN = str.maketrans({"/": "_", "{": "", "}": "", "-": "_", ".": "_"})
