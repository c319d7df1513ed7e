"""What the case files of a pack are made of: facts and members that a case states, and the state it expects."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from phongmay_rules.reasons import Reason
from phongmay_store.register.compliance import State, SubjectKind
from phongmay_store.register.device import DeviceState
from phongmay_store.register.organisation import SchoolLevel

Number = int | float


class Model(BaseModel):
    """A table of a pack's files: unknown keys and wrong types are refused, nothing is changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class CaseKind(StrEnum):
    """What a case shows; `other` claims nothing. Which of them a rule needs follows from the rule (`case_proof`)."""

    PASS = "pass"  # noqa: S105 not a password
    FAIL = "fail"
    AT_LIMIT = "at_limit"
    NO_DATA = "no_data"
    STALE = "stale"
    WAIVED = "waived"
    NOT_APPLICABLE = "not_applicable"
    OTHER = "other"


class CaseFact(Model):
    """A fact of a case that is not simply a fresh value: it is missing, or old."""

    value: Number | str | None = None
    missing: Annotated[Reason, Field(strict=False)] | None = None
    age_s: Number = 0


CaseFacts = Mapping[str, Number | str | CaseFact]


class CaseSubject(Model):
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


class CaseWaiver(Model):
    """A waiver that holds in a case.

    Attributes:
        on: what it lifts the rule for: the subject of the case or something above it.
        rule: the rule that it lifts; "" = the case's own.
    """

    on: Annotated[SubjectKind, Field(strict=False)]
    rule: str = ""


class Case(Model):
    """Facts in, expected state out."""

    name: str
    kind: Annotated[CaseKind, Field(strict=False)]
    expect: Annotated[State, Field(strict=False)]
    reason: Annotated[Reason, Field(strict=False)] | None = None
    facts: CaseFacts = {}
    subject: CaseSubject = CaseSubject()
    members: tuple[CaseMember, ...] = Field(default=(), strict=False)
    parameters: Mapping[str, Number] = {}
    waiver: CaseWaiver | None = None


class CaseFile(Model):
    """One file cases/<id>.toml."""

    rule: str
    case: tuple[Case, ...] = Field(strict=False)
