"""Extended security updates: an end that is declared for a machine or its school, as far as the maker gives them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from phongmay_rules.errors import PackError
from phongmay_rules.explain import sentence
from phongmay_rules.facts.catalogue import Found, Source, missing
from phongmay_rules.facts.declared import Declarations, with_declared
from phongmay_rules.facts.hardware import support_days, support_fact
from phongmay_rules.facts.records import FactValue
from phongmay_rules.facts.schools import FactMaker
from phongmay_rules.facts.support import TABLE, read_table, shipped_table
from phongmay_rules.judging import Subject, judge
from phongmay_rules.loader import load_pack
from phongmay_rules.places import Declaration, DevicePlace, SchoolPlace
from phongmay_rules.reasons import Reason
from phongmay_store.register.timetable import LOCAL

AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC).timestamp()
TODAY = date(2026, 11, 23)
NAME = "os_support_days_left"
OVER, MAKERS = date(2025, 10, 14), date(2028, 10, 10)
"""Windows 10 22H2: when support ended for all, and when it ends for those who registered."""
PC = DevicePlace("a", "th", "r1", "pc", "in_service", AT, False, "", "dv:a")


def until(day: str, row: str = "dc:esu") -> Declaration:
    """Declare extended updates until a day."""
    return Declaration(day, AT - 86400, "Ban kiểm kê", "", row)


def seen(version: str = "10-22H2") -> Found:
    """See an operating system."""
    return support_fact("windows", version, "Windows Pro", shipped_table(), AT, AT - 60, ("d/r/1",))


def known(found: Found, declared: Declarations, of_school: Declarations | None = None, at: float = AT) -> Found:
    """Give the fact beside what is declared of the machine and of its school."""
    facts = with_declared(PC, [found], declared, shipped_table(), at, of_school or {})
    return next(fact for fact in facts if fact.name == NAME)


@pytest.mark.parametrize(
    ("said", "ends"),
    [
        ("2027-10-12", date(2027, 10, 12)),
        ("2028-10-10", MAKERS),
        ("2030-01-01", MAKERS),
        ("2025-10-15", date(2025, 10, 15)),
    ],
)
def test_a_declared_end_counts_at_most_to_the_makers(said: str, ends: date) -> None:
    """A Windows 10 PC is supported to the declared day, and never longer than the maker gives updates to anybody."""
    found, plain = known(seen(), {"esu_until": until(said)}), seen()
    assert plain.value == support_days(OVER, TODAY)
    assert found.value == support_days(ends, TODAY)
    assert (found.at, found.source, found.missing) == (plain.at, plain.source, None)
    assert found.sources == ("d/r/1", "dc:esu")
    assert found.detail == {
        **plain.detail, "ends": ends.isoformat(), "table": shipped_table().sources["microsoft-esu"], "extended": said,
        "extended_by": "Ban kiểm kê",
    }  # fmt: skip


def test_what_lengthens_nothing_changes_nothing() -> None:
    """An end before the support's own, a release without extended updates, and a system that nobody knows stay."""
    for said in ("2024-01-01", OVER.isoformat()):
        assert known(seen(), {"esu_until": until(said)}) == seen()
    for version in ("11-25H2", "10-21H1", "7"):
        assert known(seen(version), {"esu_until": until("2028-01-01")}) == seen(version)
    silent = missing(NAME, Reason.NO_DATA, AT)
    assert known(silent, {"esu_until": until("2028-01-01")}) == silent


def test_a_table_that_ran_out_is_not_lengthened() -> None:
    """Where nobody has checked the table, extended updates are as unknown as support itself."""
    old = replace(shipped_table(), valid_until=TODAY - timedelta(days=1))
    gone = support_fact("windows", "10-22H2", "Windows Pro", old, AT, AT, ("d/r/1",))
    assert gone.missing is Reason.TABLE_EXPIRED
    (found, *_) = with_declared(PC, [gone], {"esu_until": until("2027-10-12")}, old, AT)
    assert found == gone


def test_the_edition_decides_as_in_the_table() -> None:
    """An edition with an entry of its own has the extension of that entry, or none."""
    (plain,) = shipped_table().releases["windows", "10-22h2"]
    own = plain.model_copy(update={"editions": ("LTSC",), "extended_ends": None})
    table = replace(shipped_table(), releases={("windows", "10-22h2"): (own, plain)})
    for name, is_longer in (("Windows Enterprise LTSC", False), ("Windows Pro", True)):
        found = support_fact("windows", "10-22H2", name, table, AT, AT, ("d/r/1",))
        (longer, *_) = with_declared(PC, [found], {"esu_until": until("2027-10-12")}, table, AT)
        assert (longer != found) == is_longer


def test_the_machines_own_end_goes_before_the_schools() -> None:
    """What is declared of the whole school holds for every machine that has no end of its own."""
    school = {"esu_until_school": until("2027-10-12", "dc:school")}
    assert known(seen(), {}, school).sources == ("d/r/1", "dc:school")
    own = known(seen(), {"esu_until": until("2028-01-11")}, school)
    assert (own.detail["ends"], own.sources) == ("2028-01-11", ("d/r/1", "dc:esu"))


def test_a_declared_system_may_have_them_too() -> None:
    """A PC without an agent: system and extended updates are both declared, and the fact says declared."""
    declared = {"os": until("windows 10-22H2", "dc:os"), "esu_until": until("2027-10-12")}
    found = known(missing(NAME, Reason.NO_AGENT, AT), declared)
    assert (found.value, found.source) == (support_days(date(2027, 10, 12), TODAY), Source.DECLARED)
    assert found.sources == ("dc:os", "dc:esu")


@pytest.mark.parametrize(
    ("said", "at", "vi", "en"),
    [
        ("2027-10-12", AT,
         "Đạt: Số ngày còn được hãng hỗ trợ hệ điều hành: 300 ngày (tính cả hỗ trợ mở rộng (ESU) khai báo đến "
         "12/10/2027); tối thiểu 0 ngày (mức theo công bố của hãng).",
         "Pass: Days of vendor support left for the operating system: 300 days (with extended updates (ESU) that are "
         "declared until 12/10/2027); at least 0 days (figure of the maker)."),
        ("2030-01-01", AT, "khai báo đến 01/01/2030, hãng chỉ hỗ trợ đến 10/10/2028)",
         "declared until 01/01/2030; the maker ends them on 10/10/2028)"),
        ("2026-11-20", AT, "quá hạn 3 ngày (tính cả hỗ trợ mở rộng (ESU) khai báo đến 20/11/2026)",
         "over by 3 days (with extended updates (ESU) that are declared until 20/11/2026)"),
    ],
)  # fmt: skip
def test_the_sentence_names_what_was_declared(said: str, at: float, vi: str, en: str) -> None:
    """Days of support that rest on a declaration are never told as the maker's alone, met or not."""
    rule = load_pack("operations").rules["TB-05"]
    for found, told in ((known(seen(), {"esu_until": until(said)}), True), (seen(), False)):
        value = FactValue(1, NAME, found.value, "", found.at, "derived", found.sources, found.detail)
        verdict = judge(rule, Subject("device", "a", "th", "pc"), {NAME: value}, (), {}, at)
        said_vi, said_en = sentence(verdict, rule, "vi"), sentence(verdict, rule, "en")
        assert (vi in said_vi, en in said_en) == (told, told), said_vi
        assert ("ESU" in said_vi, "ESU" in said_en) == (told, told)


def test_days_are_local() -> None:
    """The last day lasts until midnight in Viet Nam."""
    declared = {"esu_until": until("2026-11-23")}
    last = datetime(2026, 11, 23, 23, 59, tzinfo=LOCAL).timestamp()
    assert known(seen(), declared, at=last).value == 0
    assert known(seen(), declared, at=last + 60).value == -1


def test_a_school_declares_for_all_its_machines(house: Any) -> None:
    """Through an evaluation, of everything or of one machine: every PC of the school gets the school's end."""
    devices = [replace(PC, id=name, agent_since=None) for name in "ab"]
    declared = {("device", name): {"os": until("windows 10-22H2")} for name in "ab"}
    declared["school", "th"] = {"esu_until_school": until("2027-10-12")}
    school = SchoolPlace("th", "Trường", "tieu_hoc", devices=devices, declared=declared)
    made, some = FactMaker(AT).make([school], house.series), FactMaker(AT).devices(school, {"a"}, house.series)
    for facts in (made["device", "a"], made["device", "b"], some["device", "a"]):
        assert next(found for found in facts if found.name == NAME).value == support_days(date(2027, 10, 12), TODAY)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("extended_ends = 2028-10-10", "extended_ends = 2025-10-14", "extended_ends is not after ends"),
        ('extended_source = "microsoft-esu"', 'extended_source = "nobody"', "unknown source 'nobody'"),
        ('extended_source = "microsoft-esu"', "", "unknown source ''"),
    ],
)
def test_a_wrong_table_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    """An extension that ends before it begins, or that comes from nowhere, is refused with its release."""
    path = tmp_path / "table.toml"
    path.write_text(TABLE.read_text("utf-8").replace(old, new), "utf-8")
    with pytest.raises(PackError, match=f"windows 10-22H2: {said}"):
        read_table(path)
