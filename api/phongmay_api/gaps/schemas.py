"""What the API says about the gap list."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel, Field

from phongmay_rules.model import Text


class PricesOut(BaseModel):
    """Where the prices come from."""

    file: str
    dated: date
    valid_until: date
    placeholder: bool = Field(description="Nobody quoted these prices: for trying out only.")
    warning: str = Field(description='The prices ran out or soon will; "" = they have not.')
    source: Text


class LineOut(BaseModel):
    """A line as its contract names it; rates in bit/s, null = not known."""

    isp: str
    medium: str
    contracted_down_bps: int | None
    contracted_up_bps: int | None


class GapLineOut(BaseModel):
    """Something to buy or to do."""

    unit_id: str
    room_id: str | None
    device_id: str | None
    item: str
    name: Text
    count: int
    unit_price_vnd: int
    cost_vnd: int
    mends: list[str] = Field(description="Rules that it turns green.")
    note: str = Field(description='"", replaces or slots_unknown.')
    replaces: list[LineOut] = Field(description="Of a line: contracts that it takes the place of.")


class ObstacleOut(BaseModel):
    """One reason why a verdict stays red."""

    code: str = Field(
        description="budget, entry, data, act, no_item, none_fits, excluded, room_size, no_room, members, undecided "
        "or time."
    )
    fact: str = Field(description='Fact that fails or is missing; "" = no single fact.')
    parameter: str = Field(description='Limit that nothing in the price file reaches; "" = none, or no parameter.')
    text: Text


class LeftOut(BaseModel):
    """A failing verdict that nothing in the price file, or in the budget, mends, and why."""

    subject_kind: str
    subject_id: str
    rule_id: str
    reasons: list[ObstacleOut] = Field(min_length=1)


class FirstOut(BaseModel):
    """What must be measured or declared before it can be priced."""

    rule_id: str
    count: int
    who: Text
    text: Text


class SchoolGapOut(BaseModel):
    """How a school stands before and after."""

    unit_id: str
    name: str
    failing: int
    mended: int = Field(description="Of these, passing when everything is judged again with the list.")
    unknown: int
    cost_vnd: int
    complete: bool = Field(description="Nothing that money can mend fails afterwards.")
    left: list[LeftOut]
    entries: list[LeftOut] = Field(description="Failing verdicts that only entries mend; in none of the counts.")
    first: list[FirstOut]


class GapsOut(BaseModel):
    """The list; judged again by the very rules before it leaves the house."""

    unit_id: str
    as_of: datetime
    budget_vnd: int | None
    total_vnd: int
    optimum_proven: bool = Field(
        description="No better choice exists; false = the time ran out, the best found so far."
    )
    prices: PricesOut
    lines: list[GapLineOut]
    schools: list[SchoolGapOut]
    above: list[LeftOut] = Field(description="Red verdicts on units above schools that do not turn green.")
    never_judged: list[str] = Field(description="Schools that no evaluation has seen yet.")
    still_unknown: int = Field(description="Promised aggregates of which members are unknown.")
    broken: int = Field(description="Promised and not kept: 0 unless the program is wrong.")
