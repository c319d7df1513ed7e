"""Facts from declarations: what was measured and what was declared are laid side by side; what differs is recorded.

A declaration stands in only where nothing can be measured: on a device without an agent, or where no probe exists.
Then the fact says so (source "declared"). Nothing can go wrong: what was not declared is missing for that reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime

from phongmay_rules.facts.catalogue import Found, Source, missing
from phongmay_rules.facts.hardware import support_days, support_fact
from phongmay_rules.facts.support import SupportTable
from phongmay_rules.places import Declaration, DevicePlace
from phongmay_rules.reasons import Reason
from phongmay_store.register.timetable import LOCAL

Declarations = Mapping[str, Declaration]
NOTHING: Declarations = {}
_TWINS: Mapping[str, str] = {
    "ram_marketed_bytes": "ram",
    "cpu_threads": "cpu_threads",
    "cpu_bits": "cpu_bits",
    "system_disk_marketed_bytes": "system_disk",
    "link_speed_bps": "link_speed",
}
"""Measured fact -> declared name."""
MEASURED_AS: Mapping[str, str] = {twin: fact for fact, twin in _TWINS.items()} | {
    "os": "os_support_days_left",
    "display": "has_display",
    "teacher_computer": "has_teacher_pc",
    "internet": "has_internet",
}
"""Declared name -> fact that may hold what was measured (or counted in the register) of the same thing."""
_SCREEN: Mapping[str, str] = {"screen_width_px": "screen_width", "screen_height_px": "screen_height"}
_RECORD = ("serial_number", "purchase_year")
"""Fields of a device's digital record that the register itself does not hold."""


def origin(declaration: Declaration) -> dict[str, str]:
    """Say who declared something, since when, and on what evidence."""
    since = datetime.fromtimestamp(declaration.since, UTC).isoformat(timespec="seconds")
    out = {"declared_by": declaration.by, "declared_since": since}
    return out | ({"attachment_sha256": declaration.attachment} if declaration.attachment else {})


def stated(name: str, declaration: Declaration | None, at: float) -> Found:
    """Give a fact that is only ever declared."""
    if declaration is None:
        return missing(name, Reason.NOT_DECLARED, at)
    return Found(name, declaration.value, at, None, (declaration.row,), origin(declaration), Source.DECLARED)


def side_by_side(found: Found, declaration: Declaration | None, at: float) -> Found:
    """Lay a declaration beside a measured fact.

    Args:
        found: what was measured, or why it was not.
        declaration: what was declared, or None.
        at: time of the evaluation.
    """
    if declaration is None:
        return found
    if found.missing is Reason.NO_AGENT:
        return stated(found.name, declaration, at)
    beside = {"declared": declaration.value, **origin(declaration)}
    if found.value is not None:
        beside["disagrees"] = declaration.value != found.value
    return replace(found, detail={**found.detail, **beside})


def with_declared(
    device: DevicePlace,
    measured: list[Found],
    declared: Declarations,
    table: SupportTable,
    at: float,
    of_school: Declarations = NOTHING,
) -> list[Found]:
    """Give all facts of a device: measured ones beside their declarations, then those that are only declared.

    Args:
        device: the device.
        measured: its measured facts.
        declared: what was declared about it.
        table: the table of support dates.
        at: time of the evaluation.
        of_school: what was declared about its school.
    """
    out: list[Found] = []
    if not declared and "esu_until_school" not in of_school:  # nothing to lay beside anything
        out, measured = measured, []
    for found in measured:
        if found.name == "os_support_days_left":
            system = declared.get("os")
            known = found if system is None else _system(found, system, table, at)
            out.append(_extended(known, declared.get("esu_until", of_school.get("esu_until_school")), table, at))
        else:
            out.append(side_by_side(found, declared.get(_TWINS.get(found.name, "")), at))
    out += [stated(name, declared.get(twin), at) for name, twin in _SCREEN.items()]
    absent = ["room"] if device.room_id is None else []
    absent += [name for name in _RECORD if name not in declared]
    sources = (device.row, *(declared[name].row for name in _RECORD if name in declared))
    return [*out, Found("record_fields_missing", len(absent), at, None, sources, {"missing": absent})]


def _extended(found: Found, declaration: Declaration | None, table: SupportTable, at: float) -> Found:
    """Lengthen the support of a machine with extended updates: to the declared day, at most to the maker's own."""
    detail = found.detail
    if declaration is None or found.value is None:
        return found
    release = table.find(detail["os_id"], detail["os_version"], detail["os_name"])
    if release is None or release.extended_ends is None:
        return found
    ends = min(date.fromisoformat(str(declaration.value)), release.extended_ends)
    if ends <= release.ends:
        return found
    more = {
        "ends": ends.isoformat(), "table": table.sources[release.extended_source],
        "extended": declaration.value, "extended_by": declaration.by,
    }  # fmt: skip
    today = datetime.fromtimestamp(at, UTC).astimezone(LOCAL).date()
    sources = (*found.sources, declaration.row)
    return replace(found, value=support_days(ends, today), sources=sources, detail={**detail, **more})


def _system(found: Found, declaration: Declaration, table: SupportTable, at: float) -> Found:
    """Compare operating systems, not days of support; a declared one is "windows 10-22H2"."""
    name, _, version = str(declaration.value).partition(" ")
    if found.missing is Reason.NO_AGENT:
        support = support_fact(name, version, str(declaration.value), table, at, at, (declaration.row,))
        return replace(support, source=Source.DECLARED, detail={**support.detail, **origin(declaration)})
    seen = f"{found.detail.get('os_id', '')} {found.detail.get('os_version', '')}"
    beside = {"declared": declaration.value, **origin(declaration)}
    if "os_id" in found.detail:
        beside["disagrees"] = seen.casefold() != str(declaration.value).casefold()
    return replace(found, detail={**found.detail, **beside})
