"""A school disputes a verdict, the district answers and waives; gap list and scores are read; at both widths."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from phongmay_simulate.district import DISTRICT, ISSUER
from phongmay_simulate.district import Role as Fault

pytestmark = pytest.mark.browser
WIDTHS = {"desktop": (1280, 860), "phone": (390, 844)}


@pytest.fixture
def visit(browser: Any, site: Any) -> Iterator[Callable[..., Any]]:
    """Open a fresh, signed-in page of a width; at the end it must have been free of errors and foreign requests."""
    contexts, faults = [], []

    def open_page(width: str = "desktop") -> Any:
        wide, high = WIDTHS[width]
        context = browser.new_context(viewport={"width": wide, "height": high}, locale="en-US")
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda r: faults.append(f"foreign: {r.url}") if not r.url.startswith(site.url) else None)
        page.goto(site.url)
        page.fill("#login", "quan")
        page.fill("#password", "mật khẩu của quận")
        page.click("main button")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


def _fits(page: Any) -> None:
    """Nothing may hang over the edge."""
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, page.url


@pytest.mark.parametrize(("width", "fault"), [("desktop", Fault.LOW_MEMORY), ("phone", Fault.SMALL_DISK)])
def test_dispute_answer_and_waiver(
    visit: Callable[..., Any], site: Any, picture: Callable[[Any, str], None], width: str, fault: Fault
) -> None:
    """A dispute is rechecked at once, stands on the district's page and in the panel, is answered; then a waiver."""
    ending = "" if width == "desktop" else "-phone"
    rule = {Fault.LOW_MEMORY: "TB-01", Fault.SMALL_DISK: "TB-03"}[fault]
    page = visit(width)
    school = site.unit(f"{ISSUER}:truong-2")
    panel = f"{site.url}/schools/{school}?subject=device:{site.device(fault)}"
    page.goto(panel)
    todo = page.locator("#evidence ul.todo").first.inner_text()
    assert "Việc cần làm (nhà trường, đơn vị quản lý)" in todo
    page.locator(f"#evidence details[id$='{rule}'] >> text=Xem toàn bộ bằng chứng").click()
    page.click("text=Khiếu nại kết quả này")
    page.fill("#dispute-text", "Máy này vừa được nâng cấp")
    page.click("text=Gửi khiếu nại")
    assert "Đã ghi nhận." in page.inner_text("main")
    assert "kết quả không đổi: không đạt" in page.inner_text("#decisions")
    assert page.locator("text=Khiếu nại kết quả này").count() == 0, "one dispute at a time"
    page.goto(panel)
    assert "Đang khiếu nại" in page.inner_text("#evidence")
    page.goto(f"{site.url}/units/{site.unit(DISTRICT)}/decisions")
    assert "Máy này vừa được nâng cấp" in page.inner_text("main")
    _fits(page)
    picture(page, f"decisions-vi{ending}")
    page.fill("textarea[id^=answer]", "Đã kiểm tra tại chỗ: chưa nâng cấp")
    page.click("text=Giữ nguyên kết quả")
    assert "Không có khiếu nại nào đang chờ." in page.inner_text("main")
    page.goto(panel)
    page.locator(f"#evidence details[id$='{rule}'] >> text=Xem toàn bộ bằng chứng").click()
    page.click("text=Miễn tiêu chí này")
    page.fill("#waiver-reason", "Chờ thay máy")
    page.fill("#waiver-until", f"{datetime.now(UTC) + timedelta(days=20):%Y-%m-%d}")
    page.click("text=Ký quyết định miễn")
    assert "Đã ghi nhận." in page.inner_text("main")
    page.goto(f"{site.url}/units/{school}/decisions?lang=en")
    text = page.inner_text("main")
    assert "Waivers that end soon" in text
    assert "Chờ thay máy" in text
    _fits(page)
    picture(page, f"decisions-en{ending}")
    page.locator("summary:has-text('Withdraw')").first.click()
    page.locator("input[id^=withdraw]").first.fill("thay máy xong")
    page.locator("details[open] button:has-text('Withdraw')").click()
    assert "No waiver is in force." in page.inner_text("main")


@pytest.mark.parametrize("width", list(WIDTHS))
def test_gap_list(visit: Callable[..., Any], site: Any, picture: Callable[[Any, str], None], width: str) -> None:
    """The list names its prices as samples, keeps to a budget, and is there as a workbook."""
    pytest.importorskip("scipy")
    ending = "" if width == "desktop" else "-phone"
    page = visit(width)
    page.click("text=Danh mục cần bổ sung")
    text = page.inner_text("main")
    assert "mức giá mẫu" in text
    assert "Thanh RAM" in text
    _fits(page)
    picture(page, f"gaps-vi{ending}")
    page.fill("#budget", "2.000.000")
    page.click("form.budget button")
    assert "trong ngân sách 2.000.000 đ" in page.inner_text("main")
    with page.expect_download() as download:
        page.click("text=Tải bảng tính")
    assert download.value.suggested_filename.endswith(".xlsx")


@pytest.mark.parametrize("width", list(WIDTHS))
def test_scores_and_grid(visit: Callable[..., Any], site: Any, picture: Callable[[Any, str], None], width: str) -> None:
    """The four words stand on the school's page with their counts; the room's plan is near the top."""
    ending = "" if width == "desktop" else "-phone"
    page = visit(width)
    page.goto(f"{site.url}/schools/{site.unit(f'{ISSUER}:truong-3')}")
    block = page.inner_text("#quality")
    for word in ("Sống:", "Sạch:", "Đủ:", "Đúng:"):
        assert word in block
    _fits(page)
    picture(page, f"school-3-vi{ending}")
    page.locator("#quality").scroll_into_view_if_needed()
    picture(page, f"quality-vi{ending}")
    if width == "desktop":
        assert page.locator("table.seats").first.bounding_box()["y"] < 1400
