"""When quarterly reports were handed in: declared days go in, days before the plan's day of the month come out.

The newest quarter that is over is judged. The plan (sections III.1 and III.6) says "before the 20th" and "before the
25th of the last month of each quarter", so a report that came on that day itself is 0 days before it, which is late.
Nobody measures when a paper was handed in: what was not entered is missing for that reason.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from phongmay_rules.facts.catalogue import Found
from phongmay_rules.facts.declared import Declarations, origin
from phongmay_rules.reasons import Reason
from phongmay_store.register.timetable import local_day

_MONTHS = 3


class Quarter(NamedTuple):
    """A quarter of a year, 1 to 4."""

    year: int
    number: int

    @property
    def begin(self) -> date:
        """Its first day."""
        return date(self.year, _MONTHS * self.number - 2, 1)

    def day(self, number: int) -> date:
        """Give a day of its last month."""
        return date(self.year, _MONTHS * self.number, number)

    def __str__(self) -> str:
        return f"{self.year}-Q{self.number}"


def last_over(at: float) -> Quarter:
    """Give the newest quarter that is over, by the local day."""
    today = local_day(at)
    present = (today.month - 1) // _MONTHS + 1
    return Quarter(today.year, present - 1) if present > 1 else Quarter(today.year - 1, 4)


def report_fact(name: str, item: str, before: int, declared: Declarations, at: float) -> Found:
    """Give how many days before a day of the last month the report of the last quarter was handed in.

    Args:
        name: the fact.
        item: what is declared, without the quarter's number.
        before: day of the month before which it is due.
        declared: what was declared about the school or unit.
        at: time of the evaluation.
    """
    quarter = last_over(at)
    detail = {"quarter": str(quarter), "before": quarter.day(before).isoformat()}
    said = declared.get(f"{item}_q{quarter.number}")
    handed_in = None if said is None else date.fromisoformat(str(said.value))
    # The item is that of every year's quarter: until the next one is handed in, it tells of the year before.
    if said is None or handed_in is None or not quarter.begin <= handed_in <= local_day(at):
        return Found(name, None, at, Reason.NOT_ENTERED, (), detail)
    days = (quarter.day(before) - handed_in).days
    detail |= {"handed_in": handed_in.isoformat(), **origin(said)}
    return Found(name, days, at, None, (said.row,), detail)


def of_school(declared: Declarations, at: float) -> Found:
    """Give the fact about a school's self-report to the district's office of education."""
    return report_fact("report_days_before_20", "self_report", 20, declared, at)


def of_unit(declared: Declarations, at: float) -> Found:
    """Give the fact about a district's report to the city's department of education."""
    return report_fact("report_days_before_25", "quarterly_report", 25, declared, at)
