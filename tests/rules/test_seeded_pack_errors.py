"""200 seeded errors in the shipped pack: each is refused at load; the refusal names file, key and what was expected.

The errors are made from the pack as it is, by families (misspelt keys, wrong units, dangling clauses, bad dates ...),
so a rule that is added to the pack is in it without a change here. The seed is fixed: a failure can be repeated.
"""

from __future__ import annotations

import random
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from phongmay_contract.units import Unit
from phongmay_rules.errors import PackError
from phongmay_rules.facts.catalogue import FACTS
from phongmay_rules.loader import PACKS, load_pack

PACK = PACKS / "tanbinh-2023"
SEED, WANTED = 762, 200
EXPECTED = re.compile(
    r"expected|did you mean|is missing|every rule needs|needs exactly|input should|should be|should have|is not TOML|"
    r"is for devices only|are for devices only|is not for|the file's name says|there is no rule|cites it|no clause of|"
    r"remove it|nobody has read|expects"
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
    """One error: in a file the line `number` becomes `new` (None = is removed)."""

    family: str
    file: str
    number: int
    new: str | None
    named: str

    def __str__(self) -> str:
        return f"{self.family}-{self.file}:{self.number + 1}-{self.named}"


def lines() -> Iterator[Line]:
    """Give every plain line of every file."""
    for path in sorted(PACK.rglob("*.toml")):
        table = ""
        for number, text in enumerate(path.read_text("utf-8").splitlines()):
            header = re.match(r"^\[+([^\]]+)\]+", text)
            table = header[1] if header else table
            pair = re.match(r"^(\w+) = (.+)$", text)
            if pair:
                value = pair[2].split(" #")[0].strip()
                yield Line(path.relative_to(PACK).as_posix(), number, table, pair[1], value)


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
    return line.file.startswith("rules/")


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
                named = "is not TOML" if wrong == "2023-02-30" else "valid_from"
                yield error("date", line, f"valid_from = {wrong}", named)
            yield error("date", line, "valid_from = 2023-01-01\nvalid_to = 2022-12-31", "valid_to")
        if line.key == "issued":
            yield error("date", line, 'issued = "2021"', "issued")


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
            yield error("twice", line, f"{line.key} = {line.value}\n{line.key} = {line.value}", "is not TOML")


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
                yield error("operator", line, f"at_least = {line.value}\nat_most = {line.value}", "check.0")
            yield error("operator", line, None, "check.0")


@family(10)
def missing_cases(chance: random.Random) -> Iterator[Error]:
    """A required kind of case that is another kind now, an expectation that its kind forbids."""
    for line in LINES:
        if line.file.startswith("cases/") and line.table == "case" and line.key == "expect":
            wrong = chance.choice([s for s in ("pass", "fail", "unknown", "waived") if s != unquoted(line.value)])
            before = [one for one in LINES if one.file == line.file and one.number == line.number - 1]
            if before and before[0].key == "kind" and before[0].value != '"other"':
                yield error("case", line, f'expect = "{wrong}"', "case '")
        if line.file.startswith("cases/") and line.key == "rule":
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
        if line.file.startswith("cases/") and line.key in ("subject", "facts"):
            name = re.search(r'kind = "(\w+)"' if line.key == "subject" else r"\{ (\w+) =", line.value)
            if name is not None:
                wrong = misspelt(name[1], chance)
                yield error("about", line, f"{line.key} = {line.value.replace(name[1], wrong, 1)}", wrong)


def seeded() -> list[Error]:
    """Give the errors: so many of each family, chosen by the seed."""
    chance = random.Random(SEED)
    out: list[Error] = []
    for make, count in FAMILIES:
        found = list(make(chance))
        out += chance.sample(found, min(count, len(found)))
    return out


ERRORS = seeded()


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the pack, put right again after each error."""
    folder = tmp_path_factory.mktemp("packs") / "pack"
    shutil.copytree(PACK, folder)
    return folder


def test_there_are_enough_errors() -> None:
    """At least 200 different ones, of every family; the untouched pack loads."""
    assert len({str(error) + str(error.new) for error in ERRORS}) >= WANTED
    assert len(Counter(error.family for error in ERRORS)) == len(FAMILIES)
    load_pack(str(PACK))


@pytest.mark.parametrize("wrong", ERRORS, ids=str)
def test_refused(copy: Path, wrong: Error) -> None:
    """PackError, one line, with the file, the key and what was expected."""
    path = copy / wrong.file
    right = path.read_text("utf-8")
    text = right.splitlines()
    text[wrong.number : wrong.number + 1] = [] if wrong.new is None else [wrong.new]
    try:
        path.write_text("\n".join(text) + "\n", "utf-8")
        with pytest.raises(PackError) as refusal:
            load_pack(str(copy))
    finally:
        path.write_text(right, "utf-8")
    said = str(refusal.value)
    assert wrong.file.rsplit("/", 1)[-1] in said
    assert wrong.named in said
    assert EXPECTED.search(said), said
    assert "\n" not in said
