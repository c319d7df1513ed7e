"""Every case of every shipped pack, run by the very function that the engine uses."""

from __future__ import annotations

import pytest

from phongmay_rules.cases import run_case
from phongmay_rules.loader import load_pack, shipped_packs
from phongmay_rules.model import Assessment, Case, NumberFrom, Pack

PACKS = {name: load_pack(name) for name in shipped_packs()}
CASES = [
    pytest.param(pack, rule, case, id=f"{name}-{rule}-{case.name}")
    for name, pack in PACKS.items()
    for rule, cases in pack.cases.items()
    for case in cases
]


@pytest.mark.parametrize(("pack", "rule", "case"), CASES)
def test_case(pack: Pack, rule: str, case: Case) -> None:
    """A rule gives the state (and reason) that its case states."""
    assert run_case(pack, rule, case).problem == ""


@pytest.mark.parametrize("pack", PACKS.values(), ids=list(PACKS))
def test_no_figure_is_put_into_the_mouth_of_762(pack: Pack) -> None:
    """Nobody read QĐ 762's body: no clause of it is quoted, and no rule or parameter calls its own figure the law's."""
    assert not pack.standard.documents["qd-762-2021"].body_read
    for clause in pack.standard.clause:
        if clause.document == "qd-762-2021":
            assert clause.wording == "reported"
    for rule in ("TB-01", "TB-02", "TB-03", "PH-01"):
        assert pack.rules[rule].number_from is NumberFrom.DISTRICT_SETTING


@pytest.mark.parametrize("pack", PACKS.values(), ids=list(PACKS))
def test_aggregates_inherit_the_origin_of_figures(pack: Pack) -> None:
    """A target of the plan that rests on district settings says so."""
    assert pack.rules["QU-01"].number_from is NumberFrom.PLAN
    assert NumberFrom.DISTRICT_SETTING in pack.inherited["QU-01"]
    assert NumberFrom.DISTRICT_SETTING in pack.inherited["PH-02"]


@pytest.mark.parametrize("pack", PACKS.values(), ids=list(PACKS))
def test_the_catalogue_of_clauses_holds_what_no_machine_judges(pack: Pack) -> None:
    """A percentage over automated clauses only would lie, so manual ones stand there too, with the reason why."""
    manual = [clause for clause in pack.standard.clause if clause.assessment is Assessment.MANUAL]
    assert len(manual) >= 15
    assert all(clause.note.vi and clause.note.en for clause in manual)


@pytest.mark.parametrize("pack", PACKS.values(), ids=list(PACKS))
def test_figures_of_a_law_cannot_be_changed(pack: Pack) -> None:
    """An organisation sets its own numbers, never the law's."""
    for parameter in pack.standard.parameters.values():
        if parameter.number_from is NumberFrom.LAW:
            assert parameter.low == parameter.value == parameter.high
