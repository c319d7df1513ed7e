"""A verdict explained in full: every rule in every state of the pack cases, in both languages, with who can help."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from phongmay_rules.cases import run_cases
from phongmay_rules.explain import VerdictLike
from phongmay_rules.explanation import Explanation, explain
from phongmay_rules.facts.catalogue import FACTS
from phongmay_rules.facts.suppliers import BY_FACT, BY_REASON, NAMES, OF_MEMBERS, SETTLED, THE_FACTS_OWN, Supplier
from phongmay_rules.history import held_since
from phongmay_rules.judging import Judgement
from phongmay_rules.loader import load_packs
from phongmay_rules.model import Actor
from phongmay_rules.reasons import Reason
from phongmay_rules.settings import RulesSettings
from phongmay_rules.waiving import InForce, excuse
from phongmay_simulate.district import Role as Machine
from phongmay_store.register.compliance import State, Verdict
from phongmay_store.register.timetable import LOCAL

PACK = load_packs(RulesSettings().packs)
SINCE = datetime(2026, 11, 2, 1, 5, tzinfo=UTC)
_WAIVER = InForce(7, "quan", "chờ thay máy theo kế hoạch năm sau.", "2027-01-01T00:00:00+00:00")


def _judgements() -> list[Any]:
    """Give (rule, judgement) of every case, and of every failing one as it is when waived."""
    found = []
    for result in run_cases(PACK):
        found.append(pytest.param(result.rule_id, result.judgement, id=f"{result.rule_id}-{result.case.name}"))
        if result.judgement.state is State.FAIL:
            waived = excuse(result.judgement, result.rule_id, ["s"], {(result.rule_id, "s"): _WAIVER})
            found.append(pytest.param(result.rule_id, waived, id=f"{result.rule_id}-{result.case.name}-waived"))
    return found


def _explain(rule: str, judgement: VerdictLike, language: str, evidence: list[Any] | None = None) -> Explanation:
    shown = evidence if evidence is not None else getattr(judgement, "evidence", [])
    return explain(judgement, rule, PACK, shown, SINCE, language)


_SYLLABLE = re.compile(
    r"(b|ch?|d|đ|gh?|gi|h|kh?|l|m|n|ngh?|nh|ph?|qu?|r|s|th?|tr|v|x)?[aeiouy]{1,3}(ch?|m|n|ng|nh|p|t)?", re.IGNORECASE
)

pytestmark = pytest.mark.one_register
_NAMES = {"internet", "wi", "fi", "bit", "kbit", "mbit", "gbit", "ms", "giga", "m²", "windows"}
"""Words that are written the same in Vietnamese papers."""


def _foreign(text: str) -> list[str]:
    """Give the words that no Vietnamese syllable can be; names in capitals (RAM, QCVN) are none of our words."""
    found = []
    for word in re.findall(r"[^\W\d_]+", text):
        plain = "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))
        plain = plain.replace("đ", "d").replace("Đ", "D")
        ours = len(plain) > 1 and plain.casefold() not in _NAMES and not re.search(r"[A-ZĐ]{2}", word)
        if ours and not _SYLLABLE.fullmatch(plain):
            found.append(word)
    return found


def test_foreign_words_are_told_from_vietnamese_ones() -> None:
    """The helper of the tests below finds codes and English words, and lets Vietnamese ones pass."""
    assert _foreign("Không đạt: nghiêng, quyết, ngoằn; đường truyền cáp quang, chuyển mạch RAM 762/QĐ-UBND") == []
    assert _foreign("Chưa rõ: unknown devices, measured below no_data") == [
        "unknown", "devices", "measured", "below", "data",
    ]  # fmt: skip


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize(("rule", "judgement"), _judgements())
def test_every_rule_in_every_state(rule: str, judgement: Judgement, language: str) -> None:
    """What was found, by which document, since when, who must do what; for unknown who can supply which data."""
    found = _explain(rule, judgement, language)
    parts = found.sentences()
    assert all(part.endswith((".", "?")) and "None" not in part for part in parts), parts
    assert len(parts) == len(set(parts)), "nothing is said twice"
    text = " ".join(parts)
    document = PACK.standard.documents.get(PACK.rules[rule].duty)
    assert (document.title.in_(language) if document else {"vi": "không văn bản nào", "en": "no document"}[
        language]) in found.basis  # fmt: skip
    assert f"{PACK.rules[rule].valid_from:%d/%m/%Y}" in found.basis
    assert "08:05" in found.since
    assert "02/11/2026" in found.since
    assert bool(found.missing) == (judgement.state in (State.UNKNOWN, State.ERROR))
    if judgement.state is State.FAIL:
        assert PACK.rules[rule].remediation.in_(language).strip() in found.action
    if judgement.state is State.WAIVED:
        waiver = next(item for item in judgement.evidence if "waiver" in item)
        assert "07:00" in found.action
        assert f"{datetime.fromisoformat(waiver['until']).astimezone(LOCAL):%d/%m/%Y}" in found.action
        assert waiver["why"].rstrip(".") in found.action
        text = text.replace(waiver["why"].rstrip("."), "")  # a person's own words
    for missing in found.missing:
        assert NAMES[missing.who][language == "en"] in missing.text
        assert missing.fact in {"", *FACTS}
    assert re.search(r"\b[a-z0-9]+_[a-z0-9_]+\b|\b[A-Z]{2}-\d\d|member-", text) is None, "no code and no id"
    if language == "vi":
        assert _foreign(text) == []


def test_every_fact_and_every_reason_has_a_supplier() -> None:
    """A fact or reason that is new says who can help, or these tables do not fit and this test fails."""
    assert set(BY_FACT) == set(FACTS)
    assert set(NAMES) == set(Supplier)
    parts = [SETTLED, THE_FACTS_OWN, OF_MEMBERS, frozenset(BY_REASON)]
    assert sum(len(part) for part in parts) == len(set().union(*parts)), "a reason stands in one table only"
    assert set().union(*parts) == set(Reason)
    for way in (*BY_FACT.values(), *BY_REASON.values()):
        assert _foreign(way.vi) == []
        assert way.en


def test_a_rule_that_left_the_pack_is_explained_by_its_state() -> None:
    """An old verdict stays readable when its rule is gone; nothing is made up about it."""
    verdict = next(iter(run_cases(PACK))).judgement
    found = _explain("ZZ-99", verdict, "en")
    assert found.sentences()[0].startswith("Pass")
    assert found.basis == ""


def test_an_engine_that_stopped_is_for_its_operator() -> None:
    """When nobody vouches for a verdict any more the one who runs the system is asked, not the school."""
    verdict = Judgement(State.UNKNOWN, Reason.ENGINE_STOPPED, {}, {}, [])
    assert [missing.who for missing in _explain("TB-01", verdict, "vi").missing] == [Supplier.OPERATOR]


@pytest.mark.parametrize("language", ["vi", "en"])
def test_too_little_time_leads_to_the_fact_of_which_too_little_is_known(language: str) -> None:
    """A month of availability needs computers that report, and a server that listens; that of a line needs tries."""
    told = {
        (rule, judgement.reason): _explain(rule, judgement, language).missing
        for rule, judgement in (found.values for found in _judgements())
        if judgement.reason in (Reason.TOO_FEW, Reason.COVERAGE)
    }
    assert {rule for rule, _ in told} == {"TB-08", "TB-10", "PH-09", "TR-12"}
    for (rule, reason), (missing,) in told.items():
        kind = FACTS[missing.fact]
        assert missing.text.count(kind.vi if language == "vi" else kind.en) == 1, "what it is about"
        of_reach = rule in ("TB-08", "TR-12")
        assert ("Internet" in missing.text) == of_reach
        stopped = reason is Reason.COVERAGE and not of_reach
        assert missing.who is (Supplier.OPERATOR if stopped else Supplier.SCHOOL_IT)


@pytest.mark.parametrize(("language", "what"), [("vi", "đăng ký các trường"), ("en", "register the schools")])
def test_a_unit_without_schools_registers_schools(language: str, what: str) -> None:
    """Nothing to count is another matter in a district than in a room."""
    for rule, judgement in (found.values for found in _judgements()):
        if judgement.reason is Reason.NO_MEMBERS and judgement.measured.get("members") == "schools":
            (missing,) = _explain(rule, judgement, language).missing
            assert (missing.who, what in missing.text) == (Supplier.DISTRICT, True), rule


def test_missing_results_name_the_rule_and_lead_to_its_facts() -> None:
    """An aggregate that is undecided says how many results of which rule are missing, and who can supply those."""
    result = next(r for r in run_cases(PACK) if r.rule_id == "PH-02" and r.judgement.reason is Reason.UNDECIDED)
    text = _explain("PH-02", result.judgement, "vi").missing[0].text
    assert "kết quả của 1 máy theo tiêu chí “" in text
    assert "cài tác tử" in text


def test_since_goes_back_over_rows_of_the_same_state_only(house: Any) -> None:
    """Rows of one state make one streak, whatever else differs; another state breaks it."""
    house.device("pc", "cs", "cs-room")
    house.speak("pc", Machine.LOW_MEMORY)
    house.evaluate()
    with house.sessions() as session:
        first = session.scalars(select(Verdict).where(Verdict.subject_id == "pc", Verdict.rule_id == "TB-01")).one()
        columns = {c.name: getattr(first, c.name) for c in Verdict.__table__.columns if c.name != "id"}
        rows = []
        for hours, state, reason in (
            (1, "fail", "below"), (2, "pass", "met"), (3, "fail", "below"), (4, "fail", "below"),
            (5, "not_applicable", "gone"), (6, "not_applicable", "not_this_level"),
        ):  # fmt: skip
            at = first.evaluated_at + timedelta(hours=hours)
            rows.append(Verdict(**{**columns, "state": state, "reason": reason, "evaluated_at": at}))
            session.add(rows[-1])
            session.flush()
        since = held_since(session, [first, *rows])
        start = first.evaluated_at
        hours_since = [(since[row.id] - start) / timedelta(hours=1) for row in (first, *rows)]
    assert hours_since == [0, 0, 2, 3, 3, 5, 6]


def test_actors_are_all_named() -> None:
    """Every kind of actor of the packs has a name in both languages."""
    from phongmay_rules.explanation import ACTORS

    assert set(ACTORS) == {actor.value for actor in Actor}
