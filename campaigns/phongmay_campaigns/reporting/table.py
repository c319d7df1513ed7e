"""One run as CSV: evidence goes in, bytes for spreadsheet programs come out, one line a PC in base units.

The first lines say what was tested and what it came to. UTF-8 with a mark at its start, since Excel needs it.
"""

from __future__ import annotations

import csv
import io

from phongmay_campaigns.reporting import words
from phongmay_campaigns.reporting.evidence import Evidence
from phongmay_campaigns.reporting.facts_of_run import about, by_line, conclusion, measured
from phongmay_store.register.campaign import CampaignResult

COLUMNS = (
    "code", "room", "status", "reason", "passed", "link", "link_bps", "goodput_dl_srv", "goodput_ul_srv",
    "goodput_dl_cli", "goodput_ul_cli", "idle_p50", "idle_p95", "loaded_p50", "loaded_p95", "ping_loss", "retrans",
    "rwnd_limited", "clock_off", "clock_rtt", "start_err", "nic_rx", "nic_tx", "own_cross_traffic", "cpu_max",
    "source_address", "agent_version", "device_id",
)  # fmt: skip
_RISKY = ("=", "+", "-", "@", "\t", "\r")


def to_csv(evidence: Evidence, language: str) -> bytes:
    """Write a run."""
    out = io.StringIO()
    writer = csv.writer(out)
    result = evidence.result
    lines = [
        *about(evidence, language),
        *conclusion(evidence, language),
        *(measured(result, language) if result else []),
        *(_lines(result, evidence, language) if result else []),
    ]
    for name, value in lines:
        writer.writerow([_safe(name), _safe(value)])
    writer.writerow([])
    writer.writerow(COLUMNS)
    for one in evidence.participants:
        cells = {name: getattr(one, name) for name in COLUMNS if name != "room"}
        cells["room"] = evidence.room_name(one.room_id)
        writer.writerow([_safe(cells[name]) for name in COLUMNS])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _lines(result: CampaignResult, evidence: Evidence, language: str) -> list[tuple[str, str]]:
    name = words.text("by_line", language)
    return [(f"{name}: {line}", " · ".join(rest)) for line, *rest in by_line(result, evidence, language)]


def _safe(value: object) -> object:
    """Keep a spreadsheet program from taking a text for a formula; numbers stay numbers."""
    if value is None:
        return ""
    return "'" + value if isinstance(value, str) and value.startswith(_RISKY) else value
