"""A participant's own figures of one run, and how they travel: groups `campaign` and `campaign_bins` of one envelope.

`to_groups` and `from_groups` are each other's inverse up to what was not measured, which is left out, never 0. Groups
of another kind are passed over; a body without a `campaign` group raises RecordError.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from phongmay_bandwidth.records import RecordError
from phongmay_contract.catalogue import BINS_PER_PART, CAMPAIGN, MAX_TEXT, Value
from phongmay_contract.envelope import Group

MAX_BINS = 160
"""Bins of one direction that are sent: 16 s, in 8 of the 16 parts that a device may have."""


class Outcome(StrEnum):
    """How it went for one participant."""

    OK = "ok"
    ABSENT = "absent"
    """It was ordered and did not come; only the analysis can say so."""
    LATE = "late"
    BUSY = "busy"
    """It gave way by itself: somebody used the PC, it moved other data, or it ran on battery."""
    ABORTED = "aborted"
    """It was told to stop."""
    ERROR = "error"


@dataclass(frozen=True)
class ParticipantResult:
    """Figures of one participant; None is "not measured". Names and units are those of the catalogue."""

    campaign_run: str
    outcome: Outcome
    test_kind: str | None = None
    reason: str | None = None
    clock_offset_s: float | None = None
    clock_rtt_s: float | None = None
    start_error_s: float | None = None
    down_bps: float | None = None
    up_bps: float | None = None
    idle_rtt_p50_s: float | None = None
    idle_rtt_p95_s: float | None = None
    loaded_rtt_p50_s: float | None = None
    loaded_rtt_p95_s: float | None = None
    loaded_up_rtt_p50_s: float | None = None
    loaded_up_rtt_p95_s: float | None = None
    ping_loss_ratio: float | None = None
    interface_received_bytes: int | None = None
    interface_sent_bytes: int | None = None
    foreign_bps: float | None = None
    cpu_busy_max_ratio: float | None = None
    down_bytes: int | None = None
    up_bytes: int | None = None
    up_is_written: bool | None = None
    retransmitted_bytes: int | None = None
    link_medium: str | None = None
    link_speed_bps: int | None = None
    input_was_watched: bool | None = None
    is_emulated: bool | None = None
    down_bins: tuple[int, ...] = ()
    up_bins: tuple[int, ...] = ()

    def to_groups(self) -> tuple[Group, ...]:
        """Give the body of the envelope."""
        values: dict[str, Value] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name in CAMPAIGN.by_name and value is not None:
                values[field.name] = value[:MAX_TEXT] if isinstance(value, str) else value
        values["outcome"] = self.outcome.value
        values["bins"] = max(len(self.down_bins), len(self.up_bins))
        return (Group("campaign", values), *_spans("down", self.down_bins), *_spans("up", self.up_bins))

    @staticmethod
    def from_groups(groups: Sequence[Group]) -> ParticipantResult:
        """Read the body of an envelope of kind `campaign`.

        Raises:
            RecordError: there is no `campaign` group, or its outcome is none of ours.
        """
        found = next((group for group in groups if group.measurement == "campaign"), None)
        if found is None:
            raise RecordError("the envelope has no group 'campaign'")
        names = {field.name for field in dataclasses.fields(ParticipantResult)}
        values = {name: value for name, value in found.values.items() if name in names}
        if values.get("outcome") not in Outcome._value2member_map_ or "campaign_run" not in values:
            raise RecordError(f"campaign: outcome {values.get('outcome')!r}")
        values["outcome"] = Outcome(str(values["outcome"]))
        return ParticipantResult(
            **values,  # type: ignore[arg-type] # the contract has checked the types
            down_bins=_bins("down", groups),
            up_bins=_bins("up", groups),
        )


def _spans(direction: str, bins: Sequence[int]) -> list[Group]:
    kept = bins[:MAX_BINS]
    return [
        Group(
            "campaign_bins",
            {f"b{index:02}_bytes": count for index, count in enumerate(kept[first : first + BINS_PER_PART])},
            part=f"{direction}-{first // BINS_PER_PART}",
        )
        for first in range(0, len(kept), BINS_PER_PART)
    ]


def _bins(direction: str, groups: Sequence[Group]) -> tuple[int, ...]:
    by_part = {group.part: group.values for group in groups if group.measurement == "campaign_bins"}
    bins: list[int] = []
    for span in range(MAX_BINS // BINS_PER_PART):
        values = by_part.get(f"{direction}-{span}", {})
        for index in range(BINS_PER_PART):
            value = values.get(f"b{index:02}_bytes")
            if not isinstance(value, int):
                return tuple(bins)
            bins.append(value)
    return tuple(bins)
