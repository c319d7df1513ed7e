"""A district officer sets a parameter: preview of what changes, confirmation, who and why on the page; both widths."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import delete
from sqlalchemy.orm import Session

from phongmay_simulate.district import DISTRICT
from phongmay_store.register.compliance import Parameter

pytestmark = pytest.mark.browser


@pytest.fixture
def _fresh(site: Any) -> Iterator[None]:
    """Leave nothing set for the next test of this server."""
    yield
    with Session(site.engine) as session:
        session.execute(delete(Parameter).where(Parameter.set_by == "quan"))
        session.commit()


@pytest.mark.usefixtures("_fresh")
@pytest.mark.parametrize(("width", "language"), [("desktop", "vi"), ("phone", "en")])
def test_a_figure_is_previewed_and_set(
    officer: Callable[..., Any],
    no_sideways: Callable[[Any], None],
    site: Any,
    picture: Callable[[Any, str], None],
    width: str,
    language: str,
) -> None:
    """Out of bounds is told; 8 GB shows PCs that would fail; set, it stands with login and reason, also in /rules."""
    vi = language == "vi"
    district = site.unit(DISTRICT)
    page = officer(width)
    page.goto(f"{site.url}/units/{district}?lang={language}")
    page.click("text=Tham số đang áp dụng" if vi else "text=Parameters in force")
    no_sideways(page)
    page.locator("#ram_min a:has-text('Đặt mức khác')" if vi else "#ram_min a:has-text('Set another value')").click()
    page.wait_for_load_state()

    def preview(value: str) -> str:
        page.fill("#value", value)
        page.fill("#reason", "Máy mua từ năm 2026")
        page.click("button.second")
        page.wait_for_load_state()
        return str(page.inner_text("main"))

    assert ("phải nằm trong giới hạn" if vi else "must lie within the bounds") in preview("9999")
    text = preview("8")
    assert ("từ 4 GB thành 8 GB" if vi else "from 4 GB to 8 GB") in text
    assert "TB-01" in page.inner_text("#chosen table")
    no_sideways(page)
    picture(page, f"parameters-{language}-{width}")
    page.click("text=Đặt mức này" if vi else "text=Set this value")
    page.wait_for_load_state()
    assert ("Đã ghi nhận" if vi else "Recorded") in page.inner_text("main")
    assert "Máy mua từ năm 2026" in page.inner_text("#ram_min")
    page.goto(f"{site.url}/rules")
    assert ("Tại Quận Mẫu" if vi else "At Quận Mẫu") in page.inner_text("[id='TB-01']")
    no_sideways(page)
