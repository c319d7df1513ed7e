"""Writes the parts of the documents that are taken from the code: `python docs/generate.py` (or `--check`).

In: the Markdown files of this repository, in which a generated part stands between `<!-- generated: NAME -->` and
`<!-- end -->`. Out: the same files with these parts made anew. With `--check` nothing is written and the exit code is
1 when a part differs. A name that no function here makes is an error, so a part cannot silently go stale.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
import sys
import typing
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Boolean, Float, Integer, String, Table

from phongmay.main import build_parser as server_parser
from phongmay.metrics import METRICS
from phongmay.settings import ServerSettings
from phongmay_agent.main import build_parser as agent_parser
from phongmay_agent.settings import AgentSettings
from phongmay_contract.catalogue import MEASUREMENTS, Quantity
from phongmay_contract.topics import DOWN_KINDS, ENVELOPE_KINDS, ROOT, Kind
from phongmay_dashboards.status_series import STATUS
from phongmay_rules.facts.catalogue import BEHIND, FACTS, SPANS
from phongmay_rules.loader import load_packs
from phongmay_rules.model import NumberFrom
from phongmay_rules.settings import RulesSettings
from phongmay_store.register.base import Base, UtcDateTime, Versioned
from phongmay_store.register.declared import DECLARABLE
from phongmay_store.register.importing_columns import SHEETS

ROOT_FOLDER = Path(__file__).resolve().parent.parent
_PART = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_TYPES = ((UtcDateTime, "time (UTC)"), (JSON, "JSON"), (Boolean, "yes/no"), (Integer, "integer"), (Float, "number"),
          (String, "text"))  # fmt: skip


def _table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    head = list(header)
    cells = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    lines = ["| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *cells]]
    return "\n".join(lines) + "\n"


def _number(value: float | None) -> str:
    """Print 16 and 17179869184 in full, 10**15 and 2**63 short."""
    return "any" if value is None else str(value) if abs(value) < 10**12 else f"{value:.4g}"


def topics() -> str:
    """Every topic with its direction and whether its messages get a receipt."""
    about = {
        Kind.STATUS: "birth, clean goodbye or last will; the only retained kind",
        Kind.ROUND: "one round of measurements",
        Kind.INVENTORY: "the hardware record, on change and once a day",
        Kind.EVENT: "something that happened once",
        Kind.CAMPAIGN: "a participant's result of a concurrent bandwidth test",
        Kind.BACKFILL: "envelopes of the past, up to 60 in one message",
        Kind.COMMAND: "an order to the device",
        Kind.RECEIPT: "which envelopes are stored: only then the agent forgets them",
    }
    rows = [
        (
            f"`{ROOT}/<device>/{kind}`",
            "to the device" if kind in DOWN_KINDS else "from the device",
            "yes" if kind in ENVELOPE_KINDS else "its envelopes" if kind is Kind.BACKFILL else "no",
            about[kind],
        )
        for kind in Kind
    ]
    return _table(("topic", "direction", "receipt", "what it carries"), rows)


def _range(quantity: Quantity) -> str:
    if quantity.low is None and quantity.high is None:
        return ""
    return f"{_number(quantity.low)} to {_number(quantity.high)}"


def measurements() -> str:
    """Every measurement with its quantities."""
    pieces = []
    for measurement in MEASUREMENTS.values():
        part = f" Has a part: one row for each {measurement.part_kind}." if measurement.part_kind else ""
        rows = [
            (f"`{q.name}`", q.unit, q.type, q.meaning, _range(q), "yes" if q.required else "", q.about)
            for q in measurement.quantities
        ]
        head = f"### `{measurement.name}`\n\n{measurement.about} Taken each {measurement.cadence}.{part}\n\n"
        head = head.replace("each change", "on change and once a day").replace("each event", "when it happens")
        pieces.append(head + _table(("quantity", "unit", "type", "meaning", "range", "required", "about"), rows))
    return "\n".join(pieces)


def _column_type(column: Any) -> str:
    return next((word for kind, word in _TYPES if isinstance(column.type, kind)), str(column.type))


def register_tables() -> str:
    """Every table of the register with its columns."""
    pieces = []
    for mapper in sorted(Base.registry.mappers, key=lambda mapper: (mapper.class_.__module__, str(mapper.local_table))):
        table = typing.cast(Table, mapper.local_table)
        history = " Has history: one row a version." if issubclass(mapper.class_, Versioned) else ""
        about = (mapper.class_.__doc__ or "").splitlines()[0]
        rows = [
            (f"`{column.name}`", _column_type(column), "yes" if column.nullable else "",
             "key" if column.primary_key else "index" if column.index or column.unique else "")
            for column in table.columns
        ]  # fmt: skip
        pieces.append(
            f"### `{table.name}`\n\n{about}{history}\n\n" + _table(("column", "type", "may be empty", ""), rows)
        )
    return "\n".join(pieces)


def import_columns() -> str:
    """Every column of the import files."""
    rows = [
        (kind.name, f"`{c.name}`", c.alias, "yes" if c.required else "", c.about, c.expected, f"`{c.example}`")
        for kind in SHEETS
        for c in kind.columns
    ]
    return _table(("sheet", "column", "cột", "required", "meaning", "expected", "example"), rows)


def _default(value: Any) -> str:
    """Print a default as TOML would hold it."""
    if value is dataclasses.MISSING:
        return "(required)"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list):
        return ", ".join(f"`{item}`" for item in value) or "(empty)"
    return "(empty)" if value == "" else f"`{value}`"


def _settings(kind: type[Any], prefix: str = "") -> Iterator[tuple[str, str, str, str]]:
    types = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        if dataclasses.is_dataclass(types[field.name]):
            yield from _settings(typing.cast(type[Any], types[field.name]), f"{prefix}{field.name}.")
            continue
        default: Any = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        rules = field.metadata
        limits = [
            f"{word} {_number(rules[key])}"
            for key, word in (("low", "at least"), ("high", "at most"))
            if rules[key] is not None
        ]
        limits += ["one of " + ", ".join(rules["choices"])] if rules["choices"] else []
        yield f"`{prefix}{field.name}`", _default(default), "; ".join(limits), rules["about"]


def server_settings() -> str:
    """Every key of phongmay.toml."""
    return _table(("key", "default", "limits", "about"), _settings(ServerSettings))


def agent_settings() -> str:
    """Every key of the agent's file."""
    return _table(("key", "default", "limits", "about"), _settings(AgentSettings))


def _help(action: argparse.Action) -> str:
    """Give an argument's help as the console prints it; its default stands in a column of its own."""
    about = (action.help or "").replace(" (default: %(default)s)", "").replace(" (default: %(default)g)", "")
    return about.replace(" (%(default)s)", "").replace("%%", "%")


def _commands(parser: argparse.ArgumentParser, path: str, about: str, level: int = 3) -> Iterator[str]:
    rows: list[tuple[str, str, str]] = []
    below: list[tuple[str, argparse.ArgumentParser, str]] = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
            below += [(name, sub, helps.get(name, "")) for name, sub in action.choices.items()]
        elif not isinstance(action, argparse._HelpAction):
            name = ", ".join(action.option_strings) or str(action.metavar or action.dest)
            if action.option_strings and action.nargs != 0:
                name += f" {action.metavar or action.dest.upper()}"
            default = "" if action.default in (None, False, "", argparse.SUPPRESS, []) else f"`{action.default}`"
            default = "(required)" if action.option_strings and action.required else default
            rows.append((f"`{name}`", default, _help(action)))
    text = f"{'#' * level} `{path}`\n\n{about[:1].upper()}{about[1:]}.\n".replace("..", ".")
    yield text + ("\n" + _table(("argument", "default", "about"), rows) if rows else "")
    for name, sub, sub_about in sorted(below, key=lambda item: item[0]):
        yield from _commands(sub, f"{path} {name}", sub_about, level + 1)


def server_commands() -> str:
    """Every verb of `phongmay`."""
    parser = server_parser()
    return "\n".join(_commands(parser, "phongmay", parser.description or ""))


def agent_commands() -> str:
    """Every verb of `phongmay-agent`."""
    parser = agent_parser()
    return "\n".join(_commands(parser, "phongmay-agent", parser.description or ""))


def _origins() -> tuple[dict[NumberFrom, int], int, int]:
    """Count parameters by whose figure they are, rules that rest on a district setting, and all rules."""
    pack = load_packs(RulesSettings().packs)
    parameters = Counter(parameter.number_from for parameter in pack.standard.parameters.values())
    ours = [
        rule
        for rule in pack.rules.values()
        if NumberFrom.DISTRICT_SETTING in (rule.number_from, *pack.inherited.get(rule.id, ()))
    ]
    return parameters, len(ours), len(pack.rules)


def thresholds_en() -> str:
    """How many numbers are nobody's but the district's, in English."""
    counts, resting, rules = _origins()
    ours = counts.pop(NumberFrom.DISTRICT_SETTING, 0)
    others = "".join(f"; {count} come from {origin}" for origin, count in sorted(counts.items()))
    return (
        f"**{ours} of the {ours + sum(counts.values())} parameters** of the rule pack are district settings{others}. "
        f"{resting} of its {rules} rules rest on at least one district setting.\n"
    )


def thresholds_vi() -> str:
    """The same in Vietnamese."""
    words = {
        NumberFrom.LAW: "văn bản pháp luật",
        NumberFrom.PLAN: "kế hoạch của quận",
        NumberFrom.GUIDANCE: "văn bản hướng dẫn",
        NumberFrom.VENDOR: "công bố của nhà sản xuất",
    }
    counts, resting, rules = _origins()
    ours = counts.pop(NumberFrom.DISTRICT_SETTING, 0)
    others = "".join(f"; {count} tham số theo {words[origin]}" for origin, count in sorted(counts.items()))
    return (
        f"**{ours} trong {ours + sum(counts.values())} tham số** của bộ tiêu chí là mức do quận đặt{others}. "
        f"{resting} trong {rules} tiêu chí dựa vào ít nhất một mức do quận đặt.\n"
    )


def packs() -> str:
    """Every active pack: version, how many rules."""
    pack = load_packs(RulesSettings().packs)
    rows = []
    for name, stamp in pack.stamps.items():
        rules = [rule for rule, owner in pack.owners.items() if owner == name]
        off = sum(rule not in pack.active for rule in rules)
        rows.append((f"`{name}`", stamp.version, len(rules), off, stamp.title.en))
    return _table(["pack", "version", "rules", "of them switched off", "what it is"], rows)


def rule_table() -> str:
    """Every rule: what it judges, who demands it, whose figure it is, since when."""
    pack = load_packs(RulesSettings().packs)
    rows = []
    for rule in sorted(pack.rules.values(), key=lambda rule: rule.id):
        document = pack.standard.documents.get(rule.duty)
        until = f"{rule.valid_from} to {rule.valid_to}" if rule.valid_to else f"from {rule.valid_from}"
        measured = all(FACTS[fact].measurable for fact in rule.facts())
        rows.append(
            (
                rule.id + ("" if rule.id in pack.active else " (off)"), rule.title.en, pack.owners[rule.id],
                document.number.split(" (")[0] or rule.duty if document else "nobody",
                ", ".join(dict.fromkeys([rule.number_from.value, *pack.inherited[rule.id]])), until,
                "" if measured else "not yet",
            )
        )  # fmt: skip
    return _table(["rule", "judges", "pack", "demanded by", "figures from", "in force", "measured"], rows)


def facts() -> str:
    """Every fact: unit, subject, source, window, freshness, coverage."""
    rows = (
        (f"`{kind.name}`", kind.unit, kind.subject, kind.source if kind.measurable else "not measured yet",
         SPANS[kind.window][1], "each run" if kind.freshness_s is None else f"{kind.freshness_s / 86400:g} d",
         f"{kind.coverage.least:.0%} of {BEHIND[kind.coverage.of][1]}" if kind.coverage else "", kind.en)
        for kind in FACTS.values()
    )  # fmt: skip
    return _table(["fact", "unit", "about", "source", "window", "freshness", "coverage", "meaning"], rows)


def declarable() -> str:
    """Everything that a school may declare."""
    rows = (
        (f"`{kind.name}`", kind.subject, kind.unit or "number",
         "" if kind.is_text or kind.unit == "yes/no" else f"{kind.low:g} to {kind.high:g}")
        for kind in DECLARABLE.values()
    )  # fmt: skip
    return _table(["item", "about", "unit", "believed"], rows)


def metrics() -> str:
    """Every figure on /metrics: who gives it, whether it only grows, what tells its series apart."""
    rows = (
        (f"`{metric.exposed}`", metric.process, "counter" if metric.counter else "gauge",
         f"`{metric.label}`" if metric.label else "", metric.about)
        for metric in METRICS.values()
    )  # fmt: skip
    return _table(("figure", "process", "type", "label", "what it says"), rows)


def status_series() -> str:
    """Every status series that the boards show: tags, fields, units."""
    pieces = []
    for kind in STATUS.values():
        tags = ", ".join(f"`{tag}`" for tag in kind.tags) or "none"
        rows = [(f"`{field.name}`", field.unit, field.type, field.about) for field in kind.fields]
        pieces.append(
            f"### `{kind.name}`\n\n{kind.about} Tags: {tags}.\n\n" + _table(("field", "unit", "type", "about"), rows)
        )
    return "\n".join(pieces)


PARTS: dict[str, Callable[[], str]] = {
    "topics": topics,
    "measurements": measurements,
    "register-tables": register_tables,
    "import-columns": import_columns,
    "server-settings": server_settings,
    "agent-settings": agent_settings,
    "server-commands": server_commands,
    "agent-commands": agent_commands,
    "packs": packs,
    "rules": rule_table,
    "facts": facts,
    "declarable": declarable,
    "status-series": status_series,
    "metrics": metrics,
    "thresholds-en": thresholds_en,
    "thresholds-vi": thresholds_vi,
}
"""What may stand behind `generated:`."""


def renew(text: str) -> str:
    """Make every generated part of a document anew."""
    return _PART.sub(lambda match: f"{match[1]}\n{PARTS[match[2]]()}\n{match[3]}", text)


def main() -> int:
    """Write or check every document."""
    check = sys.argv[1:] == ["--check"]
    stale = []
    for path in sorted([*ROOT_FOLDER.glob("*.md"), *ROOT_FOLDER.glob("docs/**/*.md")]):
        text = path.read_text("utf-8")
        renewed = renew(text)
        if renewed != text:
            stale.append(str(path.relative_to(ROOT_FOLDER)))
            if not check:
                path.write_text(renewed, "utf-8")
    for name in stale:
        print(f"{name}: {'differs from the code; run: python docs/generate.py' if check else 'written'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
