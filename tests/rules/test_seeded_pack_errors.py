"""More than 200 seeded errors in the five shipped packs: each is refused at load with file, key and what was expected.

The errors are made from the packs as they are, by families (misspelt keys, wrong units, dangling clauses, bad dates),
so a rule that is added to a pack is in it without a change here. The seed is fixed: a failure can be repeated. Each
family takes its errors from all packs in turn. Long because every family of errors stands in this one table.
"""

from __future__ import annotations

import random
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from pathlib import Path

import pytest

from phongmay_contract.units import Unit
from phongmay_rules.errors import PackError
from phongmay_rules.facts.catalogue import FACTS
from phongmay_rules.loader import PACKS, load_packs, shipped_packs

SEED, WANTED = 762, 200
EXPECTED = re.compile(
    r"expected|did you mean|is missing|needs exactly|input should|should be|should have|should match|"
    r"is not TOML: (?!Invalid date)|is for devices only|are for devices only|is not for|the file's name says|"
    r"there is no rule|cites it|no clause of|remove it|nobody has read|expects"
)
FACT_KEYS = ("fact", "heard", "silent", "known", "coverage", "heads")
BOUND_KEYS = ("at_least", "at_most", "known_min", "coverage_min", "heads_per_device")
ENUMS = ("severity", "number_from", "assessment", "wording", "kind", "expect", "reason", "group", "duty", "document",
         "members", "clause")  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One line `key = value` of a file of the pack, and the table that it stands in."""

    file: str
    number: int
    table: str
    key: str
    value: str


@dataclass(frozen=True)
class Error:
    """One error: in a file the line `number` becomes `new` (None = is removed).

    A number of -1 adds `new` at the end, -2 puts it in the place of the whole file.

    Attributes:
        file: pack/folder/name.toml.
        named: what the refusal must say beside the file.
        refused: file that the refusal names, if it is another one.
        also: more files that are made, with their text.
    """

    family: str
    file: str
    number: int
    new: str | None
    named: str
    refused: str = ""
    also: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.family}-{self.file}:{self.number + 1}-{self.named}"


def lines() -> Iterator[Line]:
    """Give every plain line of every file."""
    for path in sorted(PACKS.rglob("*.toml")):
        table = ""
        for number, text in enumerate(path.read_text("utf-8").splitlines()):
            header = re.match(r"^\[+([^\]]+)\]+", text)
            table = header[1] if header else table
            pair = re.match(r"^(\w+) = (.+)$", text)
            if pair:
                value = pair[2].split(" #")[0].strip()
                yield Line(path.relative_to(PACKS).as_posix(), number, table, pair[1], value)


TEXTS = {path.relative_to(PACKS).as_posix(): path.read_text("utf-8") for path in sorted(PACKS.rglob("*.toml"))}
LINES = list(lines())
Family = Callable[[random.Random], Iterator[Error]]
FAMILIES: list[tuple[Family, int]] = []


def family(count: int) -> Callable[[Family], Family]:
    """Register a family, and how many of its errors are tried."""

    def add(function: Family) -> Family:
        FAMILIES.append((function, count))
        return function

    return add


def error(kind: str, line: Line, new: str | None, named: str) -> Error:
    """Put a new value (or line) in the place of a line."""
    return Error(kind, line.file, line.number, new, named)


def misspelt(word: str, chance: random.Random) -> str:
    """Change a word as a hurried hand does: a letter twice, one left out, two swapped."""
    if len(word) < 4:
        return word + "q"
    at = chance.randrange(1, len(word) - 1)
    swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return chance.choice([word[:at] + word[at] + word[at:], word[:at] + word[at + 1 :], swapped + "x"])


def unquoted(value: str) -> str:
    """Give the text of a TOML string."""
    return value.strip('"')


def is_rule(line: Line) -> bool:
    """Tell whether a line stands in a rule."""
    return "/rules/" in line.file


@family(40)
def misspelt_keys(chance: random.Random) -> Iterator[Error]:
    """Any key of any file."""
    for line in LINES:
        if len(line.key) > 2:
            wrong = misspelt(line.key, chance)
            yield error("key", line, f"{wrong} = {line.value}", f"{wrong}'")


@family(20)
def missing_keys(_: random.Random) -> Iterator[Error]:
    """Keys that nothing stands in for."""
    needed = {"severity", "group", "valid_from", "number_from", "who_must_act", "unit", "low", "high", "value", "vi",
              "en", "document", "wording", "assessment", "expect", "name", "rule"}  # fmt: skip
    yield from (error("missing", line, None, f"{line.key}'") for line in LINES if line.key in needed)


@family(20)
def wrong_words(chance: random.Random) -> Iterator[Error]:
    """Words of closed lists and references that lead nowhere."""
    for line in LINES:
        if line.key in ENUMS and line.value.startswith('"') and len(unquoted(line.value)) > 3:
            named = "check." if line.table == "check" and line.key == "kind" else line.key
            yield error("word", line, f'{line.key} = "{misspelt(unquoted(line.value), chance)}"', named)


@family(14)
def wrong_units(chance: random.Random) -> Iterator[Error]:
    """A unit that is none, and one that is not the fact's or the rules'."""
    for line in LINES:
        if line.key == "unit":
            yield error("unit", line, f'unit = "{chance.choice(["GB", "Mbps", "%", "minutes"])}"', "unit")
            if is_rule(line):
                others = [unit for unit in Unit if unit.value != unquoted(line.value)]
                yield error("unit", line, f'unit = "{chance.choice(others)}"', "unit")


@family(14)
def unknown_facts(chance: random.Random) -> Iterator[Error]:
    """A misspelt fact, and one that is about something else."""
    for line in LINES:
        if is_rule(line) and line.key in FACT_KEYS:
            own = FACTS[unquoted(line.value)].subject
            other = chance.choice([name for name, fact in FACTS.items() if fact.subject is not own])
            for name in (misspelt(unquoted(line.value), chance), other):
                yield error("fact", line, f'{line.key} = "{name}"', f".{line.key}'")


@family(12)
def unknown_parameters(chance: random.Random) -> Iterator[Error]:
    """A bound that names a parameter that is not there."""
    for line in LINES:
        if is_rule(line) and line.key in BOUND_KEYS and line.value.startswith('"'):
            yield error("parameter", line, f'{line.key} = "{misspelt(unquoted(line.value), chance)}"', f".{line.key}'")


@family(12)
def dangling_clauses(chance: random.Random) -> Iterator[Error]:
    """A rule that cites what stands nowhere, or the same twice."""
    for line in LINES:
        if is_rule(line) and line.key == "clauses":
            first = re.findall(r'"([^"]+)"', line.value)[0]
            yield error("clause", line, f'clauses = ["{first}", "{misspelt(first, chance)}"]', "'clauses'")
            yield error("clause", line, f'clauses = ["{first}", "{first}"]', "'clauses'")


@family(14)
def bad_dates(_: random.Random) -> Iterator[Error]:
    """Days that do not exist, words, numbers, and an end before the beginning."""
    for line in LINES:
        if line.key == "valid_from":
            for wrong in ('"01/01/2023"', "2023-02-30", "20230101", "2023-01-01T07:00:00"):
                yield error("date", line, f"valid_from = {wrong}", "key 'valid_from'")
            if "valid_to" not in TEXTS[line.file]:
                yield error("date", line, "valid_from = 2023-01-01\nvalid_to = 2022-12-31", "'valid_to'")
        if line.key == "valid_to":
            yield error("date", line, "valid_to = 2000-12-31", "'valid_to'")
        if line.key == "issued":
            yield error("date", line, 'issued = "2021"', "issued")
            yield error("date", line, "issued = 2021-04-31", "key 'issued': is not TOML")


@family(10)
def duplicates(_: random.Random) -> Iterator[Error]:
    """The same id or key twice."""
    clauses = [line for line in LINES if line.table == "clause" and line.key == "id"]
    for before, line in pairwise(clauses):
        yield error("twice", line, f"id = {before.value}", f"'{unquoted(before.value)}' stands there twice")
    cases = [line for line in LINES if line.table == "case" and line.key == "name"]
    for before, line in pairwise(cases):
        if before.file == line.file:
            yield error("twice", line, f"name = {before.value}", unquoted(before.value))
    for line in LINES:
        if line.key in ("severity", "group"):
            yield error("twice", line, f"{line.key} = {line.value}\n{line.key} = {line.value}", f"key '{line.key}'")


@family(14)
def out_of_range(_: random.Random) -> Iterator[Error]:
    """Defaults outside of their bounds, no numbers, and bounds the wrong way round."""
    for line in LINES:
        where = line.table.split(".")[-1]
        if line.table.startswith("parameters.") and line.key in ("value", "low", "high"):
            wrong = {"value": ("-1", "1e18", "nan", "inf", "true", '"4 GB"'), "low": ("1e18", "nan"),
                     "high": ("-1", "nan")}[line.key]  # fmt: skip
            yield from (error("range", line, f"{line.key} = {number}", f"parameters.{where}.") for number in wrong)


@family(12)
def senseless_bounds(_: random.Random) -> Iterator[Error]:
    """Limits in a rule itself that nothing can be: a share above 1, no pupils for a PC, no number."""
    for line in LINES:
        if is_rule(line) and line.table == "check" and line.key in BOUND_KEYS:
            for number in ("nan", "inf", "true", *(("1.01", "-0.1") if line.value == "1.0" else ())):
                yield error("bound", line, f"{line.key} = {number}", f".{line.key}'")
            if line.key == "heads_per_device":
                yield error("bound", line, "heads_per_device = 0", "heads_per_device")


@family(10)
def wrong_operators(_: random.Random) -> Iterator[Error]:
    """None, both, or one that does not exist."""
    for line in LINES:
        if is_rule(line) and line.table == "check" and line.key in ("at_least", "at_most"):
            yield error("operator", line, f"greater_than = {line.value}", "greater_than'")
            if not line.value.startswith('"'):
                yield error("operator", line, f"at_least = {line.value}\nat_most = {line.value}", "check.")
            yield error("operator", line, None, "check.")


@family(10)
def missing_cases(chance: random.Random) -> Iterator[Error]:
    """A required kind of case that is another kind now, an expectation that its kind forbids."""
    for line in LINES:
        if "/cases/" in line.file and line.table == "case" and line.key == "expect":
            wrong = chance.choice([s for s in ("pass", "fail", "unknown", "waived") if s != unquoted(line.value)])
            before = [one for one in LINES if one.file == line.file and one.number == line.number - 1]
            if before and before[0].key == "kind" and before[0].value != '"other"':
                yield error("case", line, f'expect = "{wrong}"', "case '")
        if "/cases/" in line.file and line.key == "rule":
            yield error("case", line, 'rule = "ZZ-99"', "'rule'")


@family(8)
def wrong_subjects(chance: random.Random) -> Iterator[Error]:
    """Kinds, levels and states that do not exist, or not for this kind of subject."""
    for line in LINES:
        if is_rule(line) and line.key in ("of", "levels", "states") and line.value.startswith("["):
            first = re.findall(r'"([^"]+)"', line.value)[0]
            yield error("subject", line, f'{line.key} = ["{misspelt(first, chance) + "x"}"]', line.key)
        if is_rule(line) and line.table == "subject" and line.key == "kind" and unquoted(line.value) != "device":
            yield error("subject", line, f'{line.key} = {line.value}\nstates = ["in_service"]', "states")


@family(8)
def wrong_case_subjects(chance: random.Random) -> Iterator[Error]:
    """Cases about kinds of things, facts and rules that do not exist."""
    for line in LINES:
        if "/cases/" in line.file and line.key in ("subject", "facts"):
            name = re.search(r'kind = "(\w+)"' if line.key == "subject" else r"\{ (\w+) =", line.value)
            if name is not None:
                wrong = misspelt(name[1], chance)
                yield error("about", line, f"{line.key} = {line.value.replace(name[1], wrong, 1)}", wrong)


REQUIRED = ("moet-rooms", "line-quality", "operations")
"""What tanbinh-2023 requires, so that it sees their ids."""


def tables(file: str, header: str) -> Iterator[str]:
    """Give every [[header]] table of a file, as text with its subtables."""
    for part in re.split(r"^(?=\[\[)", TEXTS[file], flags=re.MULTILINE):
        if part.startswith(f"[[{header}]]"):
            yield part


@family(12)
def duplicates_across_packs(_: random.Random) -> Iterator[Error]:
    """A rule, clause or parameter that another pack has already, and a document that reads differently there."""
    into = "tanbinh-2023"
    for pack in REQUIRED:
        for file, text in TEXTS.items():
            if file.startswith(f"{pack}/rules/"):
                name = Path(file).stem
                cases = (f"{into}/cases/{name}.toml", TEXTS[f"{pack}/cases/{name}.toml"])
                rule = f"{into}/rules/{name}.toml"
                yield Error("across", f"{pack}/rules/{name}.toml", 0, text.splitlines()[0], f"rule '{name}'", rule,
                            ((rule, text), cases))  # fmt: skip
        for clause in tables(f"{pack}/standard.toml", "clause"):
            name = re.findall(r'^id = "([^"]+)"', clause, re.MULTILINE)[0]
            yield Error("across", f"{into}/standard.toml", -1, clause, f"clause '{name}'", f"{into}/standard.toml")
        for name in re.findall(r"^\[parameters\.(\w+)\]", TEXTS[f"{pack}/standard.toml"], re.MULTILINE):
            whole = re.split(r"^(?=\[)", TEXTS[f"{pack}/standard.toml"], flags=re.MULTILINE)
            parts = [part for part in whole if part.startswith((f"[parameters.{name}]", f"[parameters.{name}."))]
            yield Error("across", f"{into}/standard.toml", -1, "\n".join(parts), f"parameter '{name}'")
        for line in LINES:
            if line.file == f"{pack}/standard.toml" and re.fullmatch(r"(groups\.\w+)\.title", line.table):
                yield error("across", line, f'{line.key} = "Khác"', f"'{line.table.removesuffix('.title')}' differs")


@family(10)
def requirements(chance: random.Random) -> Iterator[Error]:
    """A pack that is not there, one that is needed and not named, a ring, itself."""
    for line in LINES:
        if line.table == "" and line.key == "id" and line.file.endswith("standard.toml"):
            pack = unquoted(line.value)
            if pack not in ("tanbinh-2023", "qd762-2021"):
                for wrong in (misspelt("operations", chance), "tt-13-2020"):
                    yield error(
                        "requires", line, f'id = "{pack}"\nrequires = ["{wrong}"]', f"'requires': unknown '{wrong}'"
                    )
                yield error("requires", line, f'id = "{pack}"\nrequires = ["{pack}"]', "ring")
                yield error("requires", line, f'id = "{pack}"\nrequires = ["tanbinh-2023"]', "ring")
        if line.key == "requires":
            for name in re.findall(r'"([^"]+)"', line.value):
                wrong = misspelt(name, chance)
                yield error("requires", line, line_with(line, name, wrong), f"'requires': unknown '{wrong}'")


def line_with(line: Line, old: str, new: str) -> str:
    """Give a line with one word changed."""
    return f"{line.key} = {line.value.replace(old, new, 1)}"


@family(14)
def levels(_: random.Random) -> Iterator[Error]:
    """Levels that do not exist, twice, a bound of a level too many or too few, levels of a district."""
    for line in LINES:
        if is_rule(line) and line.key == "levels":
            first = line.value.strip("[]").split(",")[0]
            yield error("levels", line, line_with(line, first, '"mau_giao"'), "levels")
            yield error("levels", line, line_with(line, first, f"{first}, {first}"), "levels")
            yield error("levels", line, 'levels = "thcs"', "levels")
        if is_rule(line) and line.table == "check" and line.value.startswith("{"):
            yield error("levels", line, line_with(line, "thcs =", "dai_hoc ="), line.key)
            if line.key != "heads_by_level":
                fewer = re.sub(r"thcs = [^,}]+,? ?", "", line.value).replace(", }", " }")
                yield error("levels", line, f"{line.key} = {fewer}", "names the levels")
        if is_rule(line) and line.table == "subject" and line.value == '"district"':
            yield error("levels", line, 'kind = "district"\nlevels = ["thcs"]', "'subject.levels'")


@family(10)
def dangling_rules(chance: random.Random) -> Iterator[Error]:
    """An aggregate that reads a rule that is not there, twice the same, or itself."""
    for line in LINES:
        if is_rule(line) and line.table == "check" and line.key == "rules":
            first = re.findall(r'"([^"]+)"', line.value)[0]
            own = Path(line.file).stem
            yield error("rules", line, line_with(line, first, f"{first[:-1]}{chance.randrange(3)}x"), ".rules'")
            yield error("rules", line, f'rules = ["{first}", "{first}"]', ".rules'")
            yield error("rules", line, f'rules = ["{own}"]', ".rules': rules read each other in a ring")


@family(10)
def claims(_: random.Random) -> Iterator[Error]:
    """A stronger origin than the figures have, a quote that nobody read, a clause that is judged and called manual."""
    for line in LINES:
        by_parameter = re.search(r'^(at_\w+|heads_per_device) = "', TEXTS[line.file], re.MULTILINE)
        if is_rule(line) and line.key == "number_from" and line.value == '"district_setting"' and by_parameter:
            yield error("claim", line, 'number_from = "law"', "'number_from'")
        if line.table == "clause" and line.key == "wording" and line.value == '"reported"':
            yield error("claim", line, 'wording = "verbatim"', "wording is 'verbatim'")
        if line.table == "clause" and line.key == "assessment" and line.value != '"manual"':
            yield error("claim", line, 'assessment = "manual"', "expected: cited by no rule")
        if line.key == "duty":
            yield error("claim", line, 'duty = "thong-tu-99"', "'duty'")


@family(8)
def misplaced_files(chance: random.Random) -> Iterator[Error]:
    """A rule under another name, an id of another form, a file where none belongs."""
    for line in LINES:
        if is_rule(line) and line.table == "" and line.key == "id":
            yield error("place", line, f'id = "{unquoted(line.value)[:-1]}{chance.randrange(7, 9)}q"', "'id'")
            yield error("place", line, f'id = "{unquoted(line.value).lower()}"', "'id'")
            stray = f"{line.file.split('/')[0]}/{Path(line.file).name}"
            yield Error("place", line.file, line.number, f"id = {line.value}", "does not belong in a pack", stray,
                        ((stray, TEXTS[line.file]),))  # fmt: skip


@family(24)
def cases_that_show_nothing(_: random.Random) -> Iterator[Error]:
    """Sorts of case that no case shows any more, or that a case claims and does not show."""
    for file, text in TEXTS.items():
        if "/cases/" not in file:
            continue
        rows = text.splitlines()
        for number, row in enumerate(rows):
            kind = re.match(r'kind = "(\w+)"', row)
            line = Line(file, number, "case", "kind", row)
            if kind is None or kind[1] == "other":
                continue
            if kind[1] in ("waived", "stale") and text.count(f'kind = "{kind[1]}"') == 1:
                head, *blocks = text.split("[[case]]")
                left = "[[case]]".join([head, *(b for b in blocks if f'kind = "{kind[1]}"' not in b)])
                rest = left.removeprefix(head.splitlines()[0])
                yield Error("shows", file, -2, head.splitlines()[0] + rest, f"no case of kind {kind[1]}")
            if kind[1] == "no_data":
                yield error("shows", line, 'kind = "stale"', "'kind' is 'stale', but it shows no_data")
            if kind[1] == "stale":
                yield error("shows", line, 'kind = "no_data"', "'kind' is 'no_data', but it shows stale")
            if kind[1] == "waived":
                at = next(n for n in range(number, len(rows)) if rows[n].startswith("waiver = "))
                yield error("shows", Line(file, at, "case", "waiver", ""), None, "case '")
                yield error("shows", Line(file, at, "case", "waiver", ""), 'waiver = { on = "class" }', "waiver.on")
                wrong = 'waiver = { on = "district", rule = "ZZ-01" }'
                yield error("shows", Line(file, at, "case", "waiver", ""), wrong, "waiver.rule")


def seeded() -> list[Error]:
    """Give the errors: so many of each family, chosen by the seed."""
    chance = random.Random(SEED)
    out: list[Error] = []
    for make, count in FAMILIES:
        found = list(make(chance))
        chance.shuffle(found)
        by_pack = [[one for one in found if one.file.startswith(f"{pack}/")] for pack in shipped_packs()]
        turns = [one for turn in zip_longest(*by_pack) for one in turn if one is not None]
        out += turns[:count]
    return out


ERRORS = seeded()


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of all packs, put right again after each error."""
    folder = tmp_path_factory.mktemp("all") / "packs"
    shutil.copytree(PACKS, folder)
    return folder


def load(folder: Path) -> None:
    """Read all packs of a folder."""
    load_packs([folder / pack for pack in shipped_packs()])


def test_there_are_enough_errors(copy: Path) -> None:
    """At least 200 different ones, of every family, and out of every pack; the untouched packs load."""
    assert len({str(error) + str(error.new) for error in ERRORS}) >= WANTED
    assert len(Counter(error.family for error in ERRORS)) == len(FAMILIES)
    packs = Counter(error.file.split("/")[0] for error in ERRORS)
    assert set(packs) == set(shipped_packs())
    assert min(packs.values()) >= 20
    load(copy)


@pytest.mark.parametrize("wrong", ERRORS, ids=str)
def test_refused(copy: Path, wrong: Error) -> None:
    """PackError, one line, with the file, the key and what was expected."""
    path = copy / wrong.file
    text = path.read_text("utf-8").splitlines()
    try:
        if wrong.number == -2:
            text = [wrong.new or ""]
        elif wrong.number == -1:
            text.append(wrong.new or "")
        else:
            text[wrong.number : wrong.number + 1] = [] if wrong.new is None else [wrong.new]
        path.write_text("\n".join(text) + "\n", "utf-8")
        for name, content in wrong.also:
            (copy / name).write_text(content, "utf-8")
        with pytest.raises(PackError) as refusal:
            load(copy)
    finally:
        for name, _ in wrong.also:
            (copy / name).unlink()
        path.write_text(TEXTS[wrong.file], "utf-8")
    said = str(refusal.value)
    assert (wrong.refused or wrong.file) in said
    assert wrong.named in said
    assert EXPECTED.search(said), said
    assert "\n" not in said
