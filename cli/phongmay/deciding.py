"""The verbs of `phongmay verdicts` by which people decide: waive, withdraw, attest, dispute, answer, decisions.

The command line does not ask for a password: who may run it may write the register anyway. It checks that the login
given with --by has the right to sign, and every decision becomes a link of its unit's chain.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from phongmay.commands import Commands
from phongmay.naming import subject_named, unit_named
from phongmay.settings import ServerSettings, load
from phongmay_contract.errors import OperatorError
from phongmay_rules import deciding
from phongmay_rules.disputing import open_and_recheck
from phongmay_rules.loader import packs_in_force
from phongmay_store.register.decisions import Attestation, Dispute, Waiver
from phongmay_store.register.engine import open_register, require_current
from phongmay_store.register.timetable import LOCAL
from phongmay_store.series import readers


def instant(text: str) -> datetime:
    """Read a time from the command line; without a zone it is local."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 2026-11-23T10:00 or 2026-11-23") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=LOCAL)).astimezone(UTC)


def add_decisions(verbs: Commands) -> None:
    """Declare the verbs."""
    verb = verbs.add_parser("waive", help="lift a rule for a subject and all below it, for a time")
    verb.add_argument(
        "subject", metavar="SUBJECT", help="id of a device, room or unit; a device's code; a unit's issuer:value"
    )
    verb.add_argument("rule", metavar="RULE", help="id of the rule, e.g. TB-01")
    verb.add_argument("--reason", required=True, metavar="TEXT", help="why; printed with every verdict it excuses")
    verb.add_argument("--until", required=True, metavar="TIME", type=instant, help="first instant without the waiver")
    verb.add_argument("--since", metavar="TIME", type=instant, help="beginning (default: now)")
    _add_signer(verb)
    verb.set_defaults(run=_waive)

    verb = verbs.add_parser("withdraw", help="end a waiver now")
    verb.add_argument("number", metavar="NUMBER", type=int, help="number of the waiver")
    verb.add_argument("--reason", required=True, metavar="TEXT", help="why")
    _add_signer(verb)
    verb.set_defaults(run=_withdraw)

    verb = verbs.add_parser("attest", help="record a statement on a clause that no machine judges alone")
    verb.add_argument("unit", metavar="UNIT", help="school or unit above: its id or issuer:value")
    verb.add_argument("clause", metavar="CLAUSE", help="id of the clause")
    verb.add_argument("--met", required=True, choices=("yes", "no"), help="whether the clause is met")
    verb.add_argument("--statement", required=True, metavar="TEXT", help="what was seen")
    verb.add_argument("--until", required=True, metavar="TIME", type=instant, help="first instant without it")
    verb.add_argument("--attachment", metavar="FILE", type=Path, help="evidence; its name and SHA-256 are recorded")
    _add_signer(verb)
    verb.set_defaults(run=_attest)

    verb = verbs.add_parser("dispute", help="say that a current verdict is wrong; it is rechecked at once")
    verb.add_argument("verdict", metavar="VERDICT", type=int, help="id of the verdict")
    verb.add_argument("--text", required=True, metavar="TEXT", help="what is wrong")
    _add_signer(verb)
    verb.set_defaults(run=_dispute)

    verb = verbs.add_parser("answer", help="answer a dispute for the district")
    verb.add_argument("number", metavar="NUMBER", type=int, help="number of the dispute")
    verb.add_argument("decision", choices=("upheld", "rejected"), help="upheld: the school is right")
    verb.add_argument("--text", required=True, metavar="TEXT", help="the answer")
    _add_signer(verb)
    verb.set_defaults(run=_answer)

    verb = verbs.add_parser("decisions", help="all waivers, attestations and disputes")
    verb.add_argument("--unit", metavar="UNIT", help="one unit only: its id or issuer:value (default: all)")
    verb.set_defaults(run=_decisions)


def _add_signer(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--by", required=True, metavar="LOGIN", help="account that signs, see 'phongmay access list'")


@contextmanager
def _sessions(settings: ServerSettings) -> Iterator[sessionmaker[Session]]:
    engine = open_register(settings.store.register_url)
    require_current(engine)
    yield sessionmaker(engine)
    engine.dispose()


def _waive(args: argparse.Namespace) -> int:
    settings = load(args.config)
    with _sessions(settings) as sessions, sessions() as session:
        row = deciding.waive(
            session, packs_in_force(settings.rules), subject_named(session, args.subject), args.rule,
            reason=args.reason, signed_by=args.by,
            valid_to=args.until, valid_from=args.since,
        )  # fmt: skip
        session.commit()
        print(f"waiver {row.number}: {row.rule_id} is lifted for {row.subject_id} until {_local(row.valid_to)}")
    return 0


def _withdraw(args: argparse.Namespace) -> int:
    with _sessions(load(args.config)) as sessions, sessions() as session:
        row = deciding.withdraw(session, args.number, reason=args.reason, signed_by=args.by)
        session.commit()
        print(f"waiver {args.number} is withdrawn by waiver {row.number}")
    return 0


def _attest(args: argparse.Namespace) -> int:
    settings = load(args.config)
    attachment = _hashed(args.attachment) if args.attachment else ("", "")
    with _sessions(settings) as sessions, sessions() as session:
        row = deciding.attest(
            session, packs_in_force(settings.rules), unit_named(session, args.unit).id, args.clause,
            met=args.met == "yes", statement=args.statement, signed_by=args.by, valid_to=args.until,
            attachment=attachment,
        )  # fmt: skip
        session.commit()
        print(f"attestation {row.number}: {row.clause_id} of {row.unit_id} is {'met' if row.met else 'not met'} "
              f"until {_local(row.valid_to)}; attachment {row.attachment_hash or 'none'}")  # fmt: skip
    return 0


def _hashed(path: Path) -> tuple[str, str]:
    try:
        with path.open("rb") as file:
            return path.name, hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise OperatorError(f"--attachment {path} cannot be read ({error})") from error


def _dispute(args: argparse.Namespace) -> int:
    settings = load(args.config)
    pack = packs_in_force(settings.rules)
    with _sessions(settings) as sessions:
        found = open_and_recheck(
            sessions, readers(settings.store), pack, args.verdict,
            text=args.text, signed_by=args.by, interval_s=settings.rules.interval_s,
        )  # fmt: skip
        print(f"dispute {found.opened.number} about verdict {args.verdict} of {found.opened.unit_id} is open")
        if found.recheck is None:
            print(f"not rechecked: {found.problem}")
            return 1
        print(f"rechecked: {found.recheck.text}")
    return 0


def _answer(args: argparse.Namespace) -> int:
    with _sessions(load(args.config)) as sessions, sessions() as session:
        upheld = args.decision == "upheld"
        deciding.answer(session, args.number, upheld=upheld, text=args.text, signed_by=args.by)
        session.commit()
    print(f"dispute {args.number} is {args.decision}")
    return 0


def _decisions(args: argparse.Namespace) -> int:
    with _sessions(load(args.config)) as sessions, sessions() as session:
        lines = list(_lines(session, unit_named(session, args.unit).id if args.unit else None))
    for line in lines or ["no waiver, statement or dispute is recorded"]:
        print(line)
    return 0


def _lines(session: Session, unit: str | None) -> Iterator[str]:
    for waiver in session.scalars(select(Waiver).order_by(Waiver.number)):
        if unit in (None, waiver.unit_id):
            instead = f" (in place of {waiver.replaces})" if waiver.replaces else ""
            yield (f"waiver {waiver.number}{instead}: {waiver.rule_id} for {waiver.subject_id}, {_period(waiver)}, "
                   f"by {waiver.signed_by}: {waiver.reason}")  # fmt: skip
    for item in session.scalars(select(Attestation).order_by(Attestation.number)):
        if unit in (None, item.unit_id):
            yield (f"attestation {item.number}: {item.clause_id} of {item.unit_id} {'met' if item.met else 'not met'}, "
                   f"{_period(item)}, by {item.signed_by}: {item.statement}")  # fmt: skip
    for step in session.scalars(select(Dispute).order_by(Dispute.number)):
        if unit in (None, step.unit_id):
            yield (f"dispute {step.opened or step.number}: {step.step}, verdict {step.verdict_id} of {step.unit_id}, "
                   f"{_local(step.recorded_at)}, by {step.signed_by}: {step.text}")  # fmt: skip


def _period(row: Waiver | Attestation) -> str:
    return f"{_local(row.valid_from)} to {_local(row.valid_to)}"


def _local(moment: datetime) -> str:
    return f"{moment.astimezone(LOCAL):%Y-%m-%d %H:%M}"
