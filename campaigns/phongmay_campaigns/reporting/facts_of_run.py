"""The figures of a run as labelled lines for page, PDF, CSV and terminal: evidence goes in, pairs of text come out."""

from __future__ import annotations

from collections.abc import Iterator

from phongmay_campaigns.reporting import words
from phongmay_campaigns.reporting.evidence import Evidence
from phongmay_store.register.campaign import CampaignResult
from phongmay_store.register.timetable import LOCAL

Line = tuple[str, str]


def about(evidence: Evidence, language: str) -> list[Line]:
    """Say what was tested, when and against what."""
    run = evidence.run
    rate = words.rate
    at = evidence.result.t_start if evidence.result is not None else run.due_at
    lines = [
        ("school", evidence.school),
        ("room", evidence.room_name(run.room_id) if run.room_id else words.text("all_rooms", language)),
        ("run", run.run_id),
        ("kind", words.word(words.KINDS, run.kind, language)),
        ("mode", words.word(words.MODES, run.mode, language)),
        *([("failover", words.text("failover_run", language))] if run.failover else []),
        ("start", f"{at.astimezone(LOCAL):%H:%M:%S %d/%m/%Y}"),
        ("isp", run.isp or words.text("unknown", language)),
        ("contract", f"{rate(run.contracted_dl, language)} / {rate(run.contracted_ul, language)}"),
        ("floor", f"{rate(run.floor_dl, language)} / {rate(run.floor_ul, language)}"),
        ("rule_version", run.rule_version[:12]),
    ]
    return [(words.text(key, language), value) for key, value in lines]


def measured(result: CampaignResult, language: str) -> list[Line]:
    """Say what was measured; what was not is said to be unknown."""
    rate, ms, percent = words.rate, words.milliseconds, words.percent
    lines = [
        ("pcs", f"{result.n_registered} / {result.n_started} / {result.n_valid} / {result.emulated_n}"),
        ("measured_ip", f"{rate(result.agg_ip_dl, language)} / {rate(result.agg_ip_ul, language)}"),
        ("measured", f"{rate(result.agg_goodput_dl, language)} / {rate(result.agg_goodput_ul, language)}"),
        ("per_pc", " / ".join(rate(value, language) for value in (result.minimum, result.p10, result.median))),
        ("latency", f"{ms(result.idle_p50, language)} / {ms(result.loaded_p50, language)}"),
        ("loss", percent(result.loss, language)),
        ("resent", percent(result.retrans, language)),
        ("router", f"{rate(result.router_dl, language)} / {rate(result.router_ul, language)}"),
        ("cross", percent(result.cross_traffic, language)),
        ("server", f"{result.server_cc or words.text('unknown', language)} / {percent(result.server_load, language)}"),
        ("bytes", words.megabytes(result.bytes_total, language)),
    ]
    return [(words.text(key, language), value) for key, value in lines]


def conclusion(evidence: Evidence, language: str) -> Iterator[Line]:
    """Say what it came to and why."""
    result = evidence.result
    if result is None:
        step = words.word(words.STEPS, evidence.standing.step.value, language)
        reason = words.end_reason(evidence.reason, language)
        yield words.text("verdict", language), f"{step}: {reason}" if reason else step
        return
    yield words.text("verdict", language), words.word(words.VERDICTS, result.verdict, language)
    if result.reasons:
        reasons = "; ".join(words.word(words.REASONS, code, language) for code in result.reasons)
        yield words.text("reasons", language), reasons
    if result.cause:
        names = ", ".join(evidence.rooms.get(name, name) for name in result.cause_names[:12])
        more = f" (+{len(result.cause_names) - 12})" if len(result.cause_names) > 12 else ""
        cause = words.word(words.CAUSES, result.cause, language)
        yield words.text("cause", language), f"{cause}: {names}{more}" if names else cause
    yield from _left_out(evidence, language)


def _left_out(evidence: Evidence, language: str) -> Iterator[Line]:
    """Name the PCs that came and do not count: they were busy, or their figures disagree with the server's."""
    for status in ("busy", "excluded"):
        own = [one for one in evidence.participants if one.status == status]
        named = [f"{one.code} ({words.word(words.PC_REASONS, one.reason, language)})" for one in own[:12]]
        more = f" (+{len(own) - 12})" if len(own) > 12 else ""
        if own:
            yield words.text(f"{status}_pcs", language), ", ".join(named) + more


def by_line(result: CampaignResult, evidence: Evidence, language: str) -> list[tuple[str, str, str, str]]:
    """Give line, participants and rates, and verdict of each source address or line.

    One line that carried everything is worth a word only in a failover: nothing comes out otherwise.
    """
    if len(result.by_line) < 2 and not evidence.run.failover:
        return []
    out = []
    for one in result.by_line:
        rates = {figures["direction"]: figures["ip_bps"] for figures in one["directions"]}
        name = evidence.lines.get(one["line"], one["line"])
        sources = ", ".join(source for source in one["sources"] if source != name)
        out.append(
            (
                f"{name} ({sources})" if sources else name,
                str(one["participants"]),
                f"{words.rate(rates.get('down'), language)} / {words.rate(rates.get('up'), language)}",
                words.word(words.VERDICTS, one["verdict"], language),
            )
        )
    return out
