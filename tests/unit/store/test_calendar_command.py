"""`phongmay calendar` and `phongmay tables` as a person meets them."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from phongmay.commands import calendar, tables
from phongmay_contract.errors import OperatorError
from phongmay_rules.tables import shipped_tables, warnings
from phongmay_store.register.base import utc_now
from phongmay_store.register.organisation import ExternalId, Unit
from phongmay_store.register.place import Room

pytestmark = pytest.mark.one_register

Run = Callable[..., tuple[int, str]]
LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture
def run(tmp_path: Path, register_engine: Engine, capsys: pytest.CaptureFixture[str]) -> Run:
    """Call `phongmay ...` on a register with a district and a school of one room; gives exit code and output."""
    with Session(register_engine) as session:
        for name, kind, parent in (("quan", "district", None), ("th", "school", "quan")):
            session.add(Unit(id=name, kind=kind, parent_id=parent, name=f"Đơn vị {name}", valid_from=LONG_AGO))
        session.add(ExternalId(unit_id="th", issuer="moet", value="1"))
        week = "Mon-Fri 07:00-11:30 13:00-16:30"
        session.add(Room(id="r", school_id="th", name="1", kind="computer_room", timetable=week, valid_from=LONG_AGO))
        session.commit()
    config = tmp_path / "phongmay.toml"
    url = register_engine.url.render_as_string(hide_password=False)
    config.write_text(f'[store]\nregister_url = "{url}"\n')
    parser = argparse.ArgumentParser()
    verbs = parser.add_subparsers()
    calendar.add(verbs)
    tables.add(verbs)

    def call(*words: object) -> tuple[int, str]:
        args = parser.parse_args([str(word) for word in words], argparse.Namespace(config=config))
        code: int = args.run(args)
        return code, capsys.readouterr().out

    return call


def test_entries_are_added_shown_and_taken_back(run: Run) -> None:
    """What the district enters shows in the school's hours with its reason; removed, the day is as before."""
    added = run("calendar", "add", "--unit", "quan", "--kind", "holiday", "--from", "2026-11-25", "--name", "Hội thi")[
        1
    ]
    run("calendar", "add", "--unit", "moet:1", "--kind", "exception", "--from", "2026-11-28", "--hours", "like Fri")
    run("calendar", "add", "--unit", "th", "--kind", "shift", "--from", "2026-11-26", "--hours", "morning")
    shown = run("calendar", "show", "--unit", "moet:1", "--from", "2026-11-23", "--to", "2026-11-29")[1].splitlines()
    assert shown[0] == "Đơn vị th: Mon-Fri 07:00-11:30 13:00-16:30"
    hours = {line.split()[1]: float(line.split()[2]) for line in shown[1:]}
    assert list(hours.values()) == [8, 0, 0, 4.5, 4.5, 4.5, 0], "Tuesday is Culture Day, by the shipped table"
    assert "holiday: Hội thi" in shown[3]
    assert "exception: exception; shift: shift" in shown[6]
    run("calendar", "remove", added.split()[1])
    again = run("calendar", "show", "--unit", "th", "--from", "2026-11-25", "--to", "2026-11-25")[1]
    assert " 8.00 h  07:00-11:30 13:00-16:30" in again
    assert run("calendar", "list", "--unit", "quan") == (0, "")


def test_who_entered_it_is_listed(run: Run) -> None:
    """The list names who entered an entry: as was said, or the command itself."""
    exam = ("calendar", "add", "--unit", "quan", "--kind", "exam", "--from")
    run(*exam, "2026-11-25", "--by", "phòng giáo dục")
    run(*exam, "2026-11-26")
    first, second = run("calendar", "list", "--unit", "quan")[1].splitlines()
    assert re.search(r"\(phòng giáo dục, \d{4}-\d\d-\d\d \d\d:\d\d\)$", first)
    assert "(phongmay calendar, " in second


def test_what_was_known_can_be_shown(run: Run) -> None:
    """--known-at gives the calendar that was believed, before a correction."""
    before = (utc_now() - timedelta(seconds=1)).isoformat()
    run("calendar", "add", "--unit", "quan", "--kind", "exam", "--from", "2026-11-25")
    show = ("calendar", "show", "--unit", "quan", "--from", "2026-11-25", "--to", "2026-11-25", "--bandwidth")
    assert " 0.00 h" in run(*show)[1]
    assert "10.00 h" in run(*show, "--known-at", before)[1], "without rooms the default timetable is shown"


def test_export_and_import_again(run: Run, tmp_path: Path) -> None:
    """A file that was exported changes nothing where it came from, and gives another unit the same calendar."""
    term = ("--kind", "term", "--from", "2026-09-05", "--to", "2027-05-31", "--name", "Năm học")
    run("calendar", "add", "--unit", "quan", *term)
    path = tmp_path / "quan.ics"
    assert run("calendar", "export", "--unit", "quan", "--out", path) == (0, f"{path}\n")
    assert run("calendar", "export", "--unit", "quan")[1].splitlines() == path.read_text("utf-8").splitlines()
    assert run("calendar", "import", path, "--unit", "quan")[1] == "1 unchanged\n"
    assert "nothing was written" in run("calendar", "import", path, "--unit", "th", "--dry-run")[1]
    assert "1 created" in run("calendar", "import", path, "--unit", "th")[1]
    listed = run("calendar", "list", "--unit", "th")[1]
    assert "Năm học" in listed
    assert re.search(r"\d{4}-\d\d-\d\d \.\. \d{4}-\d\d-\d\d  ", listed), "the last day is a day"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("add", "--unit", "x", "--kind", "exam", "--from", "2026-11-25"), "no organisation unit 'x'"),
        (("add", "--unit", "th", "--kind", "shift", "--from", "2026-11-25"), "a shift needs hours"),
        (("remove", "cal-x"), "no calendar entry 'cal-x'"),
        (("show", "--unit", "th", "--from", "2026-11-25", "--to", "2026-11-24"), "a period of 1 to 400 days"),
        (("show", "--unit", "th", "--from", "2026-11-25", "--to", "2026-11-25", "--timetable", "Mon"), "has no hours"),
        (("import", "missing.ics", "--unit", "th"), "missing.ics: cannot be read"),
        (("import", "latin.ics", "--unit", "th"), "latin.ics: line 2: this is not UTF-8"),
        (("import", "bad.ics", "--unit", "th", "--kind", "exam"), "bad.ics: line 2: 'oops' is no line"),
    ],
)  # fmt: skip
def test_mistakes_are_told_in_a_sentence(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                         words: tuple[str, ...], told: str) -> None:  # fmt: skip
    """What cannot be taken names itself, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    Path("latin.ics").write_bytes(b"BEGIN:VCALENDAR\nSUMMARY:T\xeat")
    Path("bad.ics").write_text("BEGIN:VCALENDAR\noops\nEND:VCALENDAR\n")
    with pytest.raises(OperatorError, match=told):
        run("calendar", *words)
    assert run("calendar", "list", "--unit", "th") == (0, "")


def test_tables_that_run_out_are_told_before(run: Run) -> None:
    """All is well: 0. Near the end of one, or after it: 1 and a sentence with file and day."""
    assert {table.file for table in shipped_tables()} == {"os_support.toml", "prices.toml", "public_holidays.toml"}
    assert warnings(date(2026, 11, 24)) == []
    assert run("tables", "--on", "2026-11-24")[0] == 0
    code, out = run("tables", "--on", "2027-12-01")
    assert code == 1
    assert "os_support.toml) runs out on 2027-12-31, in 30 days" in out
    assert "os_support.toml) runs" not in run("tables", "--on", "2027-12-01", "--days", "30")[1]
    assert "prices.toml) runs out on 2027-06-30" in run("tables", "--on", "2027-06-01")[1]
    assert "prices.toml) ran out on 2027-06-30: gap lists say that it is old" in out
    code, out = run("tables", "--on", "2029-01-01")
    assert code == 1
    assert "public_holidays.toml) ran out on 2028-12-31" in out
    with pytest.raises(OperatorError, match="is not a day"):
        run("tables", "--on", "soon")
