"""Every case of every shipped pack, run by the very function that the engine uses."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from phongmay_rules.case_model import Case
from phongmay_rules.cases import run_case
from phongmay_rules.loader import load_pack, load_packs, shipped_packs
from phongmay_rules.model import Actor, Assessment, Clause, NumberFrom, Pack
from phongmay_rules.settings import RulesSettings

PACKS = [load_pack(name) for name in shipped_packs()]
CASES = [
    pytest.param(pack, rule, case, id=f"{rule}-{case.name}")
    for pack in PACKS
    for rule, cases in pack.cases.items()
    if pack.owners[rule] == pack.id
    for case in cases
]


@pytest.mark.parametrize(("pack", "rule", "case"), CASES)
def test_case(pack: Pack, rule: str, case: Case) -> None:
    """A rule gives the state (and reason) that its case states."""
    assert run_case(pack, rule, case).problem == ""


ALL = load_packs(RulesSettings().packs)


def test_every_shipped_pack_is_active_by_default() -> None:
    """A pack that nobody activates is judged by nobody; leaving one out is a decision, not an oversight."""
    assert set(RulesSettings().packs) == set(shipped_packs()) == set(ALL.stamps)


def test_no_figure_is_put_into_the_mouth_of_762() -> None:
    """Nobody read QĐ 762's body: no clause of it is quoted, and no rule or parameter calls its own figure the law's."""
    assert not ALL.standard.documents["qd-762-2021"].body_read
    for clause in ALL.standard.clause:
        if clause.document == "qd-762-2021":
            assert clause.wording == "reported"
            assert "ertainty" in clause.note.en
    for rule in ("TB-01", "TB-02", "TB-03", "PH-01"):
        assert ALL.rules[rule].number_from is NumberFrom.DISTRICT_SETTING
    assert all(rule.number_from is not NumberFrom.LAW for rule in ALL.rules.values() if rule.duty == "qd-762-2021")


@pytest.mark.parametrize("rule", ["QU-01", "QU-01d", "PH-02", "TR-18", "QU-02"])
def test_aggregates_inherit_the_origin_of_figures(rule: str) -> None:
    """A target of a document that rests on district settings says so, also across packs."""
    assert ALL.rules[rule].number_from is not NumberFrom.DISTRICT_SETTING
    assert NumberFrom.DISTRICT_SETTING in ALL.inherited[rule]


def test_only_the_provider_answers_for_qcvn_34() -> None:
    """QCVN 34 binds the provider: a school is never told to act on it, and no other rule calls its figure law."""
    bound = [rule for rule in ALL.rules.values() if rule.duty == "qcvn-34-2022"]
    assert {rule.id for rule in bound} == {"TR-08", "TR-09"}
    assert all(rule.who_must_act == (Actor.ISP,) for rule in bound)


def test_figures_of_a_law_cannot_be_changed() -> None:
    """An organisation sets its own numbers, never the law's."""
    for parameter in ALL.standard.parameters.values():
        if parameter.number_from is NumberFrom.LAW:
            assert parameter.low == parameter.value == parameter.high


def _plan() -> list[str]:
    text = (Path(__file__).parent / "fixtures" / "ke-hoach-2023.vi.md").read_text("utf-8")
    body = text[text.index("I. MỤC TIÊU") : text.index("Trên đây là Kế hoạch")]
    return [line.removeprefix("- ").strip() for line in body.splitlines() if line.strip()]


QUOTED = [clause for clause in ALL.standard.clause if clause.wording == "verbatim"]


@pytest.mark.parametrize("clause", QUOTED, ids=[clause.id for clause in QUOTED])
def test_quotes_are_verbatim(clause: Clause) -> None:
    """What is printed as a quote stands in the plan, letter by letter, in one paragraph."""
    assert clause.document == "kh-tanbinh-2023"
    assert any(clause.text.vi in line for line in _plan())


def test_every_target_and_duty_of_the_plan_is_a_clause() -> None:
    """A percentage over chosen clauses would lie: all of sections I to III is in the catalogue, judged or not.

    Left out are headings, and who is in charge until when (those belong to the registry of the plan's tasks).
    """
    heading = re.compile(r"(?:[IVX]+|[0-9](?:\.[0-9])?)\. |[abc]\) Về (?!quản trị)")
    around = ("Phụ trách:", "Phối hợp triển khai:", "Thời gian")
    rest = [line for line in _plan() if not heading.match(line) and not line.startswith(around)]
    for clause in QUOTED:
        rest = [line.replace(clause.text.vi, "").strip() for line in rest]
    assert [line for line in rest if line] == []
    assert len(QUOTED) == 70


def test_what_no_machine_judges_says_why() -> None:
    """Manual and partial clauses stand in the catalogue with the reason, in both languages."""
    kinds = Counter(clause.assessment for clause in QUOTED)
    assert kinds[Assessment.MANUAL] >= 60
    assert kinds[Assessment.PARTIAL] >= 7
    assert all(clause.note.vi and clause.note.en for clause in ALL.standard.clause)
