"""What the demo prints on the terminal: the verdicts of the real PC with their evidence, and each school's shares.

Verdict rows and summaries go in, lines of text come out.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from phongmay_rules.explain import sentence
from phongmay_rules.model import Pack
from phongmay_rules.summary import summarise
from phongmay_simulate.district import REAL_CODE
from phongmay_store.register.compliance import CurrentVerdict, State, SubjectKind, Verdict
from phongmay_store.register.device import Device
from phongmay_store.register.organisation import Unit, subtree
from phongmay_store.series.interface import SeriesReader

GIB, GB = 1024**3, 10**9
SHOWN = (State.PASS, State.FAIL, State.UNKNOWN, State.NOT_APPLICABLE, State.MANUAL, State.WAIVED, State.ERROR)


def real_pc(session: Session, series: SeriesReader, pack: Pack) -> Iterator[str]:
    """Give the lines about the machine that the demo runs on: what was measured, and each verdict with evidence."""
    device = session.scalar(Device.at().where(Device.code == REAL_CODE))
    if device is None:
        return
    yield f"This PC ({device.id}), measured by its own agent:"
    for row in series.latest("hardware", [device.id]):
        values = row.values
        yield f"  memory   {values.get('memory_bytes', '?')} B    processor {values.get('cpu_model', '?')}"
        yield f"  cores    {values.get('cpu_cores', '?')} cores, {values.get('cpu_threads', '?')} threads"
        yield f"  system   {values.get('os_name', '?')}"
    for row in series.latest("disk", [device.id]):
        system = "  (system)" if row.values.get("is_system") else ""
        yield f"  disk     {row.part}: {row.values['size_bytes']} B {row.values.get('disk_kind', '')}{system}"
    rows = session.scalars(
        select(Verdict)
        .join(CurrentVerdict, CurrentVerdict.verdict_id == Verdict.id)
        .where(Verdict.subject_kind == SubjectKind.DEVICE, Verdict.subject_id == device.id)
        .order_by(Verdict.rule_id)
    )
    for verdict in rows:
        yield f"  {verdict.rule_id}  {verdict.state:<14} {sentence(verdict, pack.rules[verdict.rule_id], 'en')}"
        for item in verdict.evidence:
            sources = ", ".join(str(source) for source in item.get("sources", [])[:2])
            if sources:
                yield f"         {'':<14} evidence: {item.get('name', item.get('rule', ''))} from {sources}"


def schools(session: Session, pack: Pack, root: str) -> Iterator[str]:
    """Give one table: a row a school and rule group, a column a state."""
    units: Sequence[Unit] = subtree(session, root)
    summaries = summarise(session, [unit.id for unit in units])
    heads = [state.value.replace("not_applicable", "n/a") for state in SHOWN]
    yield _pad("School / group of rules", 46) + "".join(f"{head:>9}" for head in heads)
    for unit in units:
        yield unit.name
        for group, shares in summaries[unit.id].groups.items():
            title = pack.standard.groups[group].title.en
            yield _pad(f"  {title}", 46) + "".join(f"{shares.counts.get(state, 0):>9}" for state in SHOWN)


def _pad(text: str, width: int) -> str:
    """Pad to a width in columns; composed letters first, so that one Vietnamese letter is one column."""
    return unicodedata.normalize("NFC", text).ljust(width)
