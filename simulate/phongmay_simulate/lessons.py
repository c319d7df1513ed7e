"""Gives a sample district the past that it needs: lessons whatever the day, and a collector that could hear.

Its faults show in class only, and it must look the same on a public holiday or in the summer. Which PCs were off in
the lessons of last month can only be told if a collector was there to hear them.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from phongmay_store.register.calendar import CalendarKind, NewEntry, put
from phongmay_store.register.timetable import LOCAL
from phongmay_store.series.interface import SeriesWriter

_DAYS = 31


def hold_lessons(session: Session, unit_id: str, made_at: datetime) -> None:
    """Record that lessons are held from a month before the sample was made until most of a year after it."""
    today = made_at.astimezone(LOCAL).date()
    name = "Dữ liệu mẫu: vẫn học vào ngày nghỉ"
    first, last = today - timedelta(days=30), today + timedelta(days=300)
    put(session, unit_id, NewEntry(CalendarKind.EXCEPTION, first, last, name), "phongmay simulate")


def listen_before(series: SeriesWriter, made_at: datetime) -> None:
    """Record that a collector could hear in every minute of the month before the sample was made."""
    end = int(made_at.timestamp() // 60) * 60
    series.listened(range(end - _DAYS * 86400, end, 60))
