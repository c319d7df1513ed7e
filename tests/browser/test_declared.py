"""A technician of a school declares a value with a photograph, sees what differs, and sends a file with a wrong row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from phongmay_api.access.accounts import add_account
from phongmay_simulate.district import ISSUER
from phongmay_simulate.district import Role as Fault
from phongmay_store.register.access import Account, Role
from phongmay_store.register.declared import Declared
from phongmay_store.register.place import Room

pytestmark = pytest.mark.browser
WIDTHS = {"desktop": (1280, 860), "phone": (390, 844)}
SCHOOL = f"{ISSUER}:truong-2"
PASSWORD = "mật khẩu của trường"
PHOTO = Path(__file__).parents[1] / "unit" / "store" / "pictures" / "two-colours.jpg"


@pytest.fixture
def visit(browser: Any, site: Any) -> Iterator[Callable[..., Any]]:
    """Open a page signed in as the school's technician; it must stay free of errors and foreign requests."""
    login = "truong2"
    with Session(site.engine) as session:
        if session.scalar(select(Account).where(Account.login == login)) is None:
            add_account(session, login, PASSWORD, site.unit(SCHOOL), Role.TECHNICIAN)
            session.commit()
    contexts, faults = [], []

    def open_page(width: str, **options: Any) -> Any:
        wide, high = WIDTHS[width]
        context = browser.new_context(viewport={"width": wide, "height": high}, locale="vi-VN", **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda r: faults.append(f"foreign: {r.url}") if not r.url.startswith(site.url) else None)
        page.goto(site.url)
        page.fill("#login", login)
        page.fill("#password", PASSWORD)
        page.click("main button")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture
def fresh(site: Any) -> Iterator[None]:
    """Leave nothing declared for the next test of this server."""
    yield
    with Session(site.engine) as session:
        for row in session.scalars(select(Declared)).all():
            session.delete(row)
        session.commit()


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("width", list(WIDTHS))
def test_declare_see_the_difference_attach_and_correct(
    visit: Callable[..., Any], no_sideways: Callable[[Any], None], site: Any, picture: Callable[..., None], width: str
) -> None:
    """Without JavaScript: a wrong value comes back with its sentence; mended it is stored with its photograph."""
    ending = "" if width == "desktop" else "-phone"
    page = visit(width, java_script_enabled=False, accept_downloads=True)
    page.click("text=Khai báo")
    device = site.device(Fault.LOW_MEMORY)
    page.select_option("#subject", f"device:{device}")
    page.click("text=Mở")
    assert "2 GB" in page.inner_text("#item-ram .theirs"), "what is measured stands beside the field"
    page.fill("#v-ram", "nhiều")
    page.fill("#v-purchase_year", "2021")
    page.fill("#declared_by", "Nhân viên thiết bị")
    page.click("text=Ghi khai báo")
    assert "Cần một số từ 0,25 đến 4096 GB" in page.inner_text("#item-ram")
    assert page.input_value("#v-purchase_year") == "2021", "what was entered is not lost"
    no_sideways(page)
    page.fill("#v-ram", "4")
    page.set_input_files("#file", PHOTO)
    page.click("text=Ghi khai báo")
    assert "Đã ghi 2 thay đổi" in page.inner_text("main")
    assert "khác số đo" in page.inner_text("#item-ram .theirs")
    assert "Bộ nhớ RAM" in page.inner_text(".differing"), "the school sees at once where the two sides differ"
    no_sideways(page)
    picture(page, f"declared-vi{ending}")
    with page.expect_download() as waiting:
        page.click("#item-ram >> text=Tệp chứng minh")
    assert Path(waiting.value.path()).read_bytes().startswith(b"\xff\xd8\xff")
    page.click("text=English")
    assert "differs" in page.inner_text("#item-ram .theirs")
    picture(page, f"declared-en{ending}")
    no_sideways(page)
    page.fill("#v-ram", "2")
    page.fill("#declared_by", "Equipment officer")
    page.click("text=Save declarations")
    assert "agrees" in page.inner_text("#item-ram .theirs")
    page.click("#item-ram summary")
    assert "4 GB" in page.inner_text("#item-ram .past"), "the old declaration stays on record"


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("width", list(WIDTHS))
def test_a_file_with_a_wrong_row_then_the_right_one(
    visit: Callable[..., Any],
    no_sideways: Callable[[Any], None],
    site: Any,
    picture: Callable[..., None],
    tmp_path: Path,
    width: str,
) -> None:
    """The preview tells row and column and offers nothing to confirm; the mended file is shown, then stored."""
    ending = "" if width == "desktop" else "-phone"
    with Session(site.engine) as session:
        room = session.scalars(Room.at().where(Room.school_id == site.unit(SCHOOL)).order_by(Room.name)).first()
        assert room
    path = tmp_path / "khai-bao.csv"
    head = "mã trường,phòng,mục khai báo,giá trị,đơn vị tính,người khai\n"
    rows = [f"{SCHOOL},{room.name},area,{{}},m2,Ban kiểm kê\n", f"{SCHOOL},{room.name},audio,có,,Ban kiểm kê\n"]
    path.write_text(head + rows[0].format("rộng") + rows[1], "utf-8")
    page = visit(width, java_script_enabled=False)
    page.click("text=Khai báo")
    page.click("text=Nhập khai báo từ tệp")
    no_sideways(page)
    page.set_input_files("#file", path)
    page.click(".upload button")
    fault = page.inner_text("table.stack tbody tr >> nth=0")
    for piece in ("2", "giá trị", "rộng", "cần một số từ 1 đến 10000 m2"):
        assert piece in fault
    assert page.locator(".confirm").count() == 0
    no_sideways(page)
    picture(page, f"declared-preview-fault-vi{ending}")
    path.write_text(head + rows[0].format('"52,5"') + rows[1], "utf-8")
    page.click("text=Chọn tệp khác")
    page.set_input_files("#file", path)
    page.click(".upload button")
    assert "52,5 m²" in page.inner_text("table.stack")
    no_sideways(page)
    page.click(".confirm button")
    assert "Đã ghi 2 thay đổi" in page.inner_text("main")
