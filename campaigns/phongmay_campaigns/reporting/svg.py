"""Writes a chart as an inline SVG: shapes go in, text of markup comes out, with every text of it escaped.

It scales with its place and needs neither script nor style, so the content policy of the pages needs no exception. What
is drawn for a phone must be made narrow (`PHONE_WIDTH`): a wide drawing that shrinks has letters that nobody can read.
"""

from __future__ import annotations

from html import escape

from phongmay_campaigns.reporting.charts import Chart, Shape


def svg(chart: Chart) -> str:
    """Write a chart."""
    size = f'viewBox="0 0 {chart.width:g} {chart.height:g}" width="100%"'
    body = "".join(_shape(shape) for shape in chart.shapes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" aria-label="{escape(chart.title)}" {size} '
        f'font-size="11" font-family="sans-serif">{body}</svg>'
    )


def _shape(shape: Shape) -> str:
    x, y = shape.points[0]
    if shape.text:
        place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{shape.anchor}"'
        return f'<text {place} fill="{shape.fill}">{escape(shape.text)}</text>'
    if shape.stroke:
        end_x, end_y = shape.points[1]
        dashed = ' stroke-dasharray="5 4" stroke-width="1.5"' if shape.dashed else ""
        return f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{end_x:.1f}" y2="{end_y:.1f}" stroke="{shape.stroke}"{dashed}/>'
    points = " ".join(f"{px:.1f},{py:.1f}" for px, py in shape.points)
    title = f"<title>{escape(shape.title)}</title>" if shape.title else ""
    return f'<polygon points="{points}" fill="{shape.fill}">{title}</polygon>'
