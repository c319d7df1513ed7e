"""A pack that is wrong is refused with file, key and what was expected; a right one has a hash of its content."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from phongmay_rules.case_model import CaseKind
from phongmay_rules.errors import PackError
from phongmay_rules.loader import PACKS, load_pack, load_packs, restore_pack
from phongmay_rules.settings import RulesSettings

Change = Callable[[str, str, str], Path]


@pytest.fixture
def change(tmp_path: Path) -> Change:
    """Copy the shipped pack and replace one text in one of its files."""

    def changed(file: str, old: str, new: str) -> Path:
        folder = tmp_path / "pack"
        if not folder.exists():
            shutil.copytree(PACKS / "tanbinh-2023", folder)
        path = folder / file
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), "utf-8")
        return folder

    return changed


@pytest.mark.parametrize(
    ("file", "old", "new", "named"),
    [
        ("rules/TB-01.toml", "severity", "severty", ["TB-01.toml", "'severty'", "did you mean 'severity'"]),
        ("rules/TB-01.toml", 'fact = "', 'fakt = "', ["TB-01.toml", "'check.0.fakt'", "did you mean 'fact'"]),
        ("rules/TB-01.toml", 'unit = "B"', 'unit = "GB"', ["TB-01.toml", "'check.0.unit'"]),
        ("rules/TB-01.toml", 'unit = "B"', 'unit = "s"', ["TB-01.toml", "expected 'B'", "ram_marketed_bytes"]),
        ("rules/TB-01.toml", "ram_marketed_bytes", "ram_bytes", ["TB-01.toml", "check.0.fact", "'ram_marketed_bytes'"]),
        ("rules/TB-01.toml", "ram_marketed_bytes", "computer_rooms", ["TB-01.toml", "about a school"]),
        ("rules/TB-01.toml", '"ram_min"', '"ram_mim"', ["TB-01.toml", "check.0.at_least", "did you mean 'ram_min'"]),
        ("rules/TB-01.toml", '"ram_min"', '"disk_min"', ["standard.toml", "ram_min", "used by no rule"]),
        ("rules/TB-03.toml", '"disk_min"', '"link_min"', ["TB-03.toml", "unit 'bit/s'", "expected 'B'"]),
        ("rules/TB-01.toml", "KH-I.1-2", "KH-I.1-9", ["TB-01.toml", "'clauses'", "did you mean 'KH-I.1-"]),
        ("rules/TB-01.toml", 'group = "computers"', 'group = "pcs"', ["TB-01.toml", "'group'", "computers, "]),
        ("rules/TB-01.toml", 'id = "TB-01"', 'id = "TB-11"', ["TB-01.toml", "'TB-11'", "'TB-01'"]),
        ("rules/TB-01.toml", "2023-01-01", '"2023-13-01"', ["TB-01.toml", "'valid_from'"]),
        ("rules/TB-01.toml", "valid_from = 2023-01-01", "valid_from = 2023-01-01\nvalid_to = 2022-01-01",
         ["TB-01.toml", "'valid_to'", "not before 2023-01-01"]),
        ("rules/TB-01.toml", '"district_setting"', '"law"', ["TB-01.toml", "'number_from'", "'district_setting'"]),
        ("rules/TB-01.toml", 'duty = "kh-tanbinh-2023"', 'duty = "tt-28-2020"', ["TB-01.toml", "'duty'", "no clause"]),
        ("rules/TB-01.toml", '"teacher_pc"', '"teachers_pc"', ["TB-01.toml", "'subject.of'", "'teacher_pc'"]),
        ("rules/PH-02.toml", '"TB-03"]', '"TB-13"]', ["PH-02.toml", "check.0.rules", "'TB-13'"]),
        ("rules/PH-02.toml", 'kind = "share"', 'kind = "expression"', ["PH-02.toml", "'check.0'", "'per_head'"]),
        ("rules/PH-02.toml", "at_least = 1.0", 'at_least = 1.0\nfact = "heard"', ["PH-02.toml", "exactly one of"]),
        ("rules/TB-11.toml", "at_most = 0", "at_least = 0\nat_most = 5", ["TB-11.toml", "exactly one of"]),
        ("rules/TB-08.toml", '"reach_coverage_min"', "0.05", ["TB-08.toml", "may be 0.05", "at least 0.1"]),
        ("standard.toml", "low = 0.1", "low = 0.09", ["TB-08.toml", "may be 0.09", "at least 0.1"]),
        ("standard.toml", "schema_version = 1", "schema_version = 2", ["standard.toml", "'schema_version'"]),
        ("standard.toml", "value = 4_294_967_296", "value = 4", ["standard.toml", "parameters.ram_min.value"]),
        ("standard.toml", 'document = "tt-28-2020"', 'document = "tt-28"', ["standard.toml", "'tt-28-2020'"]),
        ("standard.toml", 'wording = "reported"', 'wording = "verbatim"', ["standard.toml", "nobody has read"]),
        ("standard.toml", 'assessment = "manual"', 'assessment = "partial"', ["standard.toml", "at least one rule"]),
        ("cases/TB-01.toml", "ram_marketed_bytes = 4_294_967_296", "ram_marketed_bytes = 4_294_967_297",
         ["TB-01.toml", "case 'exactly 4 GB'", "'kind' is 'at_limit', but it shows pass"]),
        ("cases/TB-01.toml", 'kind = "stale"', 'kind = "no_data"', ["TB-01.toml", "31 days ago", "shows stale"]),
        ("cases/TB-01.toml", "ram_marketed_bytes = 8_589_934_592 }", "ram_marketed_bytes = 1 }",
         ["TB-01.toml", "case '8 GB': expected pass, got fail (below)"]),
        ("cases/TB-01.toml", "ram_marketed_bytes = 8_589_934_592 }", "ram_marketed_bytes = 2_147_483_648 }",
         ["TB-01.toml", "'2 GB' states the very same as case '8 GB'"]),
        ("cases/TB-01.toml", 'waiver = { on = "device" }', 'waiver = { on = "devices" }', ["TB-01.toml", "waiver.on"]),
        ("cases/TB-01.toml", 'rule = "TB-03" }', 'rule = "TB-33" }', ["TB-01.toml", "waiver.rule", "'TB-33'"]),
        ("cases/PH-01.toml", 'waiver = { on = "room" }', 'waiver = { on = "device" }',
         ["PH-01.toml", "waiver.on", "expected one of: district, room, school"]),
        ("cases/TB-01.toml", 'kind = "fail"\nexpect = "fail"', 'kind = "fail"\nexpect = "pass"',
         ["TB-01.toml", "case '2 GB'", "expects fail"]),
        ("cases/TB-01.toml", "ram_marketed_bytes", "ram_bytes", ["TB-01.toml", "case '8 GB'", "'ram_bytes'"]),
        ("cases/TB-01.toml", 'rule = "TB-01"', 'rule = "TB-02"', ["TB-01.toml", "'TB-02'", "'TB-01'"]),
        ("cases/PH-02.toml", "TB-01 = ", "TB-09 = ", ["PH-02.toml", "members.rules", "'TB-09'"]),
        ("rules/TB-01.toml", "[subject]", "[subject", ["TB-01.toml", "is not TOML"]),
        ("rules/TB-01.toml", "valid_from = 2023-01-01", "valid_from = 2023-02-30",
         ["TB-01.toml", "key 'valid_from'", "at line", "a day that the calendar has"]),
        ("rules/TB-01.toml", 'unit = "B"', "unit = { of = 2023-02-30 }", ["TB-01.toml", "key 'of'"]),
        ("rules/TR-03.toml", '"smart_classroom"', '"smart_room"', ["TR-03.toml", "check.0.of", "'smart_classroom'"]),
        ("rules/PH-10.toml", 'members = "devices"', 'members = "rooms"', ["PH-10.toml", "subject.kind: school"]),
        ("standard.toml", '"operations"]', '"operation"]', ["standard.toml", "'requires'", "'operation'"]),
        ("standard.toml", '"line-quality", "operations"]', '"line-quality"]', ["PH-01.toml", "'TB-09'"]),
        ("standard.toml", 'vi = "Máy tính"', 'vi = "Máy"', ["standard.toml", "'groups.computers'", "very same"]),
    ],
)  # fmt: skip
def test_refused(change: Change, file: str, old: str, new: str, named: list[str]) -> None:
    """Whatever is misspelt, unknown, dangling or contradictory is refused when the pack is loaded."""
    with pytest.raises(PackError) as error:
        load_pack(str(change(file, old, new)))
    for text in named:
        assert text in str(error.value)


def test_missing_case_file(change: Change) -> None:
    """A rule without its cases is refused."""
    folder = change("standard.toml", "schema_version = 1", "schema_version = 1")
    (folder / "cases" / "TB-03.toml").unlink()
    with pytest.raises(PackError, match=r"TB-03.toml: rule TB-03 has no case; expected: this file"):
        load_pack(str(folder))


def test_every_sort_that_applies_is_demanded(change: Change) -> None:
    """Take away all cases that show a sort which applies, and the pack is refused; the sentence names the sort."""
    folder = change("standard.toml", "schema_version = 1", "schema_version = 1")
    lines = {
        CaseKind.FAIL: 'expect = "fail"', CaseKind.AT_LIMIT: 'expect = "pass"', CaseKind.NO_DATA: 'expect = "unknown"',
        CaseKind.STALE: 'kind = "stale"', CaseKind.WAIVED: 'expect = "waived"',
        CaseKind.NOT_APPLICABLE: 'expect = "not_applicable"',
    }  # fmt: skip
    demanded = []
    for rule in ("TB-01", "TB-02", "PH-01", "PH-08", "QU-01", "TR-18"):
        file = folder / "cases" / f"{rule}.toml"
        whole = file.read_text("utf-8")
        head, *cases = whole.split("[[case]]")
        for kind, line in lines.items():
            few = [case for case in cases if line not in case]
            if len(few) < len(cases):
                file.write_text("[[case]]".join([head, *few]), "utf-8")
                with pytest.raises(
                    PackError, match=rf"{rule}.toml: rule {rule} has no case of kind .*{kind}.*expected: "
                ):
                    load_pack(str(folder))
                demanded.append(kind)
        file.write_text(whole, "utf-8")
    assert load_pack(str(folder)).cases
    assert {kind: demanded.count(kind) for kind in lines} == {
        CaseKind.FAIL: 6, CaseKind.AT_LIMIT: 6, CaseKind.NO_DATA: 6, CaseKind.STALE: 2, CaseKind.WAIVED: 6,
        CaseKind.NOT_APPLICABLE: 3,
    }  # fmt: skip


def test_an_archived_pack_owes_no_new_case(change: Change) -> None:
    """What judged once can be restored and replayed, although a later version demands more cases of a new pack."""
    folder = change("standard.toml", "schema_version = 1", "schema_version = 1")
    (folder / "cases" / "TB-01.toml").write_text('rule = "TB-01"\ncase = []\n', "utf-8")
    with pytest.raises(PackError, match="has no case"):
        load_pack(str(folder))
    pack = load_pack("tanbinh-2023")
    files = json.loads(pack.content)
    files["tanbinh-2023/cases/TB-01.toml"]["case"] = []
    restored = restore_pack(json.dumps(files))
    assert restored.cases["TB-01"] == ()
    assert restored.rules == pack.rules


def test_foreign_file(change: Change) -> None:
    """A file in the wrong place would silently judge nothing, so it is refused."""
    folder = change("standard.toml", "schema_version = 1", "schema_version = 1")
    (folder / "TB-99.toml").write_text("", "utf-8")
    with pytest.raises(PackError, match=r"TB-99\.toml: does not belong"):
        load_pack(str(folder))


def test_ring(change: Change) -> None:
    """Rules that aggregate each other in a ring have no bottom to begin at."""
    folder = change("rules/PH-02.toml", '"TB-03"]', '"TB-03", "PH-02"]')
    with pytest.raises(PackError, match=r"ring: PH-02 > PH-02"):
        load_pack(str(folder))


def test_absent_pack_names_the_shipped_ones() -> None:
    """An operator who misspells the pack learns which there are."""
    with pytest.raises(PackError, match="tanbinh-2023"):
        load_pack("tanbinh-2032")


def test_hash_is_of_the_content(change: Change) -> None:
    """Comments and line ends leave the hash; any value of any file changes it, and a rule's own hash is its own."""
    shipped = load_pack("tanbinh-2023")
    folder = change("rules/TB-01.toml", 'id = "TB-01"', '# a remark\r\nid   =   "TB-01"')
    assert load_pack(str(folder)).hash == shipped.hash
    change("rules/TB-01.toml", 'severity = "major"', 'severity = "minor"')
    changed = load_pack(str(folder))
    assert changed.hash != shipped.hash
    assert changed.rule_hashes["TB-01"] != shipped.rule_hashes["TB-01"]
    assert changed.rule_hashes["TB-02"] == shipped.rule_hashes["TB-02"]


def _write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder


def _small(folder: Path, name: str, *, requires: str = "", rule: str = "XX-01", more: str = "") -> Path:
    """Write a pack of one rule that counts a school's computer rooms."""
    facts = {"pass": 2, "fail": 0, "at_limit": 1, "no_data": '{ missing = "no_data" }', "waived": 0}
    expect = {"at_limit": "pass", "no_data": "unknown"}
    cases = "".join(
        f"[[case]]\nname = '{kind}'\nkind = '{kind}'\nexpect = '{expect.get(kind, kind)}'\n"
        f"facts = {{ computer_rooms = {value} }}\n" + ("waiver = { on = 'school' }\n" if kind == "waived" else "")
        for kind, value in facts.items()
    )
    both = "vi = 'a'\nen = 'a'\n"
    return _write(
        folder / name,
        standard=f"schema_version = 1\nid = '{name}'\nversion = '1'\n{requires}\n[title]\n{both}"
        f"[groups.rooms.title]\n{both}",
        **{
            f"rules__{rule}": f"id = '{rule}'\ngroup = 'rooms'\nseverity = 'info'\nwho_must_act = ['school']\n"
            f"number_from = 'district_setting'\nvalid_from = 2023-01-01\n{more}\n[title]\n{both}[rationale]\n{both}"
            f"[remediation]\n{both}[subject]\nkind = 'school'\n[[check]]\nkind = 'threshold'\n"
            f"fact = 'computer_rooms'\nunit = '1'\nat_least = 1\n",
            f"cases__{rule}": f"rule = '{rule}'\n{cases}",
        },
    )


def test_a_rule_belongs_to_one_pack(tmp_path: Path) -> None:
    """Two active packs with the same rule would give it two verdicts, so they are refused, and both are named."""
    packs = [_small(tmp_path, "one"), _small(tmp_path, "two")]
    with pytest.raises(PackError, match=r"rule 'XX-01' stands in two packs: .*one and .*two"):
        load_packs(packs)


def test_packs_in_a_ring(tmp_path: Path) -> None:
    """Packs that require each other have no bottom to begin at."""
    packs = [
        _small(tmp_path, "one", requires="requires = ['two']"),
        _small(tmp_path, "two", requires="requires = ['one']", rule="XX-02"),
    ]
    with pytest.raises(PackError, match="ring: one > two > one"):
        load_packs(packs)


def test_each_rule_keeps_the_stamp_of_its_own_pack(tmp_path: Path) -> None:
    """A change in one pack changes the joint hash and its own, and leaves the other packs' hashes."""
    packs = [_small(tmp_path, "one"), _small(tmp_path, "two", rule="XX-02")]
    before = load_packs(packs)
    assert before.id == "one+two"
    assert {rule: before.stamp(rule).id for rule in before.rules} == {"XX-01": "one", "XX-02": "two"}
    assert before.stamps["one"] == load_pack(packs[0]).stamps["one"]
    path = packs[1] / "rules" / "XX-02.toml"
    path.write_text(path.read_text("utf-8").replace("at_least = 1", "at_least = 1.0"), "utf-8")
    after = load_packs(packs)
    assert after.stamps["one"] == before.stamps["one"]
    assert after.stamps["two"].hash != before.stamps["two"].hash
    assert after.hash != before.hash


def test_switched_off_rules_are_judged_only_when_named(tmp_path: Path) -> None:
    """A reference line or an unverified figure is in the pack, and judges nobody until the settings name it."""
    packs = [_small(tmp_path, "one", more="enabled = false")]
    day = date(2026, 1, 1)
    assert load_packs(packs).judged_on(day) == []
    assert [rule.id for rule in load_packs(packs, ["XX-01"]).judged_on(day)] == ["XX-01"]
    with pytest.raises(PackError, match=r"'rules.optional'.*'XX-09'"):
        load_packs(packs, ["XX-09"])


@pytest.mark.parametrize(
    ("day", "phases", "rooms"),
    [
        (date(2022, 12, 31), {"QU-01b"}, set()),
        (date(2023, 1, 1), {"QU-01", "QU-01c"}, {"PH-06"}),
        (date(2025, 9, 1), {"QU-01", "QU-01c", "QU-01d"}, {"PH-06"}),
        (date(2025, 9, 2), {"QU-01", "QU-01c", "QU-01d"}, {"PH-06b"}),
        (date(2026, 1, 1), {"QU-01", "QU-01d"}, {"PH-06b"}),
        (date(2031, 1, 1), {"QU-01"}, {"PH-06b"}),
    ],
)
def test_phases_and_successors_by_date(day: date, phases: set[str], rooms: set[str]) -> None:
    """The city's phases and the circulars on rooms take over from each other on their day, without a gap."""
    judged = {rule.id for rule in load_packs(RulesSettings().packs).judged_on(day)}
    assert {rule for rule in judged if rule.startswith("QU-01")} == phases
    assert {rule for rule in judged if rule.startswith("PH-06")} == rooms
