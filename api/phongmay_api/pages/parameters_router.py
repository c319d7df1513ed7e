"""Routes of the page of parameters: what holds for a unit, and its form in two steps, preview and confirmation.

Nothing is written at the preview. What cannot be set brings the page back with what was typed: 403, 409 or 422.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from phongmay_api.access.scope import CurrentScope, Scope, authorize
from phongmay_api.context import Context, Shared
from phongmay_api.pages.forms import Sent, texts_of
from phongmay_api.pages.parameters import parameters_view
from phongmay_api.pages.rendering import language_texts, render
from phongmay_api.pages.texts import Texts
from phongmay_api.parameters import acting
from phongmay_api.problems import Problem
from phongmay_contract.units import Unit as Measure
from phongmay_rules.adopting import AdoptionError, Effect, OrderError
from phongmay_rules.deciding import RightError
from phongmay_rules.explain import format_value
from phongmay_rules.model import Pack
from phongmay_rules.setting import SettingError, read_typed
from phongmay_store.register.organisation import Unit
from phongmay_store.register.timetable import LOCAL

router = APIRouter(dependencies=[Depends(authorize)], include_in_schema=False)


@dataclass(frozen=True, slots=True)
class _Form:
    """What was typed, and what became of it."""

    parameter: str = ""
    value: str = ""
    reason: str = ""
    day: str = ""
    problem: str = ""
    status: HTTPStatus = HTTPStatus.OK
    effect: tuple[float, Effect] | None = None


def _page(request: Request, context: Context, scope: Scope, unit: Unit, form: _Form, done: str = "") -> Response:
    words = language_texts(request)
    view = parameters_view(scope, context.pack, unit, words, form.parameter, form.effect)
    return render(
        request,
        "parameters.html",
        scope=scope,
        status=form.status,
        path=f"/units/{unit.id}/parameters",
        secure=context.settings.secure_cookies,
        view=view,
        form=form,
        done=done,
        sample=view.sample,
    )


@router.get("/units/{unit_id}/parameters")
def parameters_page(
    request: Request,
    context: Shared,
    scope: CurrentScope,
    unit_id: str,
    chosen: Annotated[str, Query(alias="set", max_length=100)] = "",
    done: Annotated[str, Query(max_length=10)] = "",
) -> Response:
    """Show every parameter as it holds for a unit, and the form of one."""
    unit = scope.one(Unit, "organisation unit", Unit.id == unit_id)
    told = {"yes": "parameter_done", "same": "parameter_same"}.get(done, "")
    return _page(request, context, scope, unit, _Form(chosen), told)


@router.post("/units/{unit_id}/parameters")
def set_parameter(request: Request, context: Shared, scope: CurrentScope, unit_id: str, sent: Sent) -> Response:
    """Preview a value, or set it when the preview was confirmed."""
    unit = scope.one(Unit, "organisation unit", Unit.id == unit_id)
    words, fields = language_texts(request), texts_of(sent)
    form = _Form(fields.get("parameter", ""), fields.get("value", ""), fields.get("reason", ""), fields.get("from", ""))
    problem, status = "", HTTPStatus.UNPROCESSABLE_ENTITY
    try:
        value, day = _value(context.pack, form, words.language), _day(form.day)
        effect = acting.preview(scope, context.pack, unit.id, form.parameter, value)
        if fields.get("step") == "confirm":
            was = _number(fields.get("was", ""))
            acting.publish(scope, context.pack, unit.id, form.parameter, value, reason=form.reason, was=was, day=day)
            return _lead(unit, "yes" if day or effect.values else "same")
        if not form.reason.strip():
            raise AdoptionError("no reason")
    except SettingError as error:
        problem = _told(context.pack, form.parameter, error.code, words)
    except RightError:
        problem, status = words("parameter_problem_right"), HTTPStatus.FORBIDDEN
    except _DayError:
        problem = words("parameter_problem_day")
    except OrderError as error:
        problem = words("parameter_problem_order", day=f"{error.begins_at.astimezone(LOCAL):%d/%m/%Y %H:%M}")
    except AdoptionError:
        problem = words("parameter_problem_reason")
    except Problem as refused:
        if refused.code != "parameter_moved":
            raise
        problem, status = words("parameter_moved"), refused.status
    if problem:
        scope.session.rollback()
        return _page(request, context, scope, unit, replace(form, problem=problem, status=status))
    return _page(request, context, scope, unit, replace(form, effect=(value, effect)))


def _value(pack: Pack, form: _Form, language: str) -> float:
    declared = pack.standard.parameters.get(form.parameter)
    if declared is None:
        raise SettingError("no such parameter", "unknown")
    return read_typed(declared, form.value, language)


class _DayError(ValueError):
    """What was typed is no day."""


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise _DayError(text) from error


def _told(pack: Pack, parameter: str, code: str, words: Texts) -> str:
    """What is wrong with the typed value, in the terms of its parameter."""
    declared = pack.standard.parameters.get(parameter)
    if declared is None or code not in ("number", "bounds"):
        return words.word("parameter_problem", code)
    if declared.unit is Measure.NONE:
        return words("parameter_problem_yes_no")
    if code == "number":
        return words("parameter_problem_number")
    low, high = (format_value(bound, declared.unit, words.language) for bound in (declared.low, declared.high))
    return words("parameter_problem_bounds", low=low, high=high)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _lead(unit: Unit, done: str) -> Response:
    return RedirectResponse(f"/units/{unit.id}/parameters?done={done}", HTTPStatus.SEE_OTHER.value)
