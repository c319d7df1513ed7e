"""Results and reports travel and come back as they were; what is not of their form is refused."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest

from phongmay_bandwidth.records import RecordError
from phongmay_bandwidth.report import ConnectionReport, RunReport
from phongmay_bandwidth.result import Outcome, ParticipantResult
from phongmay_contract.catalogue import CAMPAIGN, MAX_PARTS
from phongmay_contract.checking import check
from phongmay_contract.envelope import Envelope, Group, Instant, decode_stored, encode_stored
from phongmay_contract.topics import Kind

RESULT = ParticipantResult(
    "run-1234",
    Outcome.OK,
    "capacity",
    down_bps=2e6,
    up_bps=1e6,
    ping_loss_ratio=0.0,
    up_is_written=False,
    retransmitted_bytes=0,
    down_bins=tuple(range(141)),
    up_bins=tuple(range(160)),
)


def test_a_result_travels_through_the_contract() -> None:
    """Encoded, checked by the catalogue and read back: nothing is lost, nothing is unknown, nothing is out of range."""
    envelope = Envelope(Kind.CAMPAIGN, "pc-001", "ab" * 8, 1, Instant(1.0, 1.0), "0.1.0", RESULT.to_groups())
    checked = check(decode_stored(encode_stored(envelope)))
    assert (checked.unknown, checked.out_of_range) == ((), ())
    assert ParticipantResult.from_groups(checked.envelope.body) == RESULT


def test_what_was_not_measured_is_left_out() -> None:
    """None never becomes 0."""
    values = ParticipantResult("run-1234", Outcome.ABORTED, reason="input").to_groups()[0].values
    assert dict(values) == {"campaign_run": "run-1234", "outcome": "aborted", "reason": "input", "bins": 0}


def test_every_figure_has_its_quantity() -> None:
    """Each field of a result is declared in the catalogue."""
    assert {field.name for field in fields(ParticipantResult)} - {"down_bins", "up_bins"} <= set(CAMPAIGN.by_name)


def test_the_longest_series_keeps_to_the_parts_of_a_device() -> None:
    """16 s each way, in 2 s parts."""
    result = ParticipantResult("run-1234", Outcome.OK, down_bins=(1,) * 999, up_bins=(1,) * 999)
    assert sum(group.measurement == "campaign_bins" for group in result.to_groups()) == MAX_PARTS


@pytest.mark.parametrize("groups", [(), (Group("campaign", {"campaign_run": "r", "outcome": "great"}),)])
def test_a_body_that_is_no_result_is_refused(groups: tuple[Group, ...]) -> None:
    """The coordinator sees which envelope it cannot use."""
    with pytest.raises(RecordError):
        ParticipantResult.from_groups(groups)


def a_report() -> RunReport:
    """A report with one connection."""
    connection = ConnectionReport(
        "pc-001",
        "up",
        0,
        "198.51.100.1",
        1.0,
        2.0,
        "peer",
        3,
        (1, 2),
        "cubic",
        "",
        "received",
        None,
        0.1,
        None,
        None,
        0,
    )
    return RunReport(
        "run-1234", "floor", 3.0, True, False, 1.0, 0.0, 6.0, 0.0, "window", "", "cubic", 0.1, 1.0, 2.0, False, (),
        {"full": 1}, (connection,), {"pc-001": "198.51.100.1"},
    )  # fmt: skip


def test_a_report_travels_and_comes_back() -> None:
    """`to_json` and `from_json` are each other's inverse."""
    assert RunReport.from_json(a_report().to_json()) == a_report()


@pytest.mark.parametrize(
    "change", [{"connections": None}, {"finished": 1}, {"limits": "cpu"}, {"now": "x"}, {"connections": [1]}]
)
def test_a_report_of_another_form_is_refused(change: dict[str, Any]) -> None:
    """A server of another make cannot put a verdict into the register."""
    with pytest.raises(RecordError):
        RunReport.from_json(json.dumps({**json.loads(a_report().to_json()), **change}))
