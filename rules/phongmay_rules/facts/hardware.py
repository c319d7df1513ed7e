"""Facts about what a machine is: its newest hardware and disk rows go in, facts come out, each with its envelope."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

from phongmay_contract.units import GB
from phongmay_rules.facts.catalogue import Found, missing
from phongmay_rules.facts.sizes import marketed_disk, marketed_memory
from phongmay_rules.facts.snapshot import told_by
from phongmay_rules.facts.support import SupportTable
from phongmay_rules.reasons import Reason
from phongmay_store.register.timetable import LOCAL
from phongmay_store.series.interface import Row

_BITS_64 = frozenset({"x86_64", "amd64", "x64", "aarch64", "arm64", "ppc64le", "riscv64", "loongarch64"})
SUPPORT_STEP_DAYS = 30
"""Support that ends in more than 90 days is given in whole months of 30 days (rounded down), so that a healthy
machine does not write a new fact each day."""
SUPPORT_NEAR_DAYS = 90


def hardware_facts(row: Row | None, at: float, table: SupportTable) -> list[Found]:
    """Give memory, processor and operating-system facts."""
    if row is None:
        names = ("ram_marketed_bytes", "cpu_bits", "cpu_threads", "os_support_days_left")
        return [missing(name, Reason.NO_DATA, at) for name in names]
    sources = told_by(row.source)
    return [_memory(row, sources), _bits(row, sources), _threads(row, sources), _support(row, at, table, sources)]


def _memory(row: Row, sources: tuple[str, ...]) -> Found:
    usable, installed = row.values.get("memory_bytes"), row.values.get("memory_installed_bytes")
    # Firmware that tells less than the system uses is wrong; then the system's own figure stands.
    if isinstance(installed, int) and not (isinstance(usable, int) and installed < usable):
        detail = {"installed_bytes": installed} | _slots(row)
        return Found("ram_marketed_bytes", installed, row.at, None, sources, detail)
    if isinstance(usable, int):
        detail = {"usable_bytes": usable} | _slots(row)
        return Found("ram_marketed_bytes", marketed_memory(usable), row.at, None, sources, detail)
    return missing("ram_marketed_bytes", Reason.SIZE_NOT_TOLD, row.at, sources=sources)


def _slots(row: Row) -> dict[str, int]:
    """Give the slots of the board for whoever wants to add memory; nothing where firmware contradicts itself."""
    slots, used = row.values.get("memory_slots"), row.values.get("memory_slots_used")
    if isinstance(slots, int) and isinstance(used, int) and 0 < used <= slots:
        return {"slots": slots, "slots_used": used}
    return {}


def _bits(row: Row, sources: tuple[str, ...]) -> Found:
    bits, arch = row.values.get("cpu_bits"), str(row.values.get("cpu_arch", ""))
    if isinstance(bits, int):
        return Found("cpu_bits", bits, row.at, None, sources, {"arch": arch})
    if arch.casefold() in _BITS_64:
        return Found("cpu_bits", 64, row.at, None, sources, {"arch": arch})
    # A 32-bit system can run on a 64-bit processor, so i686 alone proves nothing.
    return missing("cpu_bits", Reason.WIDTH_NOT_TOLD, row.at, sources=sources, arch=arch)


def _threads(row: Row, sources: tuple[str, ...]) -> Found:
    threads = row.values.get("cpu_threads")
    if isinstance(threads, int):
        return Found("cpu_threads", threads, row.at, None, sources, {"model": str(row.values.get("cpu_model", ""))})
    return missing("cpu_threads", Reason.SIZE_NOT_TOLD, row.at, sources=sources)


def _support(row: Row, at: float, table: SupportTable, sources: tuple[str, ...]) -> Found:
    os_id, version = str(row.values.get("os_id", "")), str(row.values.get("os_version", ""))
    full = str(row.values.get("os_name", ""))
    return support_fact(os_id, version, full, table, at, row.at, sources)


def support_fact(
    os_id: str, version: str, full: str, table: SupportTable, at: float, known_at: float, sources: tuple[str, ...]
) -> Found:
    """Give the days of vendor support left.

    Args:
        os_id: product line, e.g. "windows".
        version: release, e.g. "10-22H2".
        full: full name, tells the edition.
        table: the table of support dates.
        at: time of the evaluation.
        known_at: true time when the system was seen.
        sources: where that is from.
    """
    name = "os_support_days_left"
    today = datetime.fromtimestamp(at, UTC).astimezone(LOCAL).date()
    detail = {"os_id": os_id, "os_version": version, "os_name": full}
    if today > table.valid_until:
        return missing(name, Reason.TABLE_EXPIRED, known_at, sources=sources, **detail)
    release = table.find(os_id, version, full)
    if release is None:
        return missing(name, Reason.NOT_IN_TABLE, known_at, sources=sources, **detail)
    detail |= {"ends": release.ends.isoformat(), "table": table.sources[release.source]}
    return Found(name, support_days(release.ends, today), known_at, None, sources, detail)


def support_days(ends: date, today: date) -> int:
    """Give the days left (negative: since when it is over); far ends are rounded down to whole steps."""
    days = (ends - today).days
    far = days > SUPPORT_NEAR_DAYS or days < -SUPPORT_NEAR_DAYS
    return days // SUPPORT_STEP_DAYS * SUPPORT_STEP_DAYS if far else days


def disk_facts(rows: Sequence[Row], at: float) -> list[Found]:
    """Give the size of the disk that the system starts from.

    Only the disks of the newest inventory count: a part that is not in it any more has been taken out. Of several
    system disks (a mirror) the smallest counts.
    """
    name = "system_disk_marketed_bytes"
    if not rows:
        return [missing(name, Reason.NO_DATA, at)]
    newest = max(row.at for row in rows)
    present = [row for row in rows if row.at == newest]
    sizes = [
        (size, row)
        for row in present
        if row.values.get("is_system") is True
        and row.values.get("is_removable") is not True
        and isinstance(size := row.values.get("size_bytes"), int)
    ]
    if not sizes:
        sources = tuple(sorted({str(row.source) for row in present}))
        return [missing(name, Reason.NO_SYSTEM_DISK, newest, sources=sources, disks=len(present))]
    size, row = min(sizes, key=lambda found: found[0])
    detail = {"size_bytes": size, "part": row.part, "disk_kind": str(row.values.get("disk_kind", "unknown"))}
    return [Found(name, marketed_disk(size), row.at, None, told_by(row.source), detail)]


FREE_STEP_BYTES = GB
FREE_STEPS = 100


def free_space_facts(row: Row | None, at: float) -> list[Found]:
    """Give the free space of the system volume, rounded down to whole GB and hundredths: it changes all the time."""
    names = ("system_volume_free_ratio", "system_volume_free_bytes")
    total, free = (row.values.get(f"system_volume_{what}bytes") if row else None for what in ("", "free_"))
    if row is None or not isinstance(total, int) or not isinstance(free, int) or total <= 0:
        return [missing(name, Reason.NO_DATA, at) for name in names]
    sources = told_by(row.source)
    return [
        Found(names[0], free * FREE_STEPS // total / FREE_STEPS, row.at, None, sources),
        Found(names[1], free // FREE_STEP_BYTES * FREE_STEP_BYTES, row.at, None, sources),
    ]
