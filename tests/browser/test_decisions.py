"""A school disputes a verdict, the district answers and waives; gap list and scores are read; at both widths."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from phongmay_simulate.district import DISTRICT, ISSUER
from phongmay_simulate.district import Role as Fault

pytestmark = pytest.mark.browser
PHOTO = Path(__file__).parents[1] / "unit" / "store" / "pictures" / "two-colours.jpg"
REFUSED = "the server responded with a status of 422"
"""What Chromium notes when a form comes back: that is meant."""
WIDTHS = {"desktop": (1280, 860), "phone": (390, 844)}


@pytest.fixture
def visit(browser: Any, site: Any) -> Iterator[Callable[..., Any]]:
    """Open a fresh, signed-in page of a width; at the end it must have been free of errors and foreign requests."""
    contexts, faults = [], []

    def note(message: Any) -> None:
        if message.type == "error" and REFUSED not in message.text:
            faults.append(message.text)

    def open_page(width: str = "desktop") -> Any:
        wide, high = WIDTHS[width]
        context = browser.new_context(viewport={"width": wide, "height": high}, locale="en-US")
        contexts.append(context)
        page = context.new_page()
        page.on("console", note)
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


@pytest.mark.parametrize(("width", "fault"), [("desktop", Fault.LOW_MEMORY), ("phone", Fault.SMALL_DISK)])
def test_dispute_answer_and_waiver(
    visit: Callable[..., Any],
    no_sideways: Callable[[Any], None],
    site: Any,
    picture: Callable[[Any, str], None],
    width: str,
    fault: Fault,
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
    no_sideways(page)
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
    no_sideways(page)
    picture(page, f"decisions-en{ending}")
    page.locator("summary:has-text('Withdraw')").first.click()
    page.locator("input[id^=withdraw]").first.fill("thay máy xong")
    page.locator("details[open] button:has-text('Withdraw')").click()
    assert "No waiver is in force." in page.inner_text("main")


@pytest.mark.parametrize("width", list(WIDTHS))
def test_gap_list(
    visit: Callable[..., Any],
    no_sideways: Callable[[Any], None],
    site: Any,
    picture: Callable[[Any, str], None],
    width: str,
) -> None:
    """The list names its prices as samples, keeps to a budget, and is there as a workbook."""
    pytest.importorskip("scipy")
    ending = "" if width == "desktop" else "-phone"
    page = visit(width)
    page.click("text=Danh mục cần bổ sung")
    text = page.inner_text("main")
    assert "mức giá mẫu" in text
    assert "Thanh RAM" in text
    no_sideways(page)
    picture(page, f"gaps-vi{ending}")
    page.fill("#budget", "2.000.000")
    page.click("form.budget button")
    assert "trong ngân sách 2.000.000 đ" in page.inner_text("main")
    with page.expect_download() as download:
        page.click("text=Tải bảng tính")
    assert download.value.suggested_filename.endswith(".xlsx")


@pytest.mark.parametrize("width", list(WIDTHS))
def test_in_english(
    visit: Callable[..., Any],
    no_sideways: Callable[[Any], None],
    site: Any,
    picture: Callable[[Any, str], None],
    width: str,
) -> None:
    """Gap list, evidence panel and verdict in English: nothing is left in the other language, one is not many."""
    pytest.importorskip("scipy")
    ending = "" if width == "desktop" else "-phone"
    page = visit(width)
    page.goto(f"{site.url}/units/{site.unit(DISTRICT)}/gaps?lang=en")
    gaps = page.inner_text("main")
    for words in ("What to buy", "sample prices", "By school", "Judged again:", "Rules mended"):
        assert words in gaps
    no_sideways(page)
    picture(page, f"gaps-en{ending}")
    page.goto(f"{site.url}/schools/{site.unit(f'{ISSUER}:truong-2')}?subject=device:{site.device(Fault.LOW_MEMORY)}")
    page.locator("#evidence").scroll_into_view_if_needed()
    panel = page.inner_text("#evidence")
    assert "Whose figure" in panel
    no_sideways(page)
    if width == "phone":  # on a desktop it stands on the picture of the school
        picture(page, "panel-en-phone")
    school = page.inner_text("main")
    page.locator("#evidence >> text=See all evidence").first.click()
    verdict = page.inner_text("main")
    for words in ("Rule hash", "Why it matters", "Dispute this verdict"):
        assert words in verdict
    no_sideways(page)
    picture(page, f"verdict-en{ending}")
    for text in (gaps, school, verdict):
        assert not re.search(r"\b1 (subjects|rooms|devices|rules|PCs|days)\b", text)
        for left in ("tiêu chí", "không đạt", "mức do quận đặt", "đối tượng", "Việc cần làm"):
            assert left not in text, left


@pytest.mark.parametrize("width", list(WIDTHS))
@pytest.mark.parametrize("language", ["vi", "en"])
def test_no_word_of_the_bar_is_broken(
    visit: Callable[..., Any], no_sideways: Callable[[Any], None], site: Any, width: str, language: str
) -> None:
    """On a phone too each link and button of the bar stands in one line; the bar as a whole may take two."""
    page = visit(width)
    page.goto(f"{site.url}/units/{site.unit(DISTRICT)}?lang={language}")
    lines = page.evaluate(
        """[...document.querySelectorAll('.top a, .top button')].map(
            e => [e.innerText, e.getBoundingClientRect().height / parseFloat(getComputedStyle(e).fontSize)])"""
    )
    assert len(lines) == 5
    assert [text for text, height in lines if height > 2.2] == []
    no_sideways(page)


@pytest.mark.parametrize("width", list(WIDTHS))
def test_statement_with_a_photograph(
    visit: Callable[..., Any],
    no_sideways: Callable[[Any], None],
    site: Any,
    picture: Callable[[Any, str], None],
    width: str,
) -> None:
    """What nobody stated is folded; a statement takes a photograph; refused, the form still holds what was typed."""
    ending = "" if width == "desktop" else "-phone"
    page = visit(width)
    unit = site.unit(DISTRICT) if width == "desktop" else site.unit(f"{ISSUER}:truong-2")
    page.goto(f"{site.url}/units/{unit}/decisions")
    assert page.evaluate("document.documentElement.scrollHeight") < 3 * WIDTHS[width][1]
    page.click("summary:has-text('Xác nhận')")
    page.select_option("#clause", index=1)
    page.select_option("#met", "no")
    page.fill("#statement", "Đã xem biên bản")
    page.fill("#until", "2099-12-31")
    page.set_input_files("#file", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"})
    page.click("text=Ký xác nhận")
    assert "không phải JPEG, PNG hay PDF" in page.inner_text("main")
    assert (page.input_value("#statement"), page.input_value("#met")) == ("Đã xem biên bản", "no")
    assert page.input_value("#until") == "2099-12-31"
    no_sideways(page)
    picture(page, f"attestation-refused-vi{ending}")
    page.set_input_files("#file", PHOTO)
    page.click("text=Ký xác nhận")
    assert "Đã ghi nhận." in page.inner_text("main")
    page.locator(".stated").scroll_into_view_if_needed()
    no_sideways(page)
    picture(page, f"attestation-vi{ending}")
    with page.expect_download() as download:
        page.click("text=Tệp chứng minh")
    assert download.value.suggested_filename.endswith(".jpg")


@pytest.mark.parametrize("width", list(WIDTHS))
def test_scores_and_grid(
    visit: Callable[..., Any],
    no_sideways: Callable[[Any], None],
    site: Any,
    picture: Callable[[Any, str], None],
    width: str,
) -> None:
    """The four words stand on the school's page with their counts; the room's plan is near the top."""
    ending = "" if width == "desktop" else "-phone"
    page = visit(width)
    page.goto(f"{site.url}/schools/{site.unit(f'{ISSUER}:truong-3')}")
    block = page.inner_text("#quality")
    for word in ("Sống:", "Sạch:", "Đủ:", "Đúng:"):
        assert word in block
    no_sideways(page)
    picture(page, f"school-3-vi{ending}")
    page.locator("#quality").scroll_into_view_if_needed()
    picture(page, f"quality-vi{ending}")
    if width == "desktop":
        assert page.locator("table.seats").first.bounding_box()["y"] < 1400


@pytest.mark.parametrize("width", list(WIDTHS))
def test_clauses_from_the_district_page(
    visit: Callable[..., Any],
    no_sideways: Callable[[Any], None],
    site: Any,
    picture: Callable[[Any, str], None],
    width: str,
) -> None:
    """Every clause is one link away from district and school, in both languages, at both widths."""
    ending = "" if width == "desktop" else "-phone"
    page = visit(width)
    page.goto(f"{site.url}/units/{site.unit(DISTRICT)}")
    page.click("text=Theo điều khoản")
    no_sideways(page)
    picture(page, f"clauses-vi{ending}")
    assert "Chưa có xác nhận" in page.inner_text("main")
    assert page.locator("#KH-I\\.1-2 .s-fail").count() >= 1, "the clause on rooms and computers fails in the sample"
    page.click("text=English")
    assert "Standing by clause" in page.inner_text("h1")
    no_sideways(page)
    picture(page, f"clauses-en{ending}")
    page.goto(f"{site.url}/schools/{site.unit(f'{ISSUER}:truong-2')}?lang=vi")
    page.click("text=Theo điều khoản")
    no_sideways(page)
