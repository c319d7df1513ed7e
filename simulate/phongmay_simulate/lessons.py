"""Lets a sample district have its lessons whatever the day: an entry of its calendar goes into the register.

The sample's faults show in class only, and it must look the same on a public holiday or in the summer.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from phongmay_store.register.calendar import CalendarKind, NewEntry, put
from phongmay_store.register.timetable import LOCAL


def hold_lessons(session: Session, unit_id: str, made_at: datetime) -> None:
    """Record that lessons are held from a month before the sample was made until most of a year after it."""
    today = made_at.astimezone(LOCAL).date()
    name = "Dữ liệu mẫu: vẫn học vào ngày nghỉ"
    first, last = today - timedelta(days=30), today + timedelta(days=300)
    put(session, unit_id, NewEntry(CalendarKind.EXCEPTION, first, last, name))
