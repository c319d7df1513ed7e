"""What may be done to one device: packages, memory slots, needs, and that nothing senseless is offered."""

from __future__ import annotations

from datetime import UTC, datetime

from phongmay_contract.units import GB, GIB
from phongmay_rules.facts.records import FactValue
from phongmay_rules.gaps.options import Bench, Option, device_options, line_options, new_pc, part_options
from phongmay_rules.gaps.prices import ItemKind, read_prices
from phongmay_rules.judging import Subject
from phongmay_rules.loader import load_pack
from phongmay_rules.parameters import with_overrides

PACK = load_pack("tanbinh-2023")
PRICES = read_prices()
PRICE = {item.id: item.price_vnd for item in PRICES.item}
NOW = datetime(2026, 11, 23, 3, tzinfo=UTC)
PC = Subject("device", "d", "s", "pc", "thcs")
SLOTS = {"slots": 2, "slots_used": 1}


def bench(**settings: float) -> Bench:
    """Make a bench with some parameters set."""
    return Bench(PACK, PACK.rules, with_overrides(PACK, settings, "quan"), NOW.timestamp(), NOW.date())


def facts(detail: dict[str, int] | None = None, **values: float | None) -> dict[str, FactValue]:
    """Make facts of a device; None = asked for and not known."""
    out = {
        name: FactValue(1, name, value, "" if value is not None else "no_data", NOW.timestamp())
        for name, value in values.items()
    }
    memory = values.get("ram_marketed_bytes")
    if memory is not None:
        out["ram_marketed_bytes"] = FactValue(
            1, "ram_marketed_bytes", memory, "", NOW.timestamp(), "measured", (), detail or {}
        )
    return out


def offers(
    found: dict[str, FactValue], *rules: str, **settings: float
) -> dict[tuple[tuple[str, int, str], ...], set[str]]:
    """Give what is offered: lines -> rules that it mends."""
    targets = [("device", "d", rule) for rule in rules]
    options: list[Option] = device_options(bench(**settings), PRICES, PC, found, targets)
    return {
        tuple((line.item.id, line.count, line.note) for line in option.lines): {target[2] for target in option.fixes}
        for option in options
    }


def test_a_free_slot_takes_the_cheapest_module() -> None:
    """2 GB in one of two slots: one more module of 4 GB, and nothing dearer."""
    assert offers(facts(SLOTS, ram_marketed_bytes=2 * GIB), "TB-01") == {(("ram-4", 1, ""),): {"TB-01"}}


def test_a_module_is_added_to_what_is_there() -> None:
    """4 + 4 GB meet a demand of 8 GB where a slot is free; where none is, one of 8 GB is no more than two of 4."""
    free, full = {"slots": 2, "slots_used": 1}, {"slots": 1, "slots_used": 1}
    assert list(offers(facts(free, ram_marketed_bytes=4 * GIB), "TB-01", ram_min=8 * GIB)) == [(("ram-4", 1, ""),)]
    assert list(offers(facts(full, ram_marketed_bytes=4 * GIB), "TB-01", ram_min=8 * GIB)) == [
        (("ram-8", 1, "replaces"),)
    ]


def test_unknown_slots_are_said_and_priced_as_replacement() -> None:
    """Nobody knows of a free slot, so one larger module takes the place of all, and the line says why."""
    found = offers(facts(ram_marketed_bytes=2 * GIB), "TB-01", ram_min=8 * GIB)
    assert found == {(("ram-8", 1, "slots_unknown"),): {"TB-01"}}


def test_more_memory_than_modules_give_needs_a_pc() -> None:
    """Two slots take 32 GB at most, and the PC of the price file has 8 GB: no offer."""
    assert offers(facts(SLOTS, ram_marketed_bytes=2 * GIB), "TB-01", ram_min=64 * GIB) == {}


def test_a_system_is_offered_only_where_the_hardware_is_known_to_take_it() -> None:
    """A licence alone for a good machine, with memory for a short one, a new PC where the processor is not known."""
    good = facts(SLOTS, ram_marketed_bytes=8 * GIB, system_disk_marketed_bytes=240 * GB, cpu_bits=64, cpu_threads=4,
                 os_support_days_left=-30)  # fmt: skip
    assert offers(good, "TB-05") == {(("os-licence", 1, ""),): {"TB-05"}}
    short = good | facts(SLOTS, ram_marketed_bytes=2 * GIB)
    assert offers(short, "TB-01", "TB-05") == {
        (("ram-4", 1, ""),): {"TB-01"},
        (("ram-4", 1, ""), ("os-licence", 1, "")): {"TB-01", "TB-05"},
    }
    assert offers(good | facts(cpu_bits=None), "TB-05") == {(("pc", 1, ""),): {"TB-05"}}


def test_a_pc_mends_everything_at_once() -> None:
    """Old processor, little memory, old system: parts for two of them, and one PC for all three."""
    bad = facts(SLOTS, ram_marketed_bytes=2 * GIB, system_disk_marketed_bytes=240 * GB, cpu_bits=32, cpu_threads=2,
                os_support_days_left=-30)  # fmt: skip
    assert offers(bad, "TB-01", "TB-02", "TB-05") == {
        (("ram-4", 1, ""),): {"TB-01"},
        (("pc", 1, ""),): {"TB-01", "TB-02", "TB-05"},
    }


SCHOOL = Subject("school", "s", "s", "", "thcs")


def lines(*rules: str, **values: float | None) -> dict[str, set[str]]:
    """Give the lines that are offered to a school: item -> rules that it mends."""
    targets = [("school", "s", rule) for rule in rules]
    found = line_options(bench(), PRICES, SCHOOL, facts(**values), targets)
    return {option.lines[0].item.id: {target[2] for target in option.fixes} for option in found}


def test_a_faster_line_for_a_red_rate() -> None:
    """15 Mbit/s for 600 pupils: the cheapest step that mends the rule; what is for each pupil grows with the rate."""
    measured = {"download_p50_bps": 15e6, "download_per_student_bps": 25e3}
    assert lines("TR-06", **measured) == {"line-300": {"TR-06"}}
    assert lines("TR-06", "TR-06b", **measured | {"download_per_student_bps": 2e4}) == {
        "line-300": {"TR-06"}, "line-1000": {"TR-06", "TR-06b"},
    }  # fmt: skip
    assert lines("TR-06", **measured | {"download_per_student_bps": 1.0}) == {}, "no step is fast enough"


def test_no_line_where_a_rate_is_unknown_or_the_provider_owes_it() -> None:
    """Nothing is bought for what nobody measured, nor because a provider delivers less than its contract."""
    assert lines("TR-06", download_p50_bps=None, download_per_student_bps=25e3) == {}
    assert lines("TR-06", download_per_student_bps=25e3) == {}
    assert lines("TR-06", download_p50_bps=15e6, download_per_student_bps=None) == {}
    assert lines("TR-08", "TR-09", download_p50_bps=15e6, download_contract_ratio=0.5, upload_contract_ratio=0.5) == {}


def test_a_room_gets_a_faster_uplink() -> None:
    """A slow uplink that is not busy takes the cheaper switch; one that is busy as well takes the faster."""
    room, target = Subject("room", "r", "s", "computer_room", "thcs"), [("room", "r", "PH-07")]

    def bought(busy: float | None) -> list[str]:
        own = facts(uplink_speed_bps=100e6, uplink_busy_p95_ratio=busy)
        found = part_options(bench(), PRICES.of(ItemKind.ROOM_PART), room, own, target)
        return [line.item.id for option in found for line in option.lines]

    assert bought(0.2) == ["uplink-1g"]
    assert bought(0.99) == ["uplink-10g"]
    assert bought(None) == []


def test_a_new_pc_must_meet_the_rules() -> None:
    """No PC of the price file is bought that would itself be red."""
    school = Subject("school", "s", "s", "", "thcs")
    found = new_pc(bench(), PRICES, school)
    assert found is not None
    assert found.id == "pc"
    assert new_pc(bench(ram_min=16 * GIB), PRICES, school) is None
