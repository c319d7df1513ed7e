"""One run as PDF, as evidence for the provider: evidence goes in, the bytes of an A4 document come out.

The charts are those of the page, drawn by the same shapes. Letters are Roboto, embedded, with every Vietnamese one.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from datetime import datetime
from html import escape
from importlib.resources import as_file, files
from typing import Any

from reportlab.graphics.shapes import Drawing, Line, Polygon, String
from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_LEFT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import KeepTogether, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from phongmay_campaigns.reporting import words
from phongmay_campaigns.reporting.charts import Chart, Shape, per_pc, stacked
from phongmay_campaigns.reporting.evidence import Evidence
from phongmay_campaigns.reporting.facts_of_run import about, by_line, conclusion, measured
from phongmay_store.register.timetable import LOCAL

_PLAIN, _BOLD = "Roboto", "Roboto-Bold"
_WIDTH = A4[0] - 36 * mm
_COLOURS = {"pass": "#1f6f43", "fail": "#b3261e"}


def to_pdf(evidence: Evidence, language: str, made_at: datetime) -> bytes:
    """Write a run."""
    _letters()
    out = io.BytesIO()
    title = words.text("title", language)
    document = SimpleDocTemplate(
        out, pagesize=A4, leftMargin=18 * mm, rightMargin=18 * mm, topMargin=16 * mm, bottomMargin=18 * mm,
        title=f"{title} {evidence.run.run_id}", author="Phòng Máy", lang="vi-VN" if language == "vi" else "en-GB",
    )  # fmt: skip
    footer = (
        f"{words.text('of', language)} {made_at.astimezone(LOCAL):%H:%M %d/%m/%Y} · {evidence.run.run_id} · Phòng Máy"
    )

    def frame(canvas: Any, _document: Any) -> None:
        canvas.setFont(_PLAIN, 7.5)
        canvas.setFillColor(HexColor("#5c6770"))
        canvas.drawString(18 * mm, 10 * mm, footer)
        canvas.drawRightString(A4[0] - 18 * mm, 10 * mm, str(canvas.getPageNumber()))

    document.build(list(_story(evidence, language, title)), onFirstPage=frame, onLaterPages=frame)
    return out.getvalue()


def _letters() -> None:
    if _PLAIN in pdfmetrics.getRegisteredFontNames():
        return
    for name, file in ((_PLAIN, "Roboto-Regular.ttf"), (_BOLD, "Roboto-Bold.ttf")):
        with as_file(files("font_roboto") / "files" / file) as path:
            pdfmetrics.registerFont(TTFont(name, str(path)))
    pdfmetrics.registerFontFamily(_PLAIN, normal=_PLAIN, bold=_BOLD, italic=_PLAIN, boldItalic=_BOLD)


def _story(evidence: Evidence, language: str, title: str) -> Iterator[Any]:
    head = ParagraphStyle("head", fontName=_BOLD, fontSize=15, leading=19, alignment=TA_LEFT, spaceAfter=6)
    part = ParagraphStyle("part", fontName=_BOLD, fontSize=10.5, leading=14, spaceBefore=8, spaceAfter=3)
    small = ParagraphStyle("small", fontName=_PLAIN, fontSize=8, leading=11, textColor=HexColor("#5c6770"))
    result = evidence.result
    yield Paragraph(escape(title), head)
    lines = list(conclusion(evidence, language))
    colour = _COLOURS.get(result.verdict if result else "", "#6b5410")
    verdict = ParagraphStyle("verdict", fontName=_BOLD, fontSize=12, leading=16, textColor=HexColor(colour))
    yield Paragraph(f"{escape(lines[0][0])}: {escape(lines[0][1])}", verdict)
    yield _pairs([*lines[1:], *about(evidence, language)])
    if result is None:
        return
    yield Spacer(1, 4)
    yield _pairs(measured(result, language))
    for chart in (stacked(evidence, down=True, language=language), stacked(evidence, down=False, language=language)):
        if chart is not None:
            yield KeepTogether([Paragraph(escape(chart.title), part), _drawing(chart)])
    lines_told = by_line(result, evidence, language)
    if lines_told:
        yield Paragraph(escape(words.text("by_line", language)), part)
        yield _table([list(row) for row in lines_told], [90 * mm, 16 * mm, 42 * mm, None])
    yield Paragraph(escape(words.text("chart_pcs", language)), part)
    yield _table(
        _participants(evidence, language), [34 * mm, 26 * mm, 25 * mm, 24 * mm, 24 * mm, 20 * mm, None], head=True
    )
    chart = per_pc(evidence, language=language)
    if chart is not None:
        yield KeepTogether([Spacer(1, 6), _drawing(chart)])
    for key in ("layer_note", "rules_note"):
        yield Paragraph(escape(words.text(key, language)), small)


def _participants(evidence: Evidence, language: str) -> list[list[str]]:
    keys = ("pc", "room", "status", "down", "up", "loaded", "passed")
    rows = [[words.text(key, language) for key in keys]]
    for one in evidence.participants:
        passed = "–" if one.passed is None else words.text("yes" if one.passed else "no", language)
        rows.append(
            [
                one.code, evidence.room_name(one.room_id), words.word(words.STATUSES, one.status, language),
                "–" if one.goodput_dl_srv is None else words.rate(one.goodput_dl_srv, language),
                "–" if one.goodput_ul_srv is None else words.rate(one.goodput_ul_srv, language),
                "–" if one.loaded_p50 is None else words.milliseconds(one.loaded_p50, language), passed,
            ]
        )  # fmt: skip
    return rows


def _pairs(lines: Sequence[tuple[str, str]]) -> Table:
    return _table([[name, value] for name, value in lines], [74 * mm, None])


def _table(rows: list[list[str]], widths: Sequence[float | None], *, head: bool = False) -> Table:
    plain = ParagraphStyle("cell", fontName=_PLAIN, fontSize=8.5, leading=11)
    bold = ParagraphStyle("bold", parent=plain, fontName=_BOLD)
    cells = [
        [Paragraph(escape(text), bold if head and number == 0 else plain) for text in row]
        for number, row in enumerate(rows)
    ]
    known = sum(width for width in widths if width is not None)
    table = Table(
        cells, colWidths=[_WIDTH - known if width is None else width for width in widths], repeatRows=int(head)
    )
    table.setStyle(
        TableStyle(
            [
                ("LINEBELOW", (0, 0), (-1, -1), 0.25, HexColor("#c9d1d8")),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("TOPPADDING", (0, 0), (-1, -1), 1.5),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ]
        )
    )
    return table


def _drawing(chart: Chart) -> Drawing:
    drawing = Drawing(_WIDTH, chart.height * _WIDTH / chart.width)
    scale = _WIDTH / chart.width
    drawing.scale(scale, scale)
    for shape in chart.shapes:
        drawing.add(_mark(shape, chart.height))
    return drawing


def _mark(shape: Shape, height: float) -> Any:
    """Turn a shape into one of the PDF's, whose y goes upwards."""
    points = [value for x, y in shape.points for value in (x, height - y)]
    if shape.text:
        return String(
            points[0], points[1], shape.text, fontName=_PLAIN, fontSize=11, fillColor=HexColor(shape.fill),
            textAnchor=shape.anchor,
        )  # fmt: skip
    if shape.stroke:
        dashed = [5, 4] if shape.dashed else None
        return Line(*points, strokeColor=HexColor(shape.stroke), strokeWidth=1 if shape.dashed else 0.5,
                    strokeDashArray=dashed)  # fmt: skip
    return Polygon(points, fillColor=HexColor(shape.fill), strokeColor=None)
