"""A person signs in, looks at district and school, switches the language and opens the evidence of a failing PC."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
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

    def open_page(width: str = "desktop", *, signed_in: bool = True, **options: Any) -> Any:
        wide, high = WIDTHS[width]
        context = browser.new_context(viewport={"width": wide, "height": high}, locale="en-US", **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda r: faults.append(f"foreign: {r.url}") if not r.url.startswith(site.url) else None)
        if signed_in:
            sign_in(page, site)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


def sign_in(page: Any, site: Any) -> None:
    """Fill in the sign-in form."""
    page.goto(site.url)
    page.fill("#login", "quan")
    page.fill("#password", "mật khẩu của quận")
    page.click("main button")


@pytest.mark.parametrize("width", list(WIDTHS))
def test_from_sign_in_to_evidence(
    visit: Callable[..., Any],
    no_sideways: Callable[[Any], None],
    site: Any,
    picture: Callable[[Any, str], None],
    width: str,
) -> None:
    """Sign-in, district, school, evidence, verdict: in Vietnamese, at both widths, without scrolling sideways."""
    ending = "" if width == "desktop" else "-phone"
    page = visit(width, signed_in=False)
    page.goto(site.url)
    assert "Đăng nhập" in page.inner_text("main")
    picture(page, f"sign-in-vi{ending}")
    sign_in(page, site)
    assert page.url == f"{site.url}/units/{site.unit(DISTRICT)}"
    assert "DỮ LIỆU MẪU" in page.inner_text("body")
    names = page.locator("table.schools td.name a").all_inner_texts()
    assert names[0] == "Trường THCS Mẫu Số 2", "the school with most failures comes first"
    assert len(names) == 3
    no_sideways(page)
    picture(page, f"district-vi{ending}")
    page.click("text=Trường THCS Mẫu Số 2")
    no_sideways(page)
    picture(page, f"school-overview-vi{ending}")
    device = site.device(Fault.LOW_MEMORY)
    page.click(f"#tile-{device}")
    panel = page.locator("#evidence")
    for text in ("Bộ nhớ", "2 GB", "4 GB", "mức do quận đặt", f"{device}/"):
        assert text in panel.inner_text()
    no_sideways(page)
    page.wait_for_timeout(200)
    picture(page, f"school-vi{ending}")
    panel.locator("text=Xem toàn bộ bằng chứng").first.click()
    assert "TB-01" in page.inner_text("main")
    assert "máy tính và cấu hình đạt chuẩn" in page.inner_text("main"), "the clause stands there word for word"
    no_sideways(page)
    picture(page, f"verdict-vi{ending}")


@pytest.mark.parametrize("width", list(WIDTHS))
def test_in_english(visit: Callable[..., Any], site: Any, picture: Callable[[Any, str], None], width: str) -> None:
    """The switch turns every page into English and keeps the place, the open evidence included."""
    ending = "" if width == "desktop" else "-phone"
    page = visit(width)
    page.click("text=English")
    assert "SAMPLE DATA" in page.inner_text("body")
    picture(page, f"district-en{ending}")
    page.goto(f"{site.url}/schools/{site.unit(f'{ISSUER}:truong-2')}?subject=device:{site.device(Fault.LOW_MEMORY)}")
    panel = page.inner_text("#evidence")
    assert "district setting" in panel
    assert "mức do quận" not in panel
    picture(page, f"school-en{ending}")
    page.click("text=Tiếng Việt")
    assert "mức do quận đặt" in page.inner_text("#evidence")
    page.click("text=English")
    page.click("text=Sign out")
    assert "Sign in" in page.inner_text("main")


@pytest.mark.parametrize("width", list(WIDTHS))
@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_catalogue_can_be_read(
    visit: Callable[..., Any],
    no_sideways: Callable[[Any], None],
    site: Any,
    picture: Callable[[Any, str], None],
    language: str,
    width: str,
) -> None:
    """Rules, facts and clauses at both widths: nothing at the side, no column of single syllables, one language."""
    page = visit(width)
    page.goto(f"{site.url}/?lang={language}")
    page.goto(f"{site.url}/rules")
    no_sideways(page)
    text = page.inner_text("main")
    assert "the copy that was read" not in text
    assert "bản đọc được" not in text
    assert ("mức do quận đặt" if language == "vi" else "district setting") in text
    picture(page, f"rules-{language}{'' if width == 'desktop' else '-phone'}")


def test_a_room_is_a_grid_of_signs(visit: Callable[..., Any], site: Any) -> None:
    """Each PC stands at its seat and shows its worst state by a sign too, so that colour is not the only difference."""
    page = visit()
    page.goto(f"{site.url}/schools/{site.unit(f'{ISSUER}:truong-2')}")
    grid = page.locator("table.seats").first
    assert grid.locator("tr").count() == 5
    assert grid.locator("tr").first.locator("td").count() == 6
    for code, fault in site.seats.items():
        if not code.startswith("T2-P1"):
            continue
        tile = page.locator(f"#tile-{site.devices[code]}")
        sign = tile.locator("b").inner_text()
        fails = fault in (
            Fault.LOW_MEMORY, Fault.OLD_PROCESSOR, Fault.SMALL_DISK, Fault.OLD_SYSTEM, Fault.SLOW_LINK,
            Fault.NO_INTERNET,
        )  # fmt: skip
        expected = "✕" if fails else "?" if fault is Fault.UNKNOWN_LINK else "✓"
        assert sign == expected, (code, fault)


def test_identity_conflict_is_told(visit: Callable[..., Any], site: Any) -> None:
    """A cloned PC is unknown, and its evidence says that a technician must decide."""
    page = visit()
    device = site.device(Fault.CLONED)
    page.goto(f"{site.url}/schools/{site.unit(f'{ISSUER}:truong-3')}?subject=device:{device}")
    assert "Hai máy đang dùng chung một danh tính" in page.inner_text("#evidence")
    assert page.locator(f"#tile-{device} b").inner_text() == "?"


def test_the_page_fills_while_one_looks(visit: Callable[..., Any], site: Any) -> None:
    """A PC that is mended turns green by itself; the evidence that stays open is not lost."""
    page = visit()
    mended, watched = site.device(Fault.OLD_PROCESSOR), site.device(Fault.SMALL_DISK)
    page.goto(f"{site.url}/schools/{site.unit(f'{ISSUER}:truong-2')}?subject=device:{watched}")
    opened = page.locator("#evidence details").nth(1)
    opened.locator("summary").click()
    name = opened.get_attribute("id")
    assert page.locator(f"#tile-{mended} b").inner_text() == "✕"
    code = next(code for code, device in site.devices.items() if device == mended)
    try:
        site.write(site.measure(code, Fault.STANDARD, 2000, time.time()), [])
        site.judge()
        page.wait_for_selector(f"#tile-{mended}.s-pass", timeout=30_000)
        assert page.locator(f"#{name}").get_attribute("open") is not None
        assert page.locator(f"#tile-{watched}.chosen").count() == 1
    finally:
        site.write(site.measure(code, Fault.OLD_PROCESSOR, 3000, time.time()), [])
        site.judge()


def test_without_javascript(visit: Callable[..., Any], site: Any) -> None:
    """Everything works without JavaScript: sign-in, language, evidence."""
    page = visit(java_script_enabled=False)
    page.goto(f"{site.url}/schools/{site.unit(f'{ISSUER}:truong-2')}")
    page.click(f"#tile-{site.device(Fault.LOW_MEMORY)}")
    assert "mức do quận đặt" in page.inner_text("#evidence")
