"""The page of a past instant: chosen, marked, followed to the evidence of then; both widths and languages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from phongmay_simulate.district import ISSUER
from phongmay_simulate.district import Role as Fault
from phongmay_store.register.compliance import EvaluationRun
from phongmay_store.register.timetable import LOCAL

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("width", "language"), [("desktop", "vi"), ("phone", "en")])
def test_a_school_at_a_past_instant(
    officer: Callable[..., Any],
    no_sideways: Callable[[Any], None],
    site: Any,
    picture: Callable[[Any, str], None],
    width: str,
    language: str,
) -> None:
    """From the school's page to the instant, to a failing PC's verdict of then; a day earlier nothing was judged."""
    school = site.unit(f"{ISSUER}:truong-2")
    with Session(site.engine) as session:
        first = session.scalars(
            select(EvaluationRun.evaluated_at).where(EvaluationRun.unit_id == school).order_by(EvaluationRun.id)
        ).first()
    assert first
    page = officer(width)
    page.goto(f"{site.url}/schools/{school}?lang={language}")
    page.click({"vi": "text=Xem tại một thời điểm", "en": "text=See a past instant"}[language])
    no_sideways(page)

    def choose(at: datetime) -> str:
        page.fill("#at", f"{at.astimezone(LOCAL):%Y-%m-%dT%H:%M:%S}")
        page.click("form.ask button")
        page.wait_for_load_state()
        return str(page.inner_text("main"))

    mark = {"vi": "NHƯ Ở THỜI ĐIỂM", "en": "AS IT STOOD AT"}[language]
    at = first + timedelta(seconds=1)
    assert f"{mark} {at.astimezone(LOCAL):%H:%M:%S %d/%m/%Y}" in choose(at)
    no_sideways(page)
    picture(page, f"past-{language}-{width}")
    page.select_option("#state", "fail")
    page.click("form.ask button")
    page.locator(f"#device-{site.device(Fault.LOW_MEMORY)} a").first.click()
    page.wait_for_load_state()
    text = page.inner_text("main")
    assert mark in text
    assert {"vi": "Không đạt: ", "en": "Fail: "}[language] in text
    assert page.locator("dl.facts dd.code").count() >= 3
    no_sideways(page)
    picture(page, f"past-verdict-{language}-{width}")
    page.goto(f"{site.url}/units/{school}/at")
    before = choose(first - timedelta(days=1))
    assert {"vi": "Khi đó chưa có lần đánh giá nào", "en": "Nobody had judged it by then"}[language] in before
    assert page.locator(".past-subject").count() == 0
