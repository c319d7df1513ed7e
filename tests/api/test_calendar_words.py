"""Why a calendar file cannot be taken stands on the page in the reader's language, with file and line."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import ModuleType

import pytest

from phongmay_api.calendar import acting
from phongmay_api.pages.calendar_words import why_in
from phongmay_store.register import calendar, timetable
from phongmay_store.register.calendar import CalendarError, CalendarKind
from phongmay_store.register.ics import lines, reading, recurrence
from phongmay_store.register.ics.reading import Window, read_ics

WINDOW = Window.around(date(2026, 11, 23))
ENGLISH = re.compile(r"\b(this|event|expected|is|not|the|one|has|have|with|than|stands|give)\b")
MODULES = (lines, reading, recurrence, calendar, timetable, acting)


def event(*more: str) -> str:
    """Make a file with one event of some properties."""
    body = "\n".join(["BEGIN:VEVENT", "UID:1", *more, "END:VEVENT"])
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n{body}\nEND:VCALENDAR\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("hello", "t.ics: dòng 1: “hello” không phải là một dòng của tệp iCalendar"),
        ("", "t.ics: dòng 1: đây không phải tệp iCalendar"),
        ("BEGIN:VEVENT\nEND:VEVENT", "t.ics: dòng 1: cần dòng BEGIN:VCALENDAR nhưng gặp “BEGIN:VEVENT”"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1", "t.ics: dòng 2: khối BEGIN:VEVENT không có dòng kết thúc"),
        (event(), "t.ics: dòng 4: sự kiện không có DTSTART đọc được"),
        (event("DTSTART;VALUE=DATE:2027x"), "t.ics: dòng 6: thuộc tính DTSTART không đọc được ("),
        (event("DTSTART:20270205T070000", "DTEND:20270205T080000"),
         "t.ics: dòng 6: ngày nghỉ tính theo ngày, nhưng sự kiện có giờ"),
        (event("DTSTART;VALUE=DATE:20270205", "DTEND;VALUE=DATE:20290205"),
         "t.ics: dòng 6: ngày nghỉ từ 2027-02-05 đến 2029-02-04 dài hơn 400 ngày"),
        (event("DTSTART;VALUE=DATE:10270205"), "t.ics: dòng 6: ngày nghỉ: 1027-02-05 không thuộc các năm từ 20"),
        (event("DTSTART;VALUE=DATE:20270205", "RRULE:FREQ=HOURLY"),
         "t.ics: dòng 7: không nhận được quy tắc lặp này: FREQ=HOURLY; cần một trong: "),
        (event("DTSTART;VALUE=DATE:20250205", "RRULE:FREQ=DAILY"),
         "t.ics: dòng 7: không nhận được quy tắc lặp này: lặp hơn 1000 lần trong năm năm"),
    ],
)  # fmt: skip
def test_the_reason_is_told_in_vietnamese(text: str, told: str) -> None:
    """A person of the school mends the file by its line without a word of English; in English it stays as it is."""
    with pytest.raises(CalendarError) as error:
        read_ics(text, CalendarKind.HOLIDAY, "t.ics", WINDOW)
    assert why_in(str(error.value), "vi").startswith(told)
    assert why_in(str(error.value), "en") == str(error.value).rstrip(".")


def raised(module: ModuleType) -> Iterator[str]:
    """Give every sentence that a module raises, with something in place of what it fills in."""
    assert module.__file__
    for node in ast.walk(ast.parse(Path(module.__file__).read_text("utf-8"))):
        if not (isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args):
            continue
        called = node.exc.func
        name = called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
        if name not in ("IcsError", "CalendarError", "TimetableError", "ValueError", "error"):
            continue
        said = node.exc.args[-1]
        if isinstance(said, ast.Constant):
            yield str(said.value)
        elif isinstance(said, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant)
                else "'x'" if isinstance(part, ast.FormattedValue) and part.conversion == ord("r") else "7"
                for part in said.values
            )  # fmt: skip


def test_every_sentence_has_words() -> None:
    """A new reason without its Vietnamese sentence is found here, not by a teacher."""
    sentences = {sentence for module in MODULES for sentence in raised(module)}
    assert len(sentences) > 30
    for sentence in sorted(sentences - {"there is no calendar entry 'x'; 'phongmay calendar list' shows them"}):
        told = why_in(sentence, "vi")
        assert not ENGLISH.search(told), (sentence, told)
