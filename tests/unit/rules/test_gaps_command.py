"""`phongmay gaps`, `rules whatif` and `rules quality`: what they print, the workbook, and how they end."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from sqlalchemy import update

from phongmay.main import main
from phongmay_rules.gaps.listing import make_gap_list
from phongmay_rules.gaps.prices import SAMPLE, read_prices
from phongmay_rules.gaps.sheets import workbook
from phongmay_rules.standing import read_standing
from phongmay_simulate.district import Role
from phongmay_store.register.device import Device
from phongmay_store.register.place import Room

pytestmark = pytest.mark.one_register

CORE = [word for rule in ("TB-01", "TB-07", "PH-01", "PH-02", "TR-01", "TR-15") for word in ("--rule", rule)]


@pytest.fixture
def config(house: Any, tmp_path: Path) -> str:
    """An evaluated district with one PC short of memory and one of unknown speed."""
    for name, role in (("short", Role.LOW_MEMORY), ("vague", Role.UNKNOWN_LINK)):
        house.device(name, "cs", "cs-room")
        house.speak(name, role)
    house.evaluate()
    path = tmp_path / "phongmay.toml"
    url = house.engine.url.render_as_string(hide_password=False)
    path.write_text(
        f'[store]\nregister_url = "{url}"\nseries_path = "{tmp_path / "series.db"}"\n',
        "utf-8",
    )
    return str(path)


def test_list(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The line, its price, what is not known, the sum, and the verdict of the rules on the list."""
    assert main(["--config", config, "gaps", "list", *CORE, "--lang", "en"]) == 0
    out = capsys.readouterr().out
    assert "short: 1 × Memory module, 4 GB = 450.000 đ [TB-01] (free slots not known" in out
    assert "measure or declare first: 1 × TB-07" in out
    assert "sample prices" in out
    assert "Total 450.000 đ; 3 of 3 schools with nothing left that money mends, 2 of 2 failing verdicts mended" in out
    assert "Judged again by the very rules: 2 pass, 0 still unknown, 0 wrong" in out
    assert main(["--config", config, "gaps", "list", *CORE, "--unit", "th"]) == 0
    assert "Tổng cộng 0 đ; 1/1 trường" in capsys.readouterr().out
    assert main(["--config", config, "gaps", "list", *CORE, "--budget", "449999", "--lang", "en"]) == 0
    assert "Total 0 đ / 449.999 đ; 2 of 3 schools" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["gaps", "list", "--unit", "nowhere"], "nowhere"),
        (["gaps", "list", "--rule", "TB-99"], "TB-99"),
        (["gaps", "list", "--budget", "-1"], "--budget"),
        (["gaps", "list", "--prices", "absent.toml"], "absent.toml"),
        (["gaps", "list", "--xlsx", "absent/list.xlsx"], "absent/list.xlsx"),
        (["rules", "whatif", "--set", "ram=1"], "ram_min"),
        (["rules", "quality", "--unit", "nowhere"], "nowhere"),
    ],
)
def test_what_is_wrong_is_told(
    config: str, arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence, exit code 2."""
    assert main(["--config", config, *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert named in error


def test_old_prices_are_said_to_be_old(config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A list from prices that ran out is made, with a warning; the sample file can be printed and used."""
    assert main(["gaps", "sample-prices"]) == 0
    text = capsys.readouterr().out
    assert text == SAMPLE.read_text("utf-8")
    path = tmp_path / "prices.toml"
    path.write_text(text.replace("valid_until = 2027-06-30", "valid_until = 2026-11-20"), "utf-8")
    assert main(["--config", config, "gaps", "list", "--prices", str(path)]) == 0
    assert "ran out on 2026-11-20" in capsys.readouterr().err


def test_workbook(house: Any, config: str, tmp_path: Path) -> None:
    """The same lines and sums as the list, in Vietnamese, per PC, room, school and district."""
    path = tmp_path / "list.xlsx"
    assert main(["--config", config, "gaps", "list", *CORE, "--xlsx", str(path)]) == 0
    book = load_workbook(path)
    assert book.sheetnames == ["Tổng hợp", "Theo hạng mục", "Theo trường", "Theo phòng", "Theo máy",
                               "Cần đo, khai báo trước",
                               "Chưa xử lý"]  # fmt: skip
    rows = list(book["Theo máy"].values)
    assert rows[0][:7] == ("Trường", "Phòng", "Máy", "Hạng mục", "Số lượng", "Đơn giá (đ)", "Thành tiền (đ)")
    assert rows[1][2:7] == ("short", "Thanh RAM 4 GB", 1, 450_000, 450_000)
    assert "chưa rõ số khe RAM" in str(rows[1][8])
    for name, column in (("Theo hạng mục", 3), ("Theo trường", 5), ("Theo phòng", 3), ("Theo máy", 6)):
        *above, last = list(book[name].values)
        assert last[0] == "Cộng"
        assert last[column] == sum(row[column] for row in above[1:]) == 450_000
    assert [row[1] for row in list(book["Cần đo, khai báo trước"].values)[1:]] == ["TB-07", "TR-15"]
    summary = {row[0]: row[1] for row in book["Tổng hợp"].values}
    assert summary["Nguồn giá"] == "mức giá mẫu, quận thay bằng báo giá"
    assert summary["Tổng cộng"] == "450.000 đ"
    assert "CẢNH BÁO" in summary


def test_no_name_becomes_a_formula(house: Any) -> None:
    """A room or code that begins like a formula is text, and control characters are left out."""
    house.device("short", "cs", "cs-room")
    house.speak("short", Role.LOW_MEMORY)
    with house.sessions() as session:
        session.execute(update(Device).where(Device.id == "short").values(code="=HYPERLINK(1)\x07"))
        session.execute(update(Room).where(Room.id == "cs-room").values(name="+1+1"))
        session.commit()
    house.evaluate()
    with house.sessions() as session:
        found = make_gap_list(read_standing(session, house.pack), read_prices(), only=frozenset({"TB-01"}))
    sheet = load_workbook(io.BytesIO(workbook(found)))["Theo máy"]
    code, room = sheet["C2"], sheet["B2"]
    assert (code.value, code.data_type, code.quotePrefix) == ("=HYPERLINK(1)", "s", True)
    assert (room.value, room.data_type, room.quotePrefix) == ("+1+1", "s", True)
    assert not sheet["D2"].quotePrefix


def test_whatif(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A summary by school and rule, or one sentence a verdict."""
    assert main(["--config", config, "rules", "whatif", "--set", "ram_min=16GiB", "--lang", "en", "--unit", "th"]) == 0
    out = capsys.readouterr().out
    assert "th  TB-01  Pass -> Fail: 3" in out
    assert "4 verdicts would change; nothing was written" in out
    assert main(["--config", config, "rules", "whatif", "--set", "ram_min=1GiB", "--all"]) == 0
    out = capsys.readouterr().out
    assert "cs  short  TB-01  Không đạt -> Đạt" in out
    assert "tối thiểu 1 GB (mức do quận đặt)" in out


def test_quality(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Numerator, denominator, unknown share and definition of each score are printed."""
    assert main(["--config", config, "rules", "quality", "--lang", "en"]) == 0
    out = capsys.readouterr().out
    assert "Complete: 5/5 = 100 %; 0 unknown (0 %)" in out or "Complete: 0/5" in out
    assert "devices seen within 7 days / registered devices with an agent" in out
    assert main(["--config", config, "rules", "quality"]) == 0
    assert "Sống: " in capsys.readouterr().out
