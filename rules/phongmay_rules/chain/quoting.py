"""Holds fact rows against the verdicts that quote them: verdict rows go in, what was changed afterwards comes out.

Fact rows are in no chain (a district writes many), but the evidence of a linked verdict quotes each fact that it rests
on: row, name, value, time, sources, detail. Facts that an aggregate reads of its members are quoted together: rows, and
one digest over them. A fact row that was changed or removed therefore contradicts a link. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from phongmay_rules.checks import counting
from phongmay_rules.facts.catalogue import FACTS
from phongmay_rules.facts.records import FactValue, digest
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
    facts = _facts(session, rows_in(verdicts))
    for row in verdicts:
        for item in row["evidence"]:
            if item.get("fact_id"):
                problem = _problem(row, item, facts.get(item["fact_id"]))
                if problem:
                    yield row["id"], item["fact_id"], problem
            elif item.get("rows"):
                for fact, problem in _below(row, item, facts):
                    yield row["id"], fact, problem


def rows_in(verdicts: Iterable[Mapping[str, Any]]) -> set[int]:
    """Give the fact rows that some verdicts quote, singly or together."""
    items = [item for row in verdicts for item in row["evidence"]]
    return {item["fact_id"] for item in items if item.get("fact_id")}.union(*(item.get("rows", ()) for item in items))


def _below(
    verdict: Mapping[str, Any], item: Mapping[str, Any], facts: Mapping[int, Mapping[str, Any]]
) -> Iterator[tuple[int, str]]:
    """Compare the facts of members with the digest of what they said; what is surely wrong is named by its row."""
    about = f"{item['facts']} below {verdict['subject_kind']} {verdict['subject_id']}"
    states = {
        (member["subject_kind"], member["subject_id"]): member["state"]
        for member in verdict["evidence"]
        if "subject_id" in member
    }
    wrong = False
    for number in item["rows"]:
        fact = facts.get(number)
        problem = "was removed" if fact is None else _unlike(verdict, item["facts"], states, fact)
        if problem:
            wrong = True
            yield number, f"{about} {problem}"
    if not wrong and digest([_value(facts[number]) for number in item["rows"]]) != item["digest"]:
        yield item["rows"][0], f"{about} was changed, this row or another of its {len(item['rows'])}"


def _unlike(
    verdict: Mapping[str, Any], name: str, states: Mapping[tuple[str, str], str], fact: Mapping[str, Any]
) -> str:
    """Say in what a fact row cannot be the one that its aggregate counted; "" = in nothing that shows by itself."""
    stood = states.get((fact["subject_kind"], fact["subject_id"]))
    wrong = [column for column, is_so in (
        ("name", fact["name"] == name), ("subject", stood is not None),
        ("unit_id", fact["unit_id"] == verdict["unit_id"]),
        ("recorded_at", fact["recorded_at"] <= verdict["evaluated_at"]),
        ("unit", name not in FACTS or fact["unit"] == FACTS[name].unit),
        ("value", stood is None or counting.by_fact(_value(fact)) == stood),
    ) if not is_so]  # fmt: skip
    return f"was changed ({', '.join(wrong)})" if wrong else ""


def _value(row: Mapping[str, Any]) -> FactValue:
    value = row["number"] if row["number"] is not None else row["text"]
    return FactValue(
        row["id"], row["name"], value, row["missing"], row["valid_at"].timestamp(), row["source"], row["sources"],
        row["detail"],
    )  # fmt: skip


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
