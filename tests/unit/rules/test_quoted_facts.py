"""What an aggregate says about the facts that it read of its members: their rows, and one digest over them."""

from __future__ import annotations

from typing import Any

import pytest

from phongmay_rules.checks.counting import quoted
from phongmay_rules.checks.outcome import Context, Member
from phongmay_rules.checks.share import share
from phongmay_rules.facts.records import FactValue, digest
from phongmay_rules.model import NumberFrom, Share
from phongmay_store.register.compliance import State

FACT = FactValue(7, "works_7d", 1.0, "", 1_700_000_000.0, "measured", ("pc/r/1",), {"k": "Phòng"})
OTHERS: dict[str, Any] = {
    "id": 8, "name": "reported_7d", "value": 0.0, "missing": "stale", "at": 1_700_000_001.0, "source": "declared",
    "sources": ("pc/r/2",), "detail": {"k": "other"},
}  # fmt: skip


def member(name: str, *facts: FactValue) -> Member:
    """Make a PC with facts."""
    return Member("device", name, "pc", "in_service", True, {"TB-01": State.PASS}, {fact.name: fact for fact in facts})


@pytest.mark.parametrize("column", OTHERS)
def test_every_column_counts(column: str) -> None:
    """A row that says anything else gives another digest."""
    assert digest([FACT._replace(**{column: OTHERS[column]})]) != digest([FACT])


def test_a_row_reads_the_same_as_it_was_found() -> None:
    """The register gives a whole number back as a float, a list for a tuple, and {} for nothing; texts stay texts."""
    found = FACT._replace(value=1, detail=None)
    stored = FACT._replace(value=1.0, sources=["pc/r/1"], detail={})
    assert digest([found]) == digest([stored])
    assert digest([FACT._replace(value=True)]) == digest([FACT])
    assert digest([FACT._replace(value="1")]) != digest([FACT])
    assert digest([FACT._replace(value=None)]) != digest([FACT._replace(value=0)])
    assert digest([FACT._replace(detail={"a": 1, "b": 2})]) == digest([FACT._replace(detail={"b": 2, "a": 1})])


def test_rows_count_in_their_order() -> None:
    """The digest is over all rows, 32 hexadecimal digits, and of an order."""
    second = FACT._replace(id=8)
    assert digest([FACT, second]) != digest([second, FACT])
    assert digest([FACT, second]) != digest([FACT])
    assert len(digest([])) == 32
    # of the text [[7,"works_7d",1.0,"",1700000000.0,"measured",["pc/r/1"],{"k":"Phòng"}]]; stored verdicts rest on it
    assert digest([FACT]) == "8e0b72f7cfa9320764859b3307617f37"


def test_members_without_the_fact_are_left_out() -> None:
    """Only rows that exist are quoted, by number and together; without any there is nothing to quote."""
    second = FACT._replace(id=9)
    members = [member("a", FACT), member("b"), member("c", second, FACT._replace(id=3, name="reported_7d"))]
    assert quoted("works_7d", members) == ({"facts": "works_7d", "rows": [7, 9], "digest": digest([FACT, second])},)
    assert quoted("works_7d", [member("b")]) == ()
    assert quoted("works_7d", []) == ()


def test_a_share_by_a_fact_quotes_it_and_one_by_rules_none() -> None:
    """The evidence of a share ends with the rows that it read itself; verdicts that it counts quote their own."""
    members = [member("a", FACT), member("b", FACT._replace(id=8, value=0.0))]
    context = Context({}, members, {}, NumberFrom.PLAN, "", FACT.at)
    by_fact = share(Share(kind="share", members="devices", fact="works_7d", at_least=0.5), context)
    assert by_fact.evidence[2:] == quoted("works_7d", members)
    assert [item["state"] for item in by_fact.evidence[:2]] == ["pass", "fail"]
    by_rules = share(Share(kind="share", members="devices", rules=("TB-01",), at_least=0.5), context)
    assert [item["subject_id"] for item in by_rules.evidence] == ["a", "b"]
