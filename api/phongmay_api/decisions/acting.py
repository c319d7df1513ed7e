"""What a person decides over HTTP: the scope is asked first, then the same functions as on the command line decide.

What is outside the scope is a 404; what cannot be decided raises DecisionError, which the JSON routes turn into a
problem document and the pages into a sentence in the reader's language.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http import HTTPStatus

from phongmay_api.access.scope import Scope
from phongmay_api.attachments import queries as attachments
from phongmay_api.context import Context
from phongmay_api.problems import Problem, bad_value, forbidden, not_found
from phongmay_rules import deciding
from phongmay_rules.deciding import DecisionError, RightError
from phongmay_rules.disputing import Opened, open_and_recheck
from phongmay_rules.model import Pack
from phongmay_store.attachments import Cleaned
from phongmay_store.register.compliance import Verdict
from phongmay_store.register.decisions import Attestation, Dispute, Waiver
from phongmay_store.register.organisation import Unit

_CONFLICTS = frozenset({"no_waiver", "in_dispute", "not_current", "answered", "busy"})


@contextmanager
def as_problem() -> Iterator[None]:
    """Turn a DecisionError into a problem document: 403 no right, 409 not in this state, 422 not with these values."""
    try:
        yield
    except DecisionError as error:
        status = status_of(error)
        if status is HTTPStatus.FORBIDDEN:
            raise forbidden(str(error)) from error
        if status is HTTPStatus.CONFLICT:
            raise Problem(status, error.code, str(error)) from error
        raise bad_value(f"body/{error.code}", str(error)) from error


def status_of(error: DecisionError) -> HTTPStatus:
    """Tell whose fault it is that nothing could be decided."""
    if isinstance(error, RightError):
        return HTTPStatus.FORBIDDEN
    return HTTPStatus.CONFLICT if error.code in _CONFLICTS else HTTPStatus.UNPROCESSABLE_ENTITY


def waive(
    scope: Scope, pack: Pack, subject_id: str, rule_id: str, *, reason: str, valid_to: datetime,
    valid_from: datetime | None = None,
) -> Waiver:  # fmt: skip
    """Lift a rule for a subject of the scope."""
    try:
        unit = deciding.unit_of(scope.session, subject_id)
    except DecisionError as error:
        raise not_found("subject") from error
    scope.one(Unit, "subject", Unit.id == unit)
    row = deciding.waive(
        scope.session, pack, subject_id, rule_id, reason=reason, signed_by=scope.principal.name, valid_to=valid_to,
        valid_from=valid_from,
    )  # fmt: skip
    scope.session.commit()
    return row


def withdraw(scope: Scope, number: int, *, reason: str) -> Waiver:
    """End a waiver of the scope now."""
    scope.one(Waiver, "waiver", Waiver.number == number)
    row = deciding.withdraw(scope.session, number, reason=reason, signed_by=scope.principal.name)
    scope.session.commit()
    return row


def attest(
    scope: Scope, context: Context, unit_id: str, clause_id: str, *, met: bool, statement: str, valid_to: datetime,
    attachment: tuple[str, str] = ("", ""), file: Cleaned | None = None,
) -> Attestation:  # fmt: skip
    """Record a statement about a unit of the scope.

    Args:
        scope: who signs.
        context: the packs, and the folder of attachments.
        unit_id: school or unit above schools.
        clause_id: clause that no machine judges alone.
        met: what is stated.
        statement: what was seen.
        valid_to: first instant without it.
        attachment: name and SHA-256 of a file that the unit handed in before.
        file: one that is handed in with the statement: both are kept, or neither.

    Raises:
        DecisionError: it cannot be recorded.
        Problem: outside the scope, the file is not known, or it cannot be kept; nothing is recorded then.
    """
    scope.one(Unit, "organisation unit", Unit.id == unit_id)
    if attachment[1]:
        attachments.require(scope, unit_id, attachment[1], "body/attachment_hash")
    row = deciding.attest(
        scope.session, context.pack, unit_id, clause_id, met=met, statement=statement, signed_by=scope.principal.name,
        valid_to=valid_to, attachment=attachment if file is None else ("", file.sha256),
    )  # fmt: skip
    if file is not None:
        attachments.keep(scope, context.attachments, unit_id, file)
    scope.session.commit()
    return row


def dispute(scope: Scope, context: Context, verdict_id: int, *, text: str) -> Opened:
    """Open a dispute about a verdict of the scope; it is rechecked at once."""
    scope.one(Verdict, "verdict", Verdict.id == verdict_id)
    scope.session.rollback()  # the recheck writes through sessions of its own
    return open_and_recheck(
        context.sessions, context.series, context.pack, verdict_id, text=text, signed_by=scope.principal.name,
        interval_s=context.interval_s,
    )  # fmt: skip


def answer(scope: Scope, number: int, *, upheld: bool, text: str) -> Dispute:
    """Answer a dispute of the scope."""
    scope.one(Dispute, "dispute", Dispute.number == number, Dispute.opened.is_(None))
    row = deciding.answer(scope.session, number, upheld=upheld, text=text, signed_by=scope.principal.name)
    scope.session.commit()
    return row
