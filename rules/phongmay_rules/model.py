"""What a rule pack is made of: the TOML files go in as these typed models, and a key that no model has is refused.

Long because the format of a pack stands in one place. Nothing here is computed; `loader` reads the files and checks
what one file alone cannot know (references, units).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from phongmay_contract.units import Unit
from phongmay_rules.case_model import Case, Model, Number
from phongmay_store.register.compliance import SubjectKind
from phongmay_store.register.device import DeviceKind, DeviceState
from phongmay_store.register.organisation import SchoolLevel, UnitKind
from phongmay_store.register.place import RoomKind

Bound = int | float | str
"""A number in base units, or the name of a parameter of the pack."""


class NumberFrom(StrEnum):
    """Whose figure a threshold is, strongest first. Kept apart from the duty: a law may demand without a number."""

    LAW = "law"
    PLAN = "plan"
    GUIDANCE = "guidance"
    VENDOR = "vendor"
    DISTRICT_SETTING = "district_setting"


class Assessment(StrEnum):
    """How far a machine can judge a clause."""

    AUTOMATED = "automated"
    PARTIAL = "partial"
    MANUAL = "manual"


class Severity(StrEnum):
    """How much a failure matters."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"
    WARNING = "warning"
    INFO = "info"


class Actor(StrEnum):
    """Who can mend a failure."""

    SCHOOL = "school"
    DISTRICT = "district"
    ISP = "isp"
    SUPPLIER = "supplier"


class Text(Model):
    """A text in both languages."""

    vi: str = Field(min_length=1)
    en: str = Field(min_length=1)

    def in_(self, language: str) -> str:
        """Give the text in 'vi' or 'en'."""
        return self.en if language == "en" else self.vi


class Document(Model):
    """A paper that clauses come from.

    Attributes:
        body_read: somebody of this project has read its text; a pack may not quote what nobody read.
    """

    title: Text
    number: str
    issued: date | None = None
    source: str
    body_read: bool


class Clause(Model):
    """One sentence of a document that demands something.

    Attributes:
        wording: "verbatim", or "reported" when only a summary (press, excerpt) was seen.
        note: why it is assessed as it is.
    """

    id: str
    document: str
    locator: Text
    text: Text
    wording: Literal["verbatim", "reported"]
    assessment: Annotated[Assessment, Field(strict=False)]
    note: Text
    source: str = ""


class Parameter(Model):
    """A number that an organisation may set for itself within bounds; all in base units."""

    value: Number
    unit: Annotated[Unit, Field(strict=False)]
    low: Number
    high: Number
    about: Text
    number_from: Annotated[NumberFrom, Field(strict=False)]
    source: Text
    clause: str = ""


class Group(Model):
    """A heading under which rules are summed up."""

    title: Text


class Standard(Model):
    """The file standard.toml: what the pack is, every clause, every parameter.

    Attributes:
        schema_version: of the pack format; this program reads 1.
        version: of the pack's content.
        requires: shipped packs (or directories beside this one) whose rules, clauses and parameters it refers to.
    """

    schema_version: Literal[1]
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    version: str
    requires: tuple[str, ...] = Field(default=(), strict=False)
    title: Text
    groups: Mapping[str, Group]
    documents: Mapping[str, Document] = {}
    parameters: Mapping[str, Parameter] = {}
    clause: tuple[Clause, ...] = Field(default=(), strict=False)


class Subject(Model):
    """What a rule judges.

    Attributes:
        kind: device, room, school or district.
        of: kinds of device, room or unit that are judged; others get no verdict. Empty for schools: all.
        levels: school levels that the rule is for (empty = all); others are not_applicable.
        states: states of a device in which the rule applies (empty = all but retired); others are not_applicable.
        needs_agent: a device without an agent is not_applicable instead of unknown.
    """

    kind: Annotated[SubjectKind, Field(strict=False)]
    of: tuple[str, ...] = Field(default=(), strict=False)
    levels: Annotated[tuple[Annotated[SchoolLevel, Field(strict=False)], ...], Field(strict=False)] = ()
    states: Annotated[tuple[Annotated[DeviceState, Field(strict=False)], ...], Field(strict=False)] = ()
    needs_agent: bool = False


KINDS_OF: Mapping[SubjectKind, tuple[str, ...]] = {
    SubjectKind.DEVICE: tuple(DeviceKind),
    SubjectKind.ROOM: tuple(RoomKind),
    SubjectKind.SCHOOL: (),
    SubjectKind.DISTRICT: tuple(kind for kind in UnitKind if kind is not UnitKind.SCHOOL),
}
"""What `Subject.of` may name."""


BoundByLevel = Mapping[Annotated[SchoolLevel, Field(strict=False)], Bound]
"""A bound for each level of a school."""


class Threshold(Model):
    """A fact is at least, above, or at most a number, which may differ by the level of the school.

    Attributes:
        above: like `at_least`, but the number itself is not enough.
        demanded_by: yes/no parameter; no = the check does not apply ("" = it always does).
    """

    kind: Literal["threshold"]
    fact: str
    unit: Annotated[Unit, Field(strict=False)]
    at_least: Bound | BoundByLevel | None = None
    above: Bound | BoundByLevel | None = None
    at_most: Bound | BoundByLevel | None = None
    demanded_by: str = ""

    @property
    def operator(self) -> Literal["at_least", "above", "at_most"]:
        """How the fact is compared."""
        return "at_least" if self.at_least is not None else "above" if self.above is not None else "at_most"

    @property
    def bound(self) -> Bound | BoundByLevel:
        """What it is compared with."""
        return next((one for one in (self.at_least, self.above, self.at_most) if one is not None), 0)


class OneOf(Model):
    """A fact is one of the listed numbers or words."""

    kind: Literal["one_of"]
    fact: str
    unit: Annotated[Unit, Field(strict=False)]
    values: tuple[Number | str, ...] = Field(min_length=1, strict=False)


class Presence(Model):
    """Something was heard, and not too long ago.

    Attributes:
        heard: fact (yes/no): there was a sign of life at all.
        silent: fact: expected time since the last one, or since the first was due.
    """

    kind: Literal["presence"]
    heard: str
    silent: str
    unit: Annotated[Unit, Field(strict=False)]
    at_most: Bound


class Share(Model):
    """Enough of the members meet something; decided by bounds, so what is not known never counts as met.

    Attributes:
        members: "devices" (of the room or school), "rooms" (of the school) or "schools" (of the district).
        of: kinds of device or room that count.
        states: states of devices that count (devices only; empty = all but retired).
        with_agent: only devices that are expected to report count.
        rules: a member meets it when all verdicts of these rules on it, and on what lies below it, pass.
        fact: or: when this yes/no fact of it is yes. Exactly one of rules and fact.
    """

    kind: Literal["share"]
    members: Literal["devices", "rooms", "schools"]
    of: tuple[str, ...] = Field(default=(), strict=False)
    states: Annotated[tuple[Annotated[DeviceState, Field(strict=False)], ...], Field(strict=False)] = ()
    with_agent: bool = False
    rules: tuple[str, ...] = Field(default=(), strict=False)
    fact: str = ""
    at_least: Bound


class Count(Model):
    """So many members meet some rules; decided by bounds like a share.

    Attributes:
        members: "devices" (of the room or school) or "rooms" (of the school).
        of: kinds of device or room that count.
        rules: a member meets it when all verdicts of these rules on it pass.
    """

    kind: Literal["count"]
    members: Literal["devices", "rooms"]
    of: tuple[str, ...] = Field(min_length=1, strict=False)
    rules: tuple[str, ...] = Field(min_length=1, strict=False)
    at_least: Bound


class PerHead(Model):
    """Enough devices for a number of people.

    Attributes:
        of: kinds of device that count.
        rules: a device works when all verdicts of these rules on it pass. In repair: does not work. Without an
            agent: declared only, so it may work.
        heads: fact: number of people.
        heads_by_level: parameters that stand in by level of the school when the fact was not declared.
        heads_per_device: how many share one.
    """

    kind: Literal["per_head"]
    of: tuple[str, ...] = Field(min_length=1, strict=False)
    rules: tuple[str, ...] = Field(min_length=1, strict=False)
    heads: str
    heads_by_level: Mapping[Annotated[SchoolLevel, Field(strict=False)], str] = {}
    heads_per_device: Bound


class Window(Model):
    """A share over time, believed only when enough of the time is known.

    Attributes:
        fact: the share.
        known: fact: time of the window about which something is known; below `known_min` the answer is unknown.
        coverage: fact: known time as a share of the expected time; below `coverage_min` the answer is unknown.
    """

    kind: Literal["window"]
    fact: str
    unit: Annotated[Unit, Field(strict=False)]
    at_least: Bound
    known: str
    known_min: Bound
    coverage: str
    coverage_min: Bound


Check = Annotated[Threshold | OneOf | Presence | Share | Count | PerHead | Window, Field(discriminator="kind")]


class Rule(Model):
    """One file rules/<id>.toml.

    Attributes:
        duty: id of the document that demands this; "" = nobody does, it is good practice or keeps the data honest.
        number_from: whose figure the weakest of the thresholds is.
        enabled: judged unless the settings say otherwise; false = only when the settings name it.
        check: all must hold; the worst counts (fail before unknown before pass).
    """

    id: str = Field(pattern=r"^[A-Z]{2}-[0-9]{2}[a-z]?$")
    group: str
    severity: Annotated[Severity, Field(strict=False)]
    title: Text
    rationale: Text
    remediation: Text
    who_must_act: Annotated[tuple[Annotated[Actor, Field(strict=False)], ...], Field(min_length=1, strict=False)]
    clauses: tuple[str, ...] = Field(default=(), strict=False)
    duty: str = ""
    number_from: Annotated[NumberFrom, Field(strict=False)]
    valid_from: date
    valid_to: date | None = None
    enabled: bool = True
    subject: Subject
    check: tuple[Check, ...] = Field(min_length=1, strict=False)

    def reads_rules(self) -> tuple[str, ...]:
        """Give the ids of the rules whose verdicts this one aggregates, each once, in order."""
        found = [rule for check in self.check if isinstance(check, Share | Count | PerHead) for rule in check.rules]
        return tuple(dict.fromkeys(found))

    def facts(self) -> frozenset[str]:
        """Give the names of all facts that the checks read."""
        names = ("fact", "heard", "silent", "known", "coverage", "heads")
        return frozenset(getattr(check, name) for check in self.check for name in names if getattr(check, name, ""))

    def counts(self) -> frozenset[str]:
        """Tell what this rule counts: devices, rooms, schools."""
        return frozenset(
            "devices" if isinstance(check, PerHead) else check.members
            for check in self.check
            if isinstance(check, Share | Count | PerHead)
        )

    def in_force(self, day: date) -> bool:
        """Tell whether the rule is in force on a day (both ends belong to it)."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


@dataclass(frozen=True, slots=True)
class Stamp:
    """Which pack something comes from.

    Attributes:
        hash: SHA-256 over the canonical bytes of all files of the pack.
    """

    id: str
    version: str
    hash: str
    title: Text


@dataclass(frozen=True)
class Pack:
    """All rules that are judged together: one pack with those that it requires, or several active ones, merged.

    Everything inside is one name space: a rule, clause or parameter belongs to exactly one of the packs.

    Attributes:
        standard: documents, clauses, groups and parameters of all packs; its id is `id`.
        rules: by id, in an order in which every rule comes after those that it reads.
        active: ids of the rules that are judged; the others are switched off.
        cases: by rule id.
        stamps: the packs themselves by id, required ones first.
        owners: pack id of each rule.
        parameter_owners: pack id of each parameter.
        hash: SHA-256 of `content`.
        rule_hashes: SHA-256 of each rule's own file.
        inherited: for each rule the figures' origins that it takes over from the rules it aggregates.
        id: names of the packs that were asked for, with + between.
        content: canonical JSON of all files of all packs, pack/file -> tables, and of how they were asked for.
    """

    standard: Standard
    rules: Mapping[str, Rule]
    active: frozenset[str]
    cases: Mapping[str, tuple[Case, ...]]
    stamps: Mapping[str, Stamp]
    owners: Mapping[str, str]
    parameter_owners: Mapping[str, str]
    hash: str
    rule_hashes: Mapping[str, str]
    inherited: Mapping[str, tuple[NumberFrom, ...]]
    id: str
    content: str
    clauses: Mapping[str, Clause] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "clauses", {clause.id: clause for clause in self.standard.clause})

    def stamp(self, rule_id: str) -> Stamp:
        """Give the pack that a rule belongs to."""
        return self.stamps[self.owners[rule_id]]

    def judged_on(self, day: date) -> list[Rule]:
        """Give the rules that are judged on a day: switched on and in force, in reading order."""
        return [rule for rule in self.rules.values() if rule.id in self.active and rule.in_force(day)]
