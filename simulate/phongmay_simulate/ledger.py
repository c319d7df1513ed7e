"""The ledger: what each run of each simulated agent made, sent, and got receipts of; and what the store makes of it.

Agents go in, plain data for a JSON file comes out; `compare` holds it against a series store and names every envelope
that is lost (receipted but not stored, or neither receipted nor in its sender's spool) or doubled (stored more than
once). A file that is no ledger raises SimulationError.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phongmay_contract.catalogue import MEASUREMENTS
from phongmay_simulate.agent import SimulatedAgent
from phongmay_simulate.enrolling import SimulationError
from phongmay_simulate.ranges import Ranges

if TYPE_CHECKING:  # whoever only writes a ledger must not load a store
    from phongmay_store.series.interface import SeriesReader

_PAGE = 5000
_END = 4e9  # 2096; in nanoseconds still a whole number of 64 bits
NAMED = 20
"""Envelopes that a comparison names; the rest is counted."""


def entries(agents: Iterable[SimulatedAgent]) -> Iterator[dict[str, Any]]:
    """Give one entry a run."""
    for agent in agents:
        waiting = agent.waiting()
        for run, record in agent.runs.items():
            yield {
                "device": agent.identity.device_id,
                "code": agent.machine.code,
                "role": agent.machine.role.value,
                "copy": agent.machine.copy,
                "run": run,
                "made": record.made,
                "sent": record.sent.pairs(),
                "receipted": record.receipted.pairs(),
                "refused": record.refused,
                "waiting": waiting.get(run, Ranges()).pairs(),
                "wiped": record.wiped.pairs(),
                "days": {str(day): seqs.pairs() for day, seqs in record.days.items()},
            }


def write(path: Path, agents: Iterable[SimulatedAgent], **about: Any) -> None:
    """Write a ledger; `about` says how it came to be (seed, start ...)."""
    content = {**about, "runs": list(entries(agents))}
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1), "utf-8")


def read(path: Path) -> list[dict[str, Any]]:
    """Read the entries of a ledger.

    Raises:
        SimulationError: there is no such file, or it is no ledger.
    """
    try:
        found: list[dict[str, Any]] = [dict(entry) for entry in json.loads(path.read_text("utf-8"))["runs"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SimulationError(
            f"--ledger {path}: no ledger ({error!r}); 'phongmay simulate run|day' writes one"
        ) from error
    return found


@dataclass(slots=True)
class Comparison:
    """What a comparison found.

    Attributes:
        runs: entries compared.
        receipted: envelopes with a receipt.
        waiting: envelopes in their senders' spools.
        refused: envelopes that the collector refused.
        wiped: envelopes that their senders' own disks lost.
        stored: envelopes of these runs in the store; more than receipted where a receipt did not get through.
        lost: names of envelopes that are lost.
        doubled: names of envelopes that are stored more than once.
    """

    runs: int = 0
    receipted: int = 0
    waiting: int = 0
    refused: int = 0
    wiped: int = 0
    stored: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Give plain data: counts, and the first names."""
        return {
            "runs": self.runs, "receipted": self.receipted, "waiting": self.waiting, "refused": self.refused,
            "wiped": self.wiped, "stored": self.stored, "lost": len(self.lost), "doubled": len(self.doubled),
            "lost_envelopes": self.lost[:NAMED], "doubled_envelopes": self.doubled[:NAMED],
        }  # fmt: skip


def rows_since(now: float, raw_days: int) -> float:
    """Give since when a store that keeps rounds for so many days has surely all rows, a day to spare."""
    return now - (raw_days - 1) * 86400.0


def compare(series: SeriesReader, ledger: Iterable[Mapping[str, Any]], *, rows_from: float = 0.0) -> Comparison:
    """Hold a ledger against a store.

    What was measured before `rows_from` may have no rows any more: of these the store's count of identities must hold
    as many as have receipts.

    A run that two ledgers' entries share (the second holder of a clone has runs of its own) is compared by itself;
    what the store holds of other runs is nobody's business here.
    """
    found = Comparison()
    by_device: dict[str, list[Mapping[str, Any]]] = {}
    for entry in ledger:
        by_device.setdefault(entry["device"], []).append(entry)
    for device, group in by_device.items():
        stored = stored_envelopes(series, device)
        old: list[str] = []
        for entry in group:
            old += _compare_run(found, device, entry, stored.get(entry["run"], {}), int(rows_from // 86400))
        if old and series.envelope_count(device) < sum(map(len, stored.values())) + len(old):
            found.lost += old
    return found


def stored_envelopes(series: SeriesReader, device: str) -> dict[str, dict[int, int]]:
    """Give, by run and sequence number, how often an envelope of a device is stored (by its rows: once is right).

    Rows about the sender itself are counted; every simulated round has some, a gateway's too.
    """
    often: dict[str, dict[int, int]] = {}
    for measurement in MEASUREMENTS:
        rows: Counter[tuple[str, int, str, str]] = Counter()
        after: tuple[float, str] | None = None
        while True:
            page = series.range(device, measurement, 0.0, _END, limit=_PAGE, after=after)
            rows.update((row.source.run, row.source.seq, row.part, row.device) for row in page)
            if len(page) < _PAGE:
                break
            after = (page[-1].at, page[-1].part)
        for (run, seq, _, _), count in rows.items():
            of_run = often.setdefault(run, {})
            of_run[seq] = max(count, of_run.get(seq, 0))
    return often


def _compare_run(
    found: Comparison, device: str, entry: Mapping[str, Any], stored: Mapping[int, int], first_day: int
) -> list[str]:
    """Compare one run; gives the receipted envelopes that are too old for rows, to be judged by their number."""
    run = entry["run"]
    receipted, waiting, wiped = (Ranges(entry[key]) for key in ("receipted", "waiting", "wiped"))
    refused = {int(seq) for seq in entry["refused"]}
    found.runs += 1
    found.receipted += len(receipted)
    found.waiting += len(waiting)
    found.refused += len(refused)
    found.wiped += len(wiped)
    found.stored += len(stored)
    old = Ranges(pair for day, pairs in entry.get("days", {}).items() if int(day) < first_day for pair in pairs)
    only_counted = []
    for seq in range(1, entry["made"] + 1):
        name, settled = f"{device}/{run}/{seq}", seq in receipted
        if settled and seq not in stored and seq in old:
            only_counted.append(name)
        elif (settled and seq not in stored) or not (settled or seq in waiting or seq in refused or seq in wiped):
            found.lost.append(name)
    found.doubled += [f"{device}/{run}/{seq}" for seq, count in sorted(stored.items()) if count > 1]
    found.doubled += [f"{device}/{run}/{seq} (never made)" for seq in stored if not 1 <= seq <= entry["made"]]
    return only_counted
