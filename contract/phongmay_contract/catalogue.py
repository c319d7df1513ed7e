"""The one table of everything that is measured: agent, collector, store, rules and docs all read it.

A measurement is a named group of quantities taken together (a row in the store); a quantity has one unit, one type
for ever and one physical range. Field types never change; a new meaning gets a new name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from phongmay_contract.units import Unit

MAX_PARTS = 16
"""Parts of one measurement that one device may report: bounds the number of series."""
MAX_TEXT = 200
"""Characters of a text value."""

Value = int | float | bool | str


class Type(StrEnum):
    """Type of a value on the wire and in the store."""

    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    TEXT = "text"


class Meaning(StrEnum):
    """How a value behaves in time."""

    GAUGE = "gauge"
    COUNTER = "counter"
    """Only grows until a restart."""
    LABEL = "label"
    """Describes; seldom changes."""


class PartKind(StrEnum):
    """What a measurement's `part` names, if it has one."""

    NONE = ""
    DISK = "disk"
    INTERFACE = "interface"
    TARGET = "target"
    PROBE = "probe"
    SPAN = "span"
    """down-0, down-1, ..., up-0, ...: direction and 2 s of a series."""


class Cadence(StrEnum):
    """When a measurement is taken."""

    ROUND = "round"
    CHANGE = "change"
    """When it differs from the last one sent, and once a day."""
    CAMPAIGN = "campaign"
    EVENT = "event"


@dataclass(frozen=True, slots=True)
class Quantity:
    """One value of a measurement.

    Attributes:
        name: name inside its measurement.
        unit: base unit.
        type: wire and store type.
        about: one English sentence for docs/data-model.md.
        meaning: gauge, counter or label.
        low: least physically possible value, or None.
        high: greatest physically possible value, or None.
        required: a group without it is refused.
    """

    name: str
    unit: Unit
    type: Type
    about: str
    meaning: Meaning = Meaning.GAUGE
    low: float | None = None
    high: float | None = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class Measurement:
    """A group of quantities taken at one instant of one subject (and part)."""

    name: str
    about: str
    cadence: Cadence
    quantities: tuple[Quantity, ...]
    part_kind: PartKind = PartKind.NONE
    by_name: dict[str, Quantity] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {quantity.name: quantity for quantity in self.quantities})


def _text(name: str, about: str, *, required: bool = False) -> Quantity:
    return Quantity(name, Unit.NONE, Type.TEXT, about, Meaning.LABEL, required=required)


def _flag(name: str, about: str, *, required: bool = False) -> Quantity:
    return Quantity(name, Unit.NONE, Type.BOOL, about, required=required)


def _count(name: str, about: str, high: float, *, unit: Unit = Unit.COUNT, low: float = 0) -> Quantity:
    return Quantity(name, unit, Type.INT, about, low=low, high=high)


def _counter(name: str, about: str, unit: Unit = Unit.BYTE) -> Quantity:
    return Quantity(name, unit, Type.INT, about, Meaning.COUNTER, low=0, high=2**63 - 1)


def _gauge(name: str, unit: Unit, about: str, low: float, high: float) -> Quantity:
    return Quantity(name, unit, Type.FLOAT, about, low=low, high=high)


_PB = 10**15
_TBIT = 10**12
_CENTURY = 100 * 366 * 86400

HARDWARE = Measurement(
    "hardware",
    "What the machine is: processor, memory, board, firmware and operating system.",
    Cadence.CHANGE,
    (
        _text("cpu_model", "Processor name as the system gives it."),
        _text(
            "cpu_arch",
            "Architecture of the processor in the system's words (x86_64, AMD64, aarch64, i686 ...).",
        ),
        _count(
            "cpu_bits",
            "Width of the processor's registers, also under a 32-bit system.",
            128,
            unit=Unit.BIT,
            low=8,
        ),
        _count("cpu_cores", "Physical cores.", 4096, low=1),
        _count("cpu_threads", "Logical processors (hardware threads).", 8192, low=1),
        _count(
            "memory_bytes",
            "Memory that the system can use; less than what is marketed.",
            _PB,
            unit=Unit.BYTE,
            low=1,
        ),
        _count(
            "memory_installed_bytes",
            "Sum of the memory modules, where firmware tells it.",
            _PB,
            unit=Unit.BYTE,
            low=1,
        ),
        _count("memory_slots", "Memory slots of the board.", 256),
        _count("memory_slots_used", "Memory slots that hold a module.", 256),
        _text("machine_vendor", "Maker of the machine."),
        _text("machine_model", "Model of the machine."),
        _text("board_vendor", "Maker of the main board."),
        _text("board_model", "Model of the main board."),
        _text("firmware_vendor", "Maker of the BIOS/UEFI."),
        _text("firmware_version", "Version of the BIOS/UEFI."),
        _text("firmware_date", "Date of the BIOS/UEFI, ISO 8601."),
        _text("os_family", "linux, windows or darwin."),
        _text("os_id", "Product line: debian, ubuntu, windows, windows-server ...", required=True),
        _text("os_version", "Release that decides the support date: 12, 24.04, 10-22H2, 11-24H2 ..."),
        _text("os_name", "Full name for a person."),
        _text("os_build", "Kernel or build number."),
        _text("fingerprint", "Salted hash over several hardware ids; junk ids left out."),
    ),
)

DISK = Measurement(
    "disk",
    "A physical disk (not a partition).",
    Cadence.CHANGE,
    (
        Quantity("size_bytes", Unit.BYTE, Type.INT, "Capacity of the whole disk.", low=1, high=_PB, required=True),
        _text("disk_kind", "ssd, hdd or unknown."),
        _text("bus", "nvme, sata, usb, virtual ..."),
        _text("model", "Model of the disk."),
        _flag("is_system", "The operating system starts from this disk."),
        _flag("is_removable", "A USB stick or card."),
    ),
    PartKind.DISK,
)

USAGE = Measurement(
    "usage",
    "How much of processor, memory and disk is in use.",
    Cadence.ROUND,
    (
        _gauge("cpu_busy_ratio", Unit.RATIO, "Share of processor time in use since the last round.", 0, 1),
        _count("memory_available_bytes", "Memory that programs can still get.", _PB, unit=Unit.BYTE),
        _count("memory_used_bytes", "Memory in use.", _PB, unit=Unit.BYTE),
        _count("swap_used_bytes", "Swap in use.", _PB, unit=Unit.BYTE),
        _count("system_volume_bytes", "Size of the volume that holds the system.", _PB, unit=Unit.BYTE, low=1),
        _count("system_volume_free_bytes", "Free space on that volume.", _PB, unit=Unit.BYTE),
        _counter("disk_read_bytes", "Bytes read from all disks since start."),
        _counter("disk_written_bytes", "Bytes written to all disks since start."),
    ),
)

LINK = Measurement(
    "link",
    "State of a network interface. A speed that the system does not know is left out, never sent as 0.",
    Cadence.ROUND,
    (
        _flag("is_up", "The interface has a link.", required=True),
        _count("speed_bps", "Negotiated speed.", _TBIT, unit=Unit.BIT_PER_SECOND, low=1),
        _text("duplex", "full, half or unknown."),
        _text("medium", "wired, wireless or unknown."),
        _flag("is_default_route", "The way to the Internet leads through this interface."),
        _text("hardware_address", "Address of a wired card, for Wake-on-LAN; only where the agent may tell it."),
    ),
    PartKind.INTERFACE,
)

TRAFFIC = Measurement(
    "traffic",
    "Counters of a network interface. Bytes and packets only; never addresses or names.",
    Cadence.ROUND,
    (
        _counter("received_bytes", "Bytes received since start."),
        _counter("sent_bytes", "Bytes sent since start."),
        _counter("received_packets", "Packets received since start.", Unit.COUNT),
        _counter("sent_packets", "Packets sent since start.", Unit.COUNT),
        _counter("receive_errors", "Faulty packets received since start.", Unit.COUNT),
        _counter("send_errors", "Packets that could not be sent since start.", Unit.COUNT),
        _counter("receive_drops", "Packets dropped on receiving since start.", Unit.COUNT),
    ),
    PartKind.INTERFACE,
)

REACH = Measurement(
    "reach",
    "Whether a target answers: gateway, dns, district (this system's server) or internet.",
    Cadence.ROUND,
    (
        _flag("ok", "The target answered in time.", required=True),
        _gauge("took_s", Unit.SECOND, "Time until the answer.", 0, 3600),
        _text("method", "How it was asked: tcp, http or dns."),
        _text("error", "Why it failed: timeout, refused, unreachable, no_route, status_NNN ..."),
    ),
    PartKind.TARGET,
)

AGENT = Measurement(
    "agent",
    "The machine's and the agent's own state.",
    Cadence.ROUND,
    (
        _gauge("uptime_s", Unit.SECOND, "Time since the machine started.", 0, _CENTURY),
        _gauge("agent_uptime_s", Unit.SECOND, "Time since the agent started.", 0, _CENTURY),
        _gauge("interval_s", Unit.SECOND, "Time between rounds that the agent keeps to.", 0.1, 86400),
        _count("spool_envelopes", "Envelopes on disk without a receipt.", 10**9),
        _count("spool_bytes", "Size of these.", _PB, unit=Unit.BYTE),
        _count("spool_dropped", "Envelopes lost because the spool was full, since it was made.", 10**12),
    ),
)

PROBE = Measurement(
    "probe",
    "How a probe itself fared in this round.",
    Cadence.ROUND,
    (
        _flag("ok", "The probe gave its measurements.", required=True),
        _gauge("took_s", Unit.SECOND, "Time it took.", 0, 3600),
        _text("error", "Class of the failure and a short reason, without personal data."),
    ),
    PartKind.PROBE,
)

ROUTER = Measurement(
    "router",
    "An interface of a router, as a gateway of the school sees it.",
    Cadence.ROUND,
    (
        _gauge("uptime_s", Unit.SECOND, "Time since the router started.", 0, _CENTURY),
        _flag("is_up", "The interface has a link."),
        _count("speed_bps", "Speed of the interface.", _TBIT, unit=Unit.BIT_PER_SECOND, low=1),
        _counter("received_bytes", "Bytes that came in (ifHCInOctets)."),
        _counter("sent_bytes", "Bytes that went out (ifHCOutOctets)."),
        _counter("discontinuity_s", "Router time of the last counter reset.", Unit.SECOND),
    ),
    PartKind.INTERFACE,
)

CAMPAIGN = Measurement(
    "campaign",
    "One participant's result of a concurrent bandwidth test.",
    Cadence.CAMPAIGN,
    (
        _text("campaign_run", "Which run it belongs to.", required=True),
        _text("test_kind", "floor or capacity."),
        _text("outcome", "ok, absent, late, busy (with other things), aborted or error.", required=True),
        _text("reason", "Why, when the outcome is not ok."),
        _gauge("clock_offset_s", Unit.SECOND, "How far the participant's clock was off.", -_CENTURY, _CENTURY),
        _gauge("clock_rtt_s", Unit.SECOND, "Round trip of the exchange that gave the offset.", 0, 3600),
        _gauge("start_error_s", Unit.SECOND, "Actual start less ordered start.", -3600, 3600),
        _gauge("down_bps", Unit.BIT_PER_SECOND, "Goodput downwards in the window.", 0, _TBIT),
        _gauge("up_bps", Unit.BIT_PER_SECOND, "Goodput upwards in the window.", 0, _TBIT),
        _gauge("idle_rtt_p50_s", Unit.SECOND, "Median latency without load.", 0, 3600),
        _gauge("idle_rtt_p95_s", Unit.SECOND, "95th percentile of latency without load.", 0, 3600),
        _gauge("loaded_rtt_p50_s", Unit.SECOND, "Median latency under load.", 0, 3600),
        _gauge("loaded_rtt_p95_s", Unit.SECOND, "95th percentile of latency under load.", 0, 3600),
        _gauge("ping_loss_ratio", Unit.RATIO, "Share of lost echoes under load.", 0, 1),
        _count("interface_received_bytes", "Growth of the interface's counter.", _PB, unit=Unit.BYTE),
        _count("interface_sent_bytes", "Growth of the interface's counter.", _PB, unit=Unit.BYTE),
        _gauge("foreign_bps", Unit.BIT_PER_SECOND, "Traffic of this PC that was not the test.", 0, _TBIT),
        _gauge("cpu_busy_max_ratio", Unit.RATIO, "Highest processor use during the test.", 0, 1),
        _count("down_bytes", "Payload received in the whole downward direction.", _PB, unit=Unit.BYTE),
        _count("up_bytes", "Payload that the other side has, of the whole upward direction.", _PB, unit=Unit.BYTE),
        _flag("up_is_written", "The system tells no acknowledgements: upward figures are what was written."),
        _gauge("loaded_up_rtt_p50_s", Unit.SECOND, "Median latency under upward load.", 0, 3600),
        _gauge("loaded_up_rtt_p95_s", Unit.SECOND, "95th percentile of latency under upward load.", 0, 3600),
        _count("retransmitted_bytes", "Payload that this PC sent again.", _PB, unit=Unit.BYTE),
        _text("link_medium", "wired, wireless or unknown, of the interface to the Internet."),
        _count("link_speed_bps", "Negotiated speed of that interface.", _TBIT, unit=Unit.BIT_PER_SECOND, low=1),
        _flag("input_was_watched", "This system tells when a person last used the PC."),
        _flag("is_emulated", "The pace was scaled for absent PCs."),
        _count("bins", "Bins of each series that follow as campaign_bins.", 1000),
    ),
)

BINS_PER_PART = 20
"""Bins of 0.1 s in one part of `campaign_bins`."""

CAMPAIGN_BINS = Measurement(
    "campaign_bins",
    "A participant's own series of a concurrent bandwidth test: payload bytes in each 0.1 s from the ordered start on, "
    "2 s in each part. A bin that was not measured is left out.",
    Cadence.CAMPAIGN,
    tuple(
        _count(f"b{index:02}_bytes", f"Bytes of bin {index} of these 2 s.", _PB, unit=Unit.BYTE)
        for index in range(BINS_PER_PART)
    ),
    PartKind.SPAN,
)

EVENT = Measurement(
    "event",
    "Something that happened once.",
    Cadence.EVENT,
    (
        _text("code", "What happened: spool_dropped, clock_jumped, identity_renewed ...", required=True),
        _count("count", "How often since the last report.", 10**12),
    ),
)

MEASUREMENTS: dict[str, Measurement] = {
    measurement.name: measurement
    for measurement in (
        HARDWARE,
        DISK,
        USAGE,
        LINK,
        TRAFFIC,
        REACH,
        AGENT,
        PROBE,
        ROUTER,
        CAMPAIGN,
        CAMPAIGN_BINS,
        EVENT,
    )
}
"""Every measurement by name."""

REACH_TARGETS = ("gateway", "dns", "district", "internet")
"""Parts that the `reach` measurement may have."""
