"""What a probe is, and how one is run so that its failure hides nothing else.

A probe goes in; its groups and one `probe` group about itself come out. Whatever a probe raises ends here: NoData
("this machine does not tell") is no failure and gives nothing; anything else becomes ok=false with a short reason.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from phongmay_contract.catalogue import MAX_PARTS, MAX_TEXT, Cadence, Value
from phongmay_contract.checking import check
from phongmay_contract.envelope import Envelope, Group, Instant
from phongmay_contract.errors import ContractError
from phongmay_contract.topics import Kind


class NoData(Exception):
    """The machine does not tell what the probe asks for, and that is no failure."""


class ProbeError(Exception):
    """A probe could not measure; the text is short and holds nothing personal, for it is sent."""


class Probe(Protocol):
    """One source of measurements."""

    @property
    def name(self) -> str:
        """Name in the settings and part of the `probe` measurement."""
        ...

    @property
    def cadence(self) -> Cadence:
        """ROUND for every interval, CHANGE for the inventory."""
        ...

    @property
    def gives(self) -> tuple[str, ...]:
        """Names of the measurements that it gives."""
        ...

    def measure(self) -> list[Group]:
        """Measure now.

        Raises:
            NoData: there is nothing to measure here.
            ProbeError: it could not be measured.
        """
        ...


def run_probe(probe: Probe, *, elapsed: Callable[[], float] = time.perf_counter) -> list[Group]:
    """Run a probe and hold what it gives against the catalogue, as the collector will.

    Returns:
        Its groups and the `probe` group. A group that would make the collector refuse the whole envelope is a failure
        of this probe; a physically impossible value is left out and named.
    """
    started = elapsed()
    groups: list[Group] = []
    error = ""
    try:
        checked = check(_envelope([_shorten(group) for group in probe.measure() if group.values]))
        groups = list(checked.envelope.body)
        if wrong := (*checked.unknown, *checked.out_of_range):
            error = f"ProbeError: impossible {', '.join(wrong)}"
    except NoData:
        pass
    except (ProbeError, ContractError) as failure:
        error = f"{type(failure).__name__}: {failure}"
    except OSError as failure:  # its own text names paths; the system's words do not
        error = f"{type(failure).__name__}: {failure.strerror or 'no reason given'}"
    except Exception as failure:  # noqa: BLE001 # a probe must never end the agent
        error = f"{type(failure).__name__}: {_place(failure)}"
    values: dict[str, Value] = {"ok": not error, "took_s": round(max(0.0, elapsed() - started), 6)}
    if error:
        values["error"] = error[:MAX_TEXT]
    return [*groups, Group("probe", values, part=probe.name)]


def bounded(groups: Sequence[Group]) -> list[Group]:
    """Keep the first MAX_PARTS groups; a probe lists the important parts first."""
    return list(groups[:MAX_PARTS])


def present(**values: Value | None) -> dict[str, Value]:
    """Give the values that are known; an unknown one is left out, never sent as 0 or ""."""
    return {name: value for name, value in values.items() if value is not None and value != ""}


def read_text(path: Path) -> str | None:
    """Read a small file of /proc or /sys; None where it is missing or not for us.

    Some attributes of /sys answer a read with EINVAL ("not known now"), so any OSError means None.
    """
    try:
        return path.read_text("utf-8", errors="replace").strip("\0 \t\n")
    except OSError:
        return None


def read_int(path: Path) -> int | None:
    """Read a whole number; None where the file is missing or holds something else."""
    text = read_text(path)
    try:
        return int(text) if text else None
    except ValueError:
        return None


def _shorten(group: Group) -> Group:
    values = {name: value[:MAX_TEXT] if isinstance(value, str) else value for name, value in group.values.items()}
    return Group(group.measurement, values, group.subject, group.part[:64])


def _envelope(body: Sequence[Group]) -> Envelope:
    """Wrap groups for `check`, which looks at the body only."""
    return Envelope(Kind.ROUND, "self-check", "0" * 8, 0, Instant(0, 0), "", tuple(body))


def _place(failure: Exception) -> str:
    """Say where in our code it happened; the text of a foreign exception might hold anything."""
    frames = traceback.extract_tb(failure.__traceback__)
    ours = [frame for frame in frames[1:] if "phongmay_agent" in frame.filename] or frames
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"
