"""What people decide about verdicts: waive, attest, dispute and answer. Each decision is a row and a link of a chain.

The signer is the login of an account; what it may sign follows from its grants. A subject, rule, clause, verdict or
right that is missing raises DecisionError, one sentence; so does a chain that another writer lengthened meanwhile.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from sqlalchemy import and_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from phongmay_contract.errors import OperatorError
from phongmay_rules.chain.links import append_row
from phongmay_rules.model import Assessment, Pack
from phongmay_store.register.access import Account, Grant, Role
from phongmay_store.register.base import Base, utc_now
from phongmay_store.register.chain import LinkKind
from phongmay_store.register.compliance import CurrentVerdict, SubjectKind, Verdict
from phongmay_store.register.decisions import Attestation, Dispute, DisputeStep, Waiver
from phongmay_store.register.device import Device
from phongmay_store.register.organisation import Unit, UnitKind, ancestors
from phongmay_store.register.place import Room

ENGINE = "engine"
"""Signs the recheck of a dispute."""
MAX_TEXT = 2000
"""Characters of what a person says."""
_Row = TypeVar("_Row", bound=Base)
_WIDTH = (SubjectKind.DEVICE, SubjectKind.ROOM, SubjectKind.SCHOOL, SubjectKind.DISTRICT)
_DECIDES = (Role.ADMIN, Role.OFFICER)


class DecisionError(OperatorError):
    """A decision that cannot be recorded, and why.

    Attributes:
        code: short name of the cause, from which pages make a sentence in the reader's language.
    """

    def __init__(self, sentence: str, code: str) -> None:
        super().__init__(sentence)
        self.code = code


CODES = frozenset(
    {
        "no_rule", "no_waiver", "no_clause", "automated", "no_unit", "not_current", "in_dispute", "no_dispute",
        "answered", "busy", "no_subject", "no_right", "empty", "long", "period", "too_narrow",
    }
)  # fmt: skip
"""Every code of a DecisionError."""


class RightError(DecisionError):
    """Who signs has no right to."""


def waive(
    session: Session,
    pack: Pack,
    subject_id: str,
    rule_id: str,
    *,
    reason: str,
    signed_by: str,
    valid_to: datetime,
    valid_from: datetime | None = None,
) -> Waiver:
    """Lift a rule for a subject and everything below it until an instant; the caller commits.

    Raises:
        DecisionError: unknown rule or subject, a rule about something wider, no reason, an end that is not ahead, or no
            right to sign.
    """
    if rule_id not in pack.rules:
        raise DecisionError(f"pack {pack.id} has no rule {rule_id!r}; see 'phongmay rules list'", "no_rule")
    unit_id = unit_of(session, subject_id)
    require_officer(session, signed_by, unit_id)
    judged = pack.rules[rule_id].subject.kind
    if _WIDTH.index(_kind_of(session, subject_id, unit_id)) < _WIDTH.index(judged):
        raise DecisionError(
            f"rule {rule_id} judges a {judged} as a whole, so nothing is excused below it; lift it for that {judged}",
            "too_narrow",
        )
    start = valid_from or utc_now()
    _require_text("reason", reason)
    _require_period(start, valid_to)
    waiver = Waiver(
        unit_id=unit_id, subject_id=subject_id, rule_id=rule_id, reason=reason, signed_by=signed_by,
        valid_from=start, valid_to=valid_to,
    )  # fmt: skip
    return link(session, LinkKind.WAIVER, unit_id, waiver)


def withdraw(session: Session, number: int, *, reason: str, signed_by: str) -> Waiver:
    """End a waiver now: a row takes its place that ends today; the caller commits.

    Raises:
        DecisionError: there is no such waiver, it has ended, or no right to sign.
    """
    now = utc_now()
    old = session.get(Waiver, number)
    replaced = session.scalar(select(Waiver.number).where(Waiver.replaces == number))
    if old is None or replaced is not None or old.valid_to <= now:
        raise DecisionError(
            f"waiver {number} does not exist or has ended; see 'phongmay verdicts decisions'", "no_waiver"
        )
    require_officer(session, signed_by, old.unit_id)
    _require_text("reason", reason)
    end = Waiver(
        unit_id=old.unit_id, subject_id=old.subject_id, rule_id=old.rule_id, reason=reason, signed_by=signed_by,
        valid_from=min(old.valid_from, now), valid_to=now, replaces=number,
    )  # fmt: skip
    return link(session, LinkKind.WAIVER, old.unit_id, end)


def attest(
    session: Session,
    pack: Pack,
    unit_id: str,
    clause_id: str,
    *,
    met: bool,
    statement: str,
    signed_by: str,
    valid_to: datetime,
    attachment: tuple[str, str] = ("", ""),
) -> Attestation:
    """Record a person's statement on a clause that no machine judges alone; the caller commits.

    Args:
        attachment: file name and SHA-256 of the evidence.

    Raises:
        DecisionError: unknown unit or clause, a clause that is judged automatically, no statement, no right to sign.
    """
    clause = pack.clauses.get(clause_id)
    if clause is None:
        raise DecisionError(
            f"pack {pack.id} has no clause {clause_id!r}; it has {', '.join(sorted(pack.clauses))}", "no_clause"
        )
    if clause.assessment is Assessment.AUTOMATED:
        raise DecisionError(
            f"clause {clause_id} is judged by measurement; a statement cannot take its place", "automated"
        )
    if session.scalar(Unit.at().where(Unit.id == unit_id)) is None:
        raise DecisionError(f"there is no organisation unit {unit_id!r}", "no_unit")
    require_officer(session, signed_by, unit_id)
    _require_text("statement", statement)
    now = utc_now()
    _require_period(now, valid_to)
    row = Attestation(
        unit_id=unit_id, pack_id=pack.id, clause_id=clause_id, met=met, statement=statement, signed_by=signed_by,
        attachment_name=attachment[0], attachment_hash=attachment[1], valid_from=now, valid_to=valid_to,
    )  # fmt: skip
    return link(session, LinkKind.ATTESTATION, unit_id, row)


def attested(session: Session, unit_id: str, at: datetime, known_at: datetime | None = None) -> dict[str, Attestation]:
    """Give the statements on a unit that hold at an instant, by clause; of several the newest."""
    statement = select(Attestation).where(
        Attestation.unit_id == unit_id, Attestation.valid_from <= at, Attestation.valid_to > at
    )
    if known_at is not None:
        statement = statement.where(Attestation.recorded_at <= known_at)
    return {row.clause_id: row for row in session.scalars(statement.order_by(Attestation.number))}


def open_dispute(session: Session, verdict_id: int, *, text: str, signed_by: str) -> Dispute:
    """Let a school say that a current verdict about it is wrong; the caller commits, evaluates and rechecks.

    Raises:
        DecisionError: the verdict is not a current one, is in dispute already, or no right to sign.
    """
    verdict = session.get(Verdict, verdict_id)
    pointed = session.scalar(select(CurrentVerdict.verdict_id).where(CurrentVerdict.verdict_id == verdict_id))
    if verdict is None or pointed is None:
        raise DecisionError(
            f"verdict {verdict_id} is not a current one; only what stands now can be disputed", "not_current"
        )
    _require_grant(session, signed_by, verdict.unit_id, tuple(Role), own=True)
    _require_text("text", text)
    for row in session.scalars(select(Dispute).where(Dispute.opened.is_(None), Dispute.unit_id == verdict.unit_id)):
        if row.verdict_id == verdict_id and not is_answered(session, row.number):
            raise DecisionError(f"verdict {verdict_id} is in dispute already (number {row.number})", "in_dispute")
    row = Dispute(
        step=DisputeStep.OPENED.value, unit_id=verdict.unit_id, verdict_id=verdict_id, text=text, signed_by=signed_by
    )  # fmt: skip
    return link(session, LinkKind.DISPUTE, verdict.unit_id, row)


def recheck(session: Session, number: int) -> Dispute:
    """Record what a fresh evaluation of the unit came to; the caller evaluated before, and commits.

    Raises:
        DecisionError: there is no such dispute, or it is answered.
    """
    opened = _open(session, number)
    before = session.get_one(Verdict, opened.verdict_id)
    now = session.scalar(
        select(Verdict)
        .join(
            CurrentVerdict,
            and_(
                CurrentVerdict.verdict_id == Verdict.id,
                CurrentVerdict.unit_id == Verdict.unit_id,
                CurrentVerdict.subject_kind == Verdict.subject_kind,
                CurrentVerdict.subject_id == Verdict.subject_id,
                CurrentVerdict.rule_id == Verdict.rule_id,
            ),
        )
        .where(
            Verdict.subject_kind == before.subject_kind,
            Verdict.subject_id == before.subject_id,
            Verdict.rule_id == before.rule_id,
        )
    )
    after = now or before
    text = f"{before.state} ({before.reason}) -> " + (f"{now.state} ({now.reason})" if now else "gone")
    return _step(session, opened, DisputeStep.RECHECKED, after.id, text, ENGINE)


def answer(session: Session, number: int, *, upheld: bool, text: str, signed_by: str) -> Dispute:
    """Let the district answer a dispute; the caller commits.

    Raises:
        DecisionError: there is no such dispute, it is answered, or no right to sign.
    """
    opened = _open(session, number)
    require_officer(session, signed_by, opened.unit_id)
    _require_text("text", text)
    last = session.scalar(select(Dispute).where(Dispute.opened == number).order_by(Dispute.number.desc()).limit(1))
    step = DisputeStep.UPHELD if upheld else DisputeStep.REJECTED
    return _step(session, opened, step, (last or opened).verdict_id, text, signed_by)


def is_answered(session: Session, number: int) -> bool:
    """Tell whether the district has answered a dispute."""
    answers = (DisputeStep.UPHELD, DisputeStep.REJECTED)
    found = select(Dispute.number).where(Dispute.opened == number, Dispute.step.in_(answers))
    return session.scalar(found) is not None


def _open(session: Session, number: int) -> Dispute:
    opened = session.get(Dispute, number)
    if opened is None or opened.opened is not None:
        raise DecisionError(f"there is no dispute {number}", "no_dispute")
    if is_answered(session, number):
        raise DecisionError(f"dispute {number} is answered; open a new one about the present verdict", "answered")
    return opened


def _step(session: Session, opened: Dispute, step: DisputeStep, verdict: int, text: str, signed_by: str) -> Dispute:
    row = Dispute(
        opened=opened.number, step=step.value, unit_id=opened.unit_id, verdict_id=verdict, text=text,
        signed_by=signed_by,
    )  # fmt: skip
    return link(session, LinkKind.DISPUTE, opened.unit_id, row)


def link(session: Session, kind: LinkKind, unit_id: str, row: _Row) -> _Row:
    """Store a row that somebody signed as the next link of its unit's chain; the caller commits.

    Raises:
        DecisionError: the engine wrote at the same moment.
    """
    try:
        append_row(session, kind, unit_id, row)
    except IntegrityError as error:
        raise DecisionError("the engine wrote at the same moment; nothing was recorded, try again", "busy") from error
    return row


def unit_of(session: Session, subject_id: str) -> str:
    """Give the school or unit that a device, room or unit belongs to.

    Raises:
        DecisionError: there is no such subject now.
    """
    for column, condition in (
        (Device.school_id, Device.holds() & (Device.id == subject_id)),
        (Room.school_id, Room.holds() & (Room.id == subject_id)),
        (Unit.id, Unit.holds() & (Unit.id == subject_id)),
    ):
        found = session.scalar(select(column).where(condition))
        if found is not None:
            return found
    raise DecisionError(f"there is no device, room or unit {subject_id!r}", "no_subject")


def _kind_of(session: Session, subject_id: str, unit_id: str) -> SubjectKind:
    """Tell what a subject is, as rules speak of it; every unit above schools counts as a district."""
    if subject_id == unit_id:
        kind = session.scalar(select(Unit.kind).where(Unit.holds() & (Unit.id == unit_id)))
        return SubjectKind.SCHOOL if kind == UnitKind.SCHOOL else SubjectKind.DISTRICT
    is_room = session.scalar(select(Room.id).where(Room.holds() & (Room.id == subject_id))) is not None
    return SubjectKind.ROOM if is_room else SubjectKind.DEVICE


def may_decide(session: Session, login: str, unit_id: str) -> bool:
    """Tell whether a login may decide for a unit."""
    try:
        require_officer(session, login, unit_id)
    except RightError:
        return False
    return True


def require_officer(session: Session, login: str, unit_id: str) -> None:
    """Make sure that a login may decide for a unit.

    Raises:
        RightError: it does not exist, or has no right to sign for the unit.
    """
    _require_grant(session, login, unit_id, _DECIDES, own=False)


def _require_grant(session: Session, login: str, unit_id: str, roles: tuple[Role, ...], *, own: bool) -> None:
    """Make sure of a role on the unit or above; without `own` no school's own account is enough."""
    account = session.scalar(select(Account).where(Account.login == login, Account.disabled_at.is_(None)))
    if account is None:
        raise RightError(f"there is no active account {login!r}; see 'phongmay access list'", "no_right")
    unit = session.scalar(Unit.at().where(Unit.id == unit_id))
    above = [place.id for place in ancestors(session, unit_id)]
    allowed = {*above, *([unit_id] if own or unit is None or unit.kind != UnitKind.SCHOOL else [])}
    grants = select(Grant.role).where(Grant.account_id == account.id, Grant.unit_id.in_(allowed))
    if not set(session.scalars(grants)) & set(roles):
        wanted = "any role on the unit or above" if own else f"{' or '.join(roles)} of a unit above the school"
        raise RightError(f"account {login!r} may not sign this for {unit_id}: it needs {wanted}", "no_right")


def _require_text(name: str, text: str) -> None:
    if not text.strip():
        raise DecisionError(f"the {name} is empty; say why, so that an inspector can follow it", "empty")
    if len(text) > MAX_TEXT:
        raise DecisionError(f"the {name} has {len(text)} characters; at most {MAX_TEXT} are recorded", "long")


def _require_period(start: datetime, end: datetime) -> None:
    if end <= start:
        raise DecisionError(
            f"the end {end:%Y-%m-%d %H:%M%z} is not after the beginning {start:%Y-%m-%d %H:%M%z}", "period"
        )
