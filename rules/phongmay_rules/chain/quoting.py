"""Holds fact rows against the verdicts that quote them: verdict rows go in, what was changed afterwards comes out.

Fact rows are in no chain (a district writes many), but the evidence of a linked verdict quotes each fact that it rests
on: row, name, value, time, sources, detail. A fact row that was changed or removed therefore contradicts a link. Here
nothing is written. Facts that only an aggregate reads of its members are not quoted: those show in replay alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from phongmay_rules.reasons import Reason
from phongmay_store.register.compliance import Fact

_COLUMNS = (
    Fact.id, Fact.unit_id, Fact.subject_kind, Fact.subject_id, Fact.name, Fact.number, Fact.text, Fact.unit,
    Fact.missing, Fact.source, Fact.sources, Fact.detail, Fact.valid_at, Fact.recorded_at,
)  # fmt: skip
_SAME = ("name", "unit", "source", "sources", "detail")
"""What a quotation repeats word by word."""
_BLOCK = 400


def contradicted(session: Session, verdicts: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, int, str]]:
    """Compare the fact rows that some verdicts quote with what was quoted.

    Args:
        session: the register.
        verdicts: stored verdict rows whose links hold.

    Yields:
        Verdict row, fact row, and how the fact row differs.
    """
    quoted = {item["fact_id"] for row in verdicts for item in row["evidence"] if item.get("fact_id")}
    facts = _facts(session, quoted)
    for row in verdicts:
        for item in row["evidence"]:
            if item.get("fact_id"):
                problem = _problem(row, item, facts.get(item["fact_id"]))
                if problem:
                    yield row["id"], item["fact_id"], problem


def _facts(session: Session, wanted: Iterable[int]) -> dict[int, Mapping[str, Any]]:
    ids, out = sorted(wanted), dict[int, Mapping[str, Any]]()
    for start in range(0, len(ids), _BLOCK):
        statement = select(*_COLUMNS).where(Fact.id.in_(ids[start : start + _BLOCK]))
        out |= {row["id"]: row for row in session.execute(statement).mappings()}
    return out


def _problem(verdict: Mapping[str, Any], item: Mapping[str, Any], fact: Mapping[str, Any] | None) -> str:
    about = f"{item['name']} of {verdict['subject_kind']} {verdict['subject_id']}"
    if fact is None:
        return f"{about} was removed"
    wrong = [name for name in _SAME if item[name] != fact[name]]
    number, text = (None, item["value"]) if isinstance(item["value"], str) else (item["value"], None)
    if (number, text) != (fact["number"], fact["text"]):
        now = fact["number"] if fact["text"] in (None, text) else fact["text"]
        wrong.append(f"value: quoted {item['value']}, now {now}")
    if fact["missing"] != _missing(item):
        wrong.append("missing")
    if item["at"] != fact["valid_at"].timestamp():
        wrong.append("valid_at")
    if fact["recorded_at"] > verdict["evaluated_at"]:
        wrong.append("recorded_at")
    wrong += [name for name in ("unit_id", "subject_kind", "subject_id") if fact[name] != verdict[name]]
    return f"{about} was changed ({', '.join(wrong)})" if wrong else ""


def _missing(item: Mapping[str, Any]) -> str:
    """Give what the fact row said of its absence: a stale value is there, whatever the verdict made of it."""
    missing: str = item.get("missing", "")
    if missing == Reason.STALE or item["value"] is not None:
        return ""
    return missing
