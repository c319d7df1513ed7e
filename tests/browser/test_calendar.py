"""A day off is entered and taken back on the page, a file is previewed, a room gets its timetable; both widths."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from phongmay_simulate.district import ISSUER
from phongmay_store.register.base import utc_now
from phongmay_store.register.calendar import CalendarEntry
from phongmay_store.register.place import Room
from phongmay_store.register.timetable import LOCAL

pytestmark = pytest.mark.browser
SCHOOL = f"{ISSUER}:truong-3"


@pytest.fixture
def _fresh(site: Any) -> Iterator[None]:
    """Take back what was entered, for the next test of this server."""
    unit = site.unit(SCHOOL)
    with Session(site.engine) as session:
        rooms = {room.id: room.timetable for room in session.scalars(Room.at().where(Room.school_id == unit))}
    yield
    with Session(site.engine) as session:
        for row in session.scalars(select(CalendarEntry).where(CalendarEntry.unit_id == unit, CalendarEntry.known())):
            row.superseded_at = utc_now()
        for room in session.scalars(Room.at().where(Room.school_id == unit)):
            room.revise(session, {"timetable": rooms[room.id]})
        session.commit()


@pytest.mark.usefixtures("_fresh")
@pytest.mark.parametrize(("width", "language"), [("desktop", "vi"), ("phone", "en")])
def test_calendar_of_a_school(
    officer: Callable[..., Any],
    no_sideways: Callable[[Any], None],
    site: Any,
    picture: Callable[[Any, str], None],
    tmp_path: Path,
    width: str,
    language: str,
) -> None:
    """What is entered shows in the hours of its day at once, and is gone once taken back."""
    vi = language == "vi"
    page = officer(width)
    page.goto(f"{site.url}/schools/{site.unit(SCHOOL)}?lang={language}")
    page.click("text=Lịch năm học và thời khóa biểu" if vi else "text=School calendar and timetables")
    no_sideways(page)
    page.locator("summary", has_text="Đặt thời khóa biểu" if vi else "Set the timetable").first.click()
    page.locator("details[open] input[name=timetable]").fill("Mon-Sun 07:00-11:30")
    page.locator("details[open] button").click()
    page.wait_for_load_state()
    days = "thứ Hai–Chủ nhật" if vi else "Mon–Sun"
    assert f"{days} 07:00-11:30" in page.inner_text("main")
    day = datetime.now(LOCAL).date() + timedelta(days=3)
    page.locator("summary", has_text="Thêm mục" if vi else "Add an entry").click()
    page.select_option("#kind", "holiday")
    page.fill("#first", f"{day:%Y-%m-%d}")
    page.fill("#name", "Hội thi")
    page.click("text=Nhập vào lịch" if vi else "text=Enter it")
    page.wait_for_load_state()
    row = page.locator("table.plain tr", has_text=f"{day:%d/%m}").first
    assert ("không sử dụng" if vi else "not in use") in row.inner_text()
    assert "Hội thi" in row.inner_text()
    no_sideways(page)
    picture(page, f"calendar-{language}-{width}")
    file = tmp_path / "tet.ics"
    event = "UID:tet\r\nDTSTART;VALUE=DATE:20270201\r\nDTEND;VALUE=DATE:20270215\r\nSUMMARY:Nghỉ Tết"
    head = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//VI\r\n"
    file.write_text(f"{head}BEGIN:VEVENT\r\n{event}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n", "utf-8", newline="")
    page.locator("summary", has_text="Tệp iCalendar" if vi else "iCalendar file").click()
    page.set_input_files("#file", str(file))
    page.select_option("#file-kind", "holiday")
    page.click("text=Xem trước" if vi else "text=Preview")
    page.wait_for_load_state()
    assert "01/02/2027 – 14/02/2027" in page.inner_text("#effect")
    no_sideways(page)
    picture(page, f"calendar-file-{language}-{width}")
    page.click("#effect button")
    page.wait_for_load_state()
    entry = page.locator("ul.cases li", has_text="Hội thi").first
    entry.locator("summary").click()
    entry.locator("button").click()
    page.wait_for_load_state()
    assert "Hội thi" not in page.inner_text("main")
    assert "Nghỉ Tết" in page.inner_text("main")
