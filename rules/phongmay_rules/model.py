"""What a rule pack is made of: the TOML files go in as these typed models, and a key that no model has is refused.

Nothing here is computed; `loader` reads the files and checks what one file alone cannot know (references, units).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from phongmay_contract.units import Unit
from phongmay_rules.reasons import Reason
from phongmay_store.register.compliance import State, SubjectKind
from phongmay_store.register.device import DeviceKind, DeviceState
from phongmay_store.register.organisation import SchoolLevel, UnitKind
from phongmay_store.register.place import RoomKind

Number = int | float
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


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Text(_Model):
    """A text in both languages."""

    vi: str = Field(min_length=1)
    en: str = Field(min_length=1)

    def in_(self, language: str) -> str:
        """Give the text in 'vi' or 'en'."""
        return self.en if language == "en" else self.vi


class Document(_Model):
    """A paper that clauses come from.

    Attributes:
        body_read: somebody of this project has read its text; a pack may not quote what nobody read.
    """

    title: Text
    number: str
    issued: date | None = None
    source: str
    body_read: bool


class Clause(_Model):
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


class Parameter(_Model):
    """A number that an organisation may set for itself within bounds; all in base units."""

    value: Number
    unit: Annotated[Unit, Field(strict=False)]
    low: Number
    high: Number
    about: Text
    number_from: Annotated[NumberFrom, Field(strict=False)]
    source: Text
    clause: str = ""


class Group(_Model):
    """A heading under which rules are summed up."""

    title: Text


class Standard(_Model):
    """The file standard.toml: what the pack is, every clause, every parameter.

    Attributes:
        schema_version: of the pack format; this program reads 1.
        version: of the pack's content.
    """

    schema_version: Literal[1]
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    version: str
    title: Text
    groups: Mapping[str, Group]
    documents: Mapping[str, Document]
    parameters: Mapping[str, Parameter]
    clause: tuple[Clause, ...] = Field(strict=False)


class Subject(_Model):
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


class Threshold(_Model):
    """A fact is at least or at most a number."""

    kind: Literal["threshold"]
    fact: str
    unit: Annotated[Unit, Field(strict=False)]
    at_least: Bound | None = None
    at_most: Bound | None = None


class OneOf(_Model):
    """A fact is one of the listed numbers or words."""

    kind: Literal["one_of"]
    fact: str
    unit: Annotated[Unit, Field(strict=False)]
    values: tuple[Number | str, ...] = Field(min_length=1, strict=False)


class Presence(_Model):
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


class Share(_Model):
    """Enough of the members meet something; decided by bounds, so what is not known never counts as met.

    Attributes:
        members: "devices" (of the room or school) or "schools" (of the district).
        of: kinds of device that count (devices only).
        states: states of devices that count (devices only; empty = all but retired).
        with_agent: only devices that are expected to report count.
        rules: a member meets it when all verdicts of these rules on it, and on what lies below it, pass.
        fact: or: when this yes/no fact of it is yes. Exactly one of rules and fact.
    """

    kind: Literal["share"]
    members: Literal["devices", "schools"]
    of: tuple[str, ...] = Field(default=(), strict=False)
    states: Annotated[tuple[Annotated[DeviceState, Field(strict=False)], ...], Field(strict=False)] = ()
    with_agent: bool = False
    rules: tuple[str, ...] = Field(default=(), strict=False)
    fact: str = ""
    at_least: Bound


class PerHead(_Model):
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


class Window(_Model):
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


Check = Annotated[Threshold | OneOf | Presence | Share | PerHead | Window, Field(discriminator="kind")]


class Rule(_Model):
    """One file rules/<id>.toml.

    Attributes:
        duty: id of the document that demands this; "" = nobody does, it is good practice or keeps the data honest.
        number_from: whose figure the weakest of the thresholds is.
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
    subject: Subject
    check: tuple[Check, ...] = Field(min_length=1, strict=False)

    def reads_rules(self) -> tuple[str, ...]:
        """Give the ids of the rules whose verdicts this one aggregates, each once, in order."""
        found = [rule for check in self.check if isinstance(check, Share | PerHead) for rule in check.rules]
        return tuple(dict.fromkeys(found))

    def in_force(self, day: date) -> bool:
        """Tell whether the rule is in force on a day (both ends belong to it)."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


class CaseKind(StrEnum):
    """What a case shows; every rule needs the first four."""

    PASS = "pass"  # noqa: S105 not a password
    FAIL = "fail"
    AT_LIMIT = "at_limit"
    NO_DATA = "no_data"
    STALE = "stale"
    NOT_APPLICABLE = "not_applicable"
    OTHER = "other"


REQUIRED_CASES = (CaseKind.PASS, CaseKind.FAIL, CaseKind.AT_LIMIT, CaseKind.NO_DATA)


class CaseFact(_Model):
    """A fact of a case that is not simply a fresh value: it is missing, or old."""

    value: Number | str | None = None
    missing: Annotated[Reason, Field(strict=False)] | None = None
    age_s: Number = 0


CaseFacts = Mapping[str, Number | str | CaseFact]


class CaseSubject(_Model):
    """What the subject of a case is."""

    kind: str = ""
    level: Annotated[SchoolLevel, Field(strict=False)] | None = None
    state: Annotated[DeviceState, Field(strict=False)] = DeviceState.IN_SERVICE
    agent: bool = True


class CaseMember(CaseSubject):
    """`count` equal members of a case's subject, with the state of each rule on them (or facts of theirs)."""

    count: int = Field(default=1, ge=0)
    rules: Mapping[str, Annotated[State, Field(strict=False)]] = {}
    facts: CaseFacts = {}


class Case(_Model):
    """Facts in, expected state out."""

    name: str
    kind: Annotated[CaseKind, Field(strict=False)]
    expect: Annotated[State, Field(strict=False)]
    reason: Annotated[Reason, Field(strict=False)] | None = None
    facts: CaseFacts = {}
    subject: CaseSubject = CaseSubject()
    members: tuple[CaseMember, ...] = Field(default=(), strict=False)
    parameters: Mapping[str, Number] = {}


class CaseFile(_Model):
    """One file cases/<id>.toml."""

    rule: str
    case: tuple[Case, ...] = Field(strict=False)


@dataclass(frozen=True)
class Pack:
    """A whole pack.

    Attributes:
        rules: by id, in an order in which every rule comes after those that it reads.
        cases: by rule id.
        hash: SHA-256 over the canonical bytes of all files.
        rule_hashes: SHA-256 of each rule's own file.
        inherited: for each rule the figures' origins that it takes over from the rules it aggregates.
        content: canonical JSON of all files, file -> tables; `hash` is its SHA-256.
    """

    standard: Standard
    rules: Mapping[str, Rule]
    cases: Mapping[str, tuple[Case, ...]]
    hash: str
    rule_hashes: Mapping[str, str]
    inherited: Mapping[str, tuple[NumberFrom, ...]]
    content: str
    clauses: Mapping[str, Clause] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "clauses", {clause.id: clause for clause in self.standard.clause})

    @property
    def id(self) -> str:
        """Name under which runs and verdicts record the pack."""
        return self.standard.id
