"""What the forms of decisions have in common: decide and lead to a page, or show the page again with what was typed.

In: a form and the function that decides. Out: a redirect (303), or the same page with a sentence in the reader's
language and the status that says why: 403 no right, 409 not in this state, 422 not with these values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from http import HTTPStatus
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from phongmay_api.access.scope import Scope
from phongmay_api.context import Context
from phongmay_api.decisions.acting import status_of
from phongmay_api.pages.rendering import language_texts
from phongmay_api.problems import Problem
from phongmay_rules.deciding import DecisionError
from phongmay_store.attachments import MIB
from phongmay_store.register.timetable import LOCAL

_PROSE = ("text", "reason", "statement")


@dataclass(frozen=True, slots=True)
class Refused:
    """A form that was not accepted; without a form: there was none.

    Attributes:
        form: "dispute", "waiver", "attestation", "answer-<number>" or "withdraw-<number>".
        sentence: why, in the reader's language.
        typed: its fields.
        with_file: a file was chosen; no browser chooses it again by itself.
    """

    form: str = ""
    sentence: str = ""
    typed: Mapping[str, str] = field(default_factory=dict)
    with_file: bool = False
    status: HTTPStatus = HTTPStatus.OK

    def kept(self, form: str, name: str) -> str:
        """Give what was typed into a field of a form."""
        return self.typed.get(name, "") if form == self.form else ""

    @property
    def prose(self) -> str:
        """What took the longest to type."""
        return next((self.typed[name] for name in _PROSE if self.typed.get(name)), "")


NOT_REFUSED = Refused()


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


def told(request: Request, refused: Refused) -> tuple[str, bool]:
    """Give what the page says about the form that led to it, and whether that is a problem."""
    if refused.form:
        return refused.sentence, True
    done = {"yes": "decision_done", "later": "decision_not_rechecked"}.get(request.query_params.get("done", ""))
    return (language_texts(request)(done), False) if done else ("", False)


def decide_or_show(
    request: Request,
    context: Context,
    scope: Scope,
    refused: Refused,
    decide: Callable[[], str],
    path: str,
    show: Callable[[Refused], Response],
) -> Response:
    """Decide and lead to a page that says so; what cannot be decided is shown with what was typed.

    Args:
        request: the form.
        context: for the limit of files.
        scope: whose transaction is taken back when nothing is decided.
        refused: the form as it is to be shown again.
        decide: does it and gives "yes" or "later".
        path: page to lead to.
        show: makes the page anew.

    Raises:
        Problem: outside the scope, as everywhere.
    """
    words = language_texts(request)
    try:
        done = decide()
    except DecisionError as error:
        sentence, status = words.word("decision_problem", error.code), status_of(error)
    except Problem as problem:
        if not problem.code.startswith("file"):  # a file that is not taken, or cannot be kept
            raise
        sentence, status = words(problem.code, mib=context.attachments.max_bytes // MIB), problem.status
    else:
        return RedirectResponse(f"{path}?{urlencode({'done': done})}#decisions", HTTPStatus.SEE_OTHER.value)
    scope.session.rollback()
    return show(Refused(refused.form, sentence, refused.typed, refused.with_file, status))
