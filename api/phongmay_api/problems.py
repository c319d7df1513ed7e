"""Problem documents (RFC 9457): every error that leaves the house over HTTP is made here.

A route raises Problem; what FastAPI, the stores or a bug raise is turned into one. A program gets it as
`application/problem+json`; a browser gets a page (or, without sign-in, the way to the sign-in).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from phongmay_api.headers import HEADERS
from phongmay_store.errors import StoreError, UnstorableTextError
from phongmay_store.register.failures import sentence

log = logging.getLogger(__name__)
_FOR_PROGRAMS = ("/health", "/ready")
PREFIX = "urn:phongmay:problem:"
"""Types of problems are names, not addresses: nothing has to be looked up."""


class ProblemDocument(BaseModel):
    """What went wrong, for a program and for a person."""

    type: str = Field(description="Stable name of the kind of problem.", examples=[PREFIX + "not_found"])
    title: str = Field(description="The kind of problem in words.")
    status: int = Field(description="HTTP status.")
    detail: str = Field(description="What exactly is wrong here and what to do.")
    instance: str = Field(description="Path that was asked for.")
    errors: list[dict[str, str]] | None = Field(
        default=None, description="Of a validation: where (`pointer`) and why (`detail`)."
    )


class Problem(Exception):
    """Ends a request with a problem document.

    Attributes:
        status: HTTP status.
        code: last part of the problem's type; fixed, so that programs can rely on it.
        detail: one sentence for a person.
        headers: extra response headers.
        errors: of a validation, one entry a wrong value.
    """

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
        errors: list[dict[str, str]] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})
        self.errors = errors


def not_found(what: str = "this address") -> Problem:
    """Make the 404 that also stands for everything outside the asker's organisation."""
    return Problem(HTTPStatus.NOT_FOUND, "not_found", f"There is no {what} here that you may see.")


def unauthorized() -> Problem:
    """Make the 401 for a request without a valid key or session."""
    return Problem(
        HTTPStatus.UNAUTHORIZED,
        "sign_in_required",
        "Send a valid API key as 'Authorization: Bearer <key>' or sign in.",
        {"WWW-Authenticate": 'Bearer realm="phongmay"'},
    )


def forbidden(detail: str = "Your role does not allow this here.") -> Problem:
    """Make the 403 for a principal that may see the thing but not do this."""
    return Problem(HTTPStatus.FORBIDDEN, "role_missing", detail)


def bad_value(pointer: str, detail: str) -> Problem:
    """Make the 422 for one wrong parameter."""
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, "bad_value", detail, errors=[{"pointer": pointer, "detail": detail}]
    )


def too_many(wait_s: float) -> Problem:
    """Make the 429 of a throttle."""
    seconds = max(1, round(wait_s))
    return Problem(
        HTTPStatus.TOO_MANY_REQUESTS,
        "too_many_attempts",
        f"Too many attempts; try again in {seconds} s.",
        {"Retry-After": str(seconds)},
    )


def document(problem: Problem, request: Request) -> JSONResponse:
    """Give a problem as `application/problem+json`."""
    body = ProblemDocument(
        type=PREFIX + problem.code,
        title=problem.status.phrase,
        status=problem.status.value,
        detail=problem.detail,
        instance=request.url.path,
        errors=problem.errors,
    )
    return JSONResponse(
        body.model_dump(exclude_none=True),
        problem.status.value,
        headers=problem.headers,
        media_type="application/problem+json",
    )


def _from_validation(error: RequestValidationError) -> Problem:
    errors = [{"pointer": "/".join(map(str, item["loc"])), "detail": str(item["msg"])} for item in error.errors()]
    detail = "; ".join(f"{item['pointer']}: {item['detail']}" for item in errors)
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "bad_value", detail, errors=errors)


def _from_http(error: HTTPException) -> Problem:
    status = HTTPStatus(error.status_code)
    if status is HTTPStatus.NOT_FOUND:
        return not_found("such address")
    return Problem(status, status.name.lower(), str(error.detail), error.headers)


def _from_store(error: Exception) -> Problem:
    if isinstance(error, UnstorableTextError):
        return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "bad_value", str(error))
    said = sentence(error) if isinstance(error, SQLAlchemyError) else str(error).splitlines()[0]
    log.error("store unavailable: %s", said)
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "store_unavailable",
        "The data cannot be read at the moment; try again shortly.",
        {"Retry-After": "10"},
    )


def _from_bug(error: Exception) -> Problem:
    log.error("unexpected error", exc_info=error)
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "The server failed; its log says why.")


def install(app: FastAPI, page: Callable[[Request, Problem], Response]) -> None:
    """Turn every error into a problem document, or for pages into what `page` makes of it."""

    def answer(request: Request, problem: Problem) -> Response:
        path = request.url.path
        program = path.startswith("/api/") or path in _FOR_PROGRAMS
        return document(problem, request) if program else page(request, problem)

    def handler(convert: Callable[[Any], Problem]) -> Callable[[Request, Exception], Response]:
        return lambda request, error: answer(request, convert(error))

    def bug(request: Request, error: Exception) -> Response:
        response = answer(request, _from_bug(error))
        response.headers.update(HEADERS)  # this one leaves outside of the middleware that adds them
        return response

    app.add_exception_handler(Problem, handler(lambda problem: problem))
    app.add_exception_handler(RequestValidationError, handler(_from_validation))
    app.add_exception_handler(HTTPException, handler(_from_http))
    app.add_exception_handler(StoreError, handler(_from_store))
    app.add_exception_handler(SQLAlchemyError, handler(_from_store))
    app.add_exception_handler(Exception, bug)


RESPONSES: dict[int | str, dict[str, Any]] = {
    status.value: {
        "description": about,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
    }
    for status, about in (
        (HTTPStatus.UNAUTHORIZED, "No valid key or session."),
        (HTTPStatus.FORBIDDEN, "The role does not allow it."),
        (HTTPStatus.NOT_FOUND, "Not there, or outside your organisation."),
        (HTTPStatus.UNPROCESSABLE_ENTITY, "A parameter is wrong; `errors` names each."),
        (HTTPStatus.SERVICE_UNAVAILABLE, "A store cannot be read at the moment."),
    )
}
"""Problem documents that every route of /api/v1 can give; for the OpenAPI description."""
