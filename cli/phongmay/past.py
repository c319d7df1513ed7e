"""The verb `phongmay verdicts show`: the verdicts of a unit as they stood at a past instant, as known at another.

In: the settings file, a unit by id or issuer:value, times (local without a zone). Out: one line a verdict; with --rule
and --subject everything that one rests on. Reads only. Where no run vouched for the instant everything is unknown, and
exit code 1 says so; an instant ahead and a unit that never was raise OperatorError.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator

from sqlalchemy.orm import Session

from phongmay.commands import Commands
from phongmay.deciding import instant
from phongmay.evidence import evidence_lines, local, stamp_lines
from phongmay.naming import subjects_named, unit_named
from phongmay.settings import load
from phongmay_contract.errors import OperatorError
from phongmay_rules.explain import state_name
from phongmay_rules.explanation import explain
from phongmay_rules.history import (
    PastVerdict,
    PastVerdicts,
    as_of,
    held_since,
    pack_of,
    past_sentence,
    require_past,
)
from phongmay_rules.loader import packs_in_force
from phongmay_rules.model import Pack
from phongmay_store.register.compliance import Verdict
from phongmay_store.register.engine import open_register, reading_one_state, require_current


def add_show(verbs: Commands) -> None:
    """Declare the verb."""
    verb = verbs.add_parser("show", help="the verdicts of a unit as they stood at a past instant")
    verb.add_argument("--unit", metavar="UNIT", required=True, help="school or unit above: its id or issuer:value")
    verb.add_argument("--at", metavar="TIME", type=instant, required=True, help="the instant that is asked about")
    verb.add_argument(
        "--known-at", metavar="TIME", type=instant, help="leave out what was recorded later (default: nothing)"
    )
    verb.add_argument("--rule", metavar="RULE", help="only verdicts of this rule")
    verb.add_argument(
        "--subject", metavar="SUBJECT", help="only verdicts on this subject: an id, a device's code, issuer:value"
    )
    verb.add_argument("--lang", choices=("vi", "en"), default="vi", help="language (default: %(default)s)")
    verb.set_defaults(run=_show)


def _show(args: argparse.Namespace) -> int:
    settings = load(args.config)
    require_past(args.at, args.known_at)
    in_force = packs_in_force(settings.rules)
    engine = open_register(settings.store.register_url)
    require_current(engine)
    with reading_one_state(engine) as session:
        unit = unit_named(session, args.unit)
        found = as_of(session, unit.id, args.at, args.known_at)
        pack, is_archived = pack_of(session, found.run, in_force)
        print(f"{unit.name} ({unit.id})")
        for line in _head(args, found, is_archived=is_archived):
            print(line)
        subjects = subjects_named(session, args.subject) if args.subject else None
        shown = [
            one
            for one in found.verdicts
            if (subjects is None or one.row.subject_id in subjects) and args.rule in (None, one.row.rule_id)
        ]
        if not shown and (args.rule or args.subject):
            wanted = "".join(filter(None, (args.rule and f" of {args.rule}", args.subject and f" on {args.subject!r}")))
            raise OperatorError(f"{unit.name} ({unit.id}) had no verdict{wanted} at that instant")
        lines = _in_full if args.rule and args.subject else _brief
        for one in shown:
            for line in lines(session, one, pack, args.lang):
                print(line)
        print(_counts(shown, args.lang))
    engine.dispose()
    return 0 if found.is_vouched else 1


def _head(args: argparse.Namespace, found: PastVerdicts, *, is_archived: bool) -> Iterator[str]:
    vi = args.lang == "vi"
    line = f"{'Như ở thời điểm' if vi else 'As it stood at'} {local(args.at)}"
    if args.known_at is not None:
        line += f", {'theo những gì đã ghi nhận đến' if vi else 'as known at'} {local(args.known_at)}"
    yield line
    run = found.run
    if run is None:
        yield "Khi đó chưa có lần đánh giá nào." if vi else "Nobody had judged it by then."
        return
    yield (
        f"{'Lần đánh giá' if vi else 'Run'} {run.id} {'lúc' if vi else 'at'} {local(run.evaluated_at)}, "
        f"{'gói' if vi else 'pack'} {run.pack_id} [{run.pack_hash[:12]}]"
    )
    if not is_archived:
        yield (
            "Gói quy tắc khi đó không có trong kho lưu; lời văn lấy theo gói đang áp dụng."
            if vi
            else "The packs of that run are not in the archive; the wording is that of the packs in force."
        )
    if not found.is_vouched:
        yield (
            "Không lần đánh giá nào xác nhận cho thời điểm này: mọi kết quả là chưa rõ (hệ thống đánh giá đã ngừng)."
            if vi
            else "No run vouches for this instant: everything is unknown (the evaluation had stopped)."
        )


def _brief(session: Session, one: PastVerdict, pack: Pack, language: str) -> Iterator[str]:
    row = one.row
    yield f"{row.id:>9}  {row.subject_kind:<9}{row.subject_id:<20} {row.rule_id:<8}{past_sentence(one, pack, language)}"


def _in_full(session: Session, one: PastVerdict, pack: Pack, language: str) -> Iterator[str]:
    row: Verdict = one.row
    since = held_since(session, [row]).get(row.id) if one.run_id is not None else None
    yield from explain(one, row.rule_id, pack, row.evidence, since, language).sentences()
    yield from evidence_lines(row.evidence, language)
    yield from stamp_lines(row, language, is_current=False)


def _counts(shown: list[PastVerdict], language: str) -> str:
    counts = Counter(one.state for one in shown)
    parts = [f"{count} {state_name(state, language).lower()}" for state, count in sorted(counts.items())]
    return f"{len(shown)} {'kết luận' if language == 'vi' else 'verdicts'}: {', '.join(parts) or '–'}"
