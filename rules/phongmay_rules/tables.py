"""All tables that came with the program and rot, in one list: nothing goes in, tables with their ends come out.

A broken table raises the error of its own reader, which names file and key.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from phongmay_rules.facts import support
from phongmay_rules.gaps.prices import read_prices
from phongmay_store.register.public_holidays import shipped_holidays
from phongmay_store.shipped import WARN_DAYS, ShippedTable


def shipped_tables() -> Sequence[ShippedTable]:
    """Give every table."""
    return (support.shipped_table().table, shipped_holidays().table, read_prices().table)


def warnings(today: date, warn_days: int = WARN_DAYS) -> list[str]:
    """Say which tables have run out or soon will, one sentence each."""
    return [sentence for table in shipped_tables() if (sentence := table.warning(today, warn_days))]
