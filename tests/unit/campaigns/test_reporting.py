"""One run as people read it: charts, PDF, CSV and words in both languages."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from reportlab.pdfbase.ttfonts import TTFont

from phongmay_bandwidth.verdict import Cause, Reason, Verdict
from phongmay_campaigns.ledger import Standing
from phongmay_campaigns.reporting import words
from phongmay_campaigns.reporting.charts import per_pc, stacked
from phongmay_campaigns.reporting.evidence import Evidence
from phongmay_campaigns.reporting.facts_of_run import about, by_line, conclusion, measured
from phongmay_campaigns.reporting.pdf import to_pdf
from phongmay_campaigns.reporting.svg import svg
from phongmay_campaigns.reporting.table import COLUMNS, to_csv
from phongmay_store.register.base import utc_now
from phongmay_store.register.campaign import CampaignKind, CampaignMode, CampaignState, RunStep

Make = Callable[..., Evidence]
SVG = "{http://www.w3.org/2000/svg}"


def test_every_code_has_words() -> None:
    """Whatever the analysis, the coordinator or the register can say has words in both languages."""
    for table, codes in (
        (words.VERDICTS, Verdict), (words.REASONS, Reason), (words.CAUSES, Cause), (words.STEPS, RunStep),
        (words.KINDS, CampaignKind), (words.MODES, CampaignMode), (words.CAMPAIGN_STATES, CampaignState),
    ):  # fmt: skip
        assert set(table) == {code.value for code in codes}
    for table in words.TABLES:
        for code, (vi, en) in table.items():
            assert bool(vi) == bool(en) == bool(code), code
    assert words.word(words.REASONS, "of_a_later_version", "vi") == "of_a_later_version"
    assert words.end_reason("no_report: unknown_run", "en") == "the bandwidth server gave no report (unknown_run)"


def test_the_stack_adds_up(evidence: Make) -> None:
    """Every PC is one layer, the top of the stack is their sum, and contract and need are drawn where they belong."""
    chart = stacked(evidence(slow=2, absent=3), down=True, language="vi")
    assert chart is not None
    layers = [shape for shape in chart.shapes if shape.fill and not shape.text]
    assert len(layers) == 37
    tops = [min(y for _, y in layer.points) for layer in layers]
    assert tops == sorted(tops, reverse=True)
    lines = [shape for shape in chart.shapes if shape.dashed]
    assert len(lines) == 2
    contract, needed = (line.points[0][1] for line in lines)
    assert contract < needed < tops[-1], "80 of 100 Mbit/s are needed and two PCs are slow"


def test_nothing_measured_is_no_chart(evidence: Make) -> None:
    """Without series there is no chart; nothing is drawn as zero."""
    empty = replace(evidence(), participants=[])
    assert stacked(empty, down=True, language="en") is None
    assert per_pc(empty, language="en") is None


@pytest.mark.parametrize("language", ["vi", "en"])
def test_charts_are_safe_markup(evidence: Make, language: str) -> None:
    """A chart is well-formed, has a name for those who cannot see it, and no script, style or foreign markup."""
    found = evidence(slow=1)
    found.participants[0].code = "<script>alert(1)</script>"
    for chart in (stacked(found, down=False, language=language), per_pc(found, language=language)):
        assert chart is not None
        text = svg(chart)
        root = ElementTree.fromstring(text)
        assert root.get("aria-label") == chart.title
        assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {"svg", "polygon", "line", "text", "title"}
        assert not re.search(r"<script|style=|\son\w+=", text)


def test_the_conclusion_names_cause_and_reasons(evidence: Make) -> None:
    """A run that failed by one PC names it; one without a result says why there is none."""
    told = dict(conclusion(evidence("fail", slow=1), "en"))
    assert told == {
        "Verdict of the run": "FAIL", "Reasons": "some PCs did not reach the floor", "Cause": "slow PC: TH00",
    }  # fmt: skip
    found = evidence()
    lost = replace(
        found, result=None, standing=Standing(found.run, RunStep.POSTPONED, {"reason": "nobody_on"}, utc_now())
    )
    assert list(conclusion(lost, "vi")) == [("Kết luận của lượt đo", "đã hoãn: không có máy nào đang bật")]


def test_busy_and_disagreeing_pcs_are_named_with_the_reason(evidence: Make) -> None:
    """Who is left out stands in the conclusion in both languages; of many, twelve and how many more."""
    found = evidence("invalid")
    assert not any("busy" in name.casefold() for name, _ in conclusion(found, "en"))
    for one in found.participants[:14]:
        one.status, one.reason = "busy", "input"
    found.participants[20].status, found.participants[20].reason = "excluded", "disagrees_with_server"
    said = dict(conclusion(found, "en"))
    assert said["Busy PCs, left out"].startswith("TH00 (somebody uses the PC), TH01 (")
    assert said["Busy PCs, left out"].endswith("TH11 (somebody uses the PC) (+2)")
    assert said["PCs that disagree, left out"] == "TH20 (disagrees with the server)"
    assert dict(conclusion(found, "vi"))["Máy bận, không tính"].startswith("TH00 (có người đang dùng máy)")


def test_unknown_is_said(evidence: Make) -> None:
    """What nobody counted is said to be unknown, never 0."""
    assert evidence().result is not None
    told = dict(measured(evidence().result, "vi"))  # type: ignore[arg-type] # it is there
    assert told["Bộ định tuyến đếm được (xuống/lên)"] == "chưa rõ / chưa rõ"
    assert told["Tải khác trên đường truyền"] == "chưa rõ"
    assert told["Tổng đo được ở lớp IP (xuống/lên)"].startswith("82,6 Mbit/s")


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_pdf(evidence: Make, language: str) -> None:
    """The record is a PDF with its letters embedded, also for a run without a result and one of many PCs."""
    content = to_pdf(evidence("fail", slow=3, absent=4), language, utc_now())
    assert content.startswith(b"%PDF")
    assert content.count(b"/FontFile2") >= 2
    found = evidence()
    assert to_pdf(replace(found, result=None, participants=[]), language, utc_now()).startswith(b"%PDF")


def test_the_letters_of_the_pdf(evidence: Make) -> None:
    """Every letter of every word in the record has a shape in its font."""
    to_pdf(evidence(), "vi", utc_now())
    from reportlab.pdfbase import pdfmetrics

    texts = "".join(vi + en for table in words.TABLES for vi, en in table.values()) + "–·×"
    for name in ("Roboto", "Roboto-Bold"):
        font = pdfmetrics.getFont(name)
        assert isinstance(font, TTFont)
        assert {letter for letter in texts if ord(letter) not in font.face.charToGlyph} == set()


@pytest.mark.parametrize(
    ("language", "reason"),
    [("vi", "đường chính chưa được rút"), ("en", "the main line was not pulled out")],
)
def test_a_failover_says_that_it_is_one_and_over_which_line_it_went(evidence: Make, language: str, reason: str) -> None:
    """Page, PDF and CSV name the kind of run, the one line that carried it, and why it shows nothing."""
    found = evidence("insufficient")
    found.run.failover = True
    assert found.result is not None
    found.result.reasons = ["it_went_over_the_usual_line"]
    found.result.by_line = [
        {"line": "l", "sources": ["203.0.113.7"], "participants": 40, "verdict": "insufficient", "directions": []}
    ]
    assert reason in dict(conclusion(found, language))[words.text("reasons", language)]
    assert words.text("failover", language) in dict(about(found, language))
    (line,) = by_line(found.result, found, language)
    assert (line[0], line[3]) == ("Cáp quang chính (203.0.113.7)", words.word(words.VERDICTS, "insufficient", language))
    text = to_csv(found, language).decode("utf-8-sig")
    assert reason in text
    assert "Cáp quang chính (203.0.113.7)" in text
    assert to_pdf(found, language, utc_now()).startswith(b"%PDF")
    found.run.failover = False
    assert by_line(found.result, found, language) == []
    assert words.text("failover", language) not in dict(about(found, language))


def test_the_csv(evidence: Make) -> None:
    """One line a PC in base units, absent ones too; a text that a spreadsheet would take for a formula is defused."""
    found = evidence(absent=2)
    found.participants[0].code = "=1+1"
    content = to_csv(found, "en")
    assert content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    at = rows.index(list(COLUMNS))
    assert len(rows) - at - 1 == 40
    assert rows[at + 1][0] == "'=1+1"
    by_code = {row[0]: dict(zip(COLUMNS, row, strict=True)) for row in rows[at + 1 :]}
    assert by_code["TH39"]["status"] == "absent"
    assert by_code["TH39"]["goodput_dl_srv"] == ""
    assert by_code["TH07"]["goodput_dl_srv"] == "2000000.0"
